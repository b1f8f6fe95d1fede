"""Images in folders, one sub-folder for each class; and the steps all image sources share."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from anncestry.arrays import Tensor
from anncestry.data.options import DataOptions
from anncestry.data.processors.common import expect, relabel
from anncestry.data.processors.image import ImageProcessor
from anncestry.data.readers.archives import SUFFIXES as ARCHIVES
from anncestry.data.readers.archives import Member, is_archive, read_archives
from anncestry.data.readers.images import is_image, read_images
from anncestry.data.readers.parts import WORDS, Part, part_of
from anncestry.data.splits.dataset import Dataset, Examples, Processor, Whole
from anncestry.data.splits.holdout import check_classes, describe_random_split, generator, stratified_split
from anncestry.errors import UserError
from anncestry.signature import Signature, Task
from anncestry.user_files import absolute, check_memory, existing_folder, list_folder

VALIDATION = 0.1
"""Share of the training images that becomes validation where only the test split is official."""
_MORE_WORDS = ("set", "data", "split", "part", "images", "imgs")
PARTS: tuple[Part, ...] = ("train", "validation", "test")


def image_dataset(
    splits: list[tuple[np.ndarray, np.ndarray]],
    classes: tuple[str, ...],
    given: Processor | None = None,
    white: int = 255,
    **about: Any,
) -> Dataset:
    """Images to be classified or reconstructed, standardised per channel with the training split.

    Args:
        splits: pixels (N, C, H, W) and labels (N,) for training, validation and test.
        classes: names of the labels.
        given: the processor to use in place of one learnt from the training split.
        white: the largest pixel value there can be.
        about: the other fields of `Dataset`; ``options`` says what the task is.
    """
    if given is None:
        pixels = torch.tensor(splits[0][0], dtype=torch.float32).div_(white)
        given = _learn(pixels, classes, about["options"]["task"] or "classification")
    processor = expect(given, ImageProcessor, about["name"])
    shape = (processor.channels, processor.height, processor.width)
    output_size = math.prod(shape) if processor.task == "reconstruction" else len(processor.classes)
    train, validation, test = (encode_images(*part, classes, processor, white) for part in splits)
    return Dataset(
        signature=Signature(processor.task, "image", shape, output_size),
        processor=processor,
        train=train,
        validation=validation,
        test=test,
        classes=processor.classes,
        **about,
    )


def encode_images(
    pixels: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    processor: ImageProcessor,
    white: int = 255,
) -> Examples:
    """Images (N, C, H, W) with their labels (N,) as a model reads them.

    Raises:
        UserError: they have another shape, or a class that the model was not trained on.
    """
    shape = (processor.channels, processor.height, processor.width)
    if pixels.shape[1:] != shape:
        raise UserError("images", pixels.shape[1:], f"must have the shape of the training images, {shape}")
    images = processor.standardise(torch.tensor(pixels, dtype=torch.float32).div_(white))
    if processor.task == "reconstruction":
        return Examples(images, images)
    label_of = relabel(classes, processor.classes, "class")
    return Examples(images, torch.from_numpy(label_of[labels.astype(np.int64)]))


def official_dataset(
    train: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    classes: tuple[str, ...],
    processor: Processor | None,
    seed: int,
    *,
    name: str,
    options: DataOptions,
    source: Path,
    notes: Sequence[str] = (),
    validation: tuple[np.ndarray, np.ndarray] | None = None,
    test_name: str = "test",
) -> Dataset:
    """Images with a test split of their own, and perhaps one for validation; else that is a tenth of the
    training images.

    Args:
        train, test, validation: pixels (N, C, H, W) uint8 and labels (N,).
        classes: names of the labels.
        processor: the processor to use in place of one learnt from the training split.
        seed: fixes which training images become validation.
        notes: what a person should know beside how it was split.
        test_name: what the test split is called where it is from.
    """
    kind = name.partition(":")[0]
    (images, labels), (test_images, test_labels) = train, test
    hint = "It is read into memory as float32."
    check_memory(5 * (images.size + test_images.size), kind, str(source), hint)
    about: dict[str, Any] = {"name": name, "options": asdict(options), "source": source}
    if validation is not None:
        if len(np.unique(labels)) < 2:
            rule = "a classification needs at least two classes; there is only one"
            raise UserError(f"{kind} labels", classes[labels[0]], rule)
        sizes = " / ".join(str(len(part)) for _, part in (train, validation, test))
        how = f"the official split: {sizes} images for training, validation, test"
        return image_dataset([train, validation, test], classes, processor, notes=(how, *notes), **about)
    notes = [*notes, *check_classes(f"{kind} labels", labels, classes)]
    rows, held_out = stratified_split(labels, generator(seed), (VALIDATION,))
    if not len(held_out):
        rule = f"needs at least one class of 2 training images; has {len(labels)} in all"
        raise UserError(kind, str(source), rule)
    how = (
        f"the official {test_name} split ({len(test_labels)} images)"
        f"{'' if test_name == 'test' else ' is the test part'}; validation is {len(held_out)} of the "
        f"{len(labels)} training images, at random with seed {seed}, within each class"
    )
    splits = [(images[rows], labels[rows]), (images[held_out], labels[held_out]), test]
    return image_dataset(splits, classes, processor, notes=(how, *notes), **about)


def _learn(images: Tensor, classes: tuple[str, ...], task: Task) -> ImageProcessor:
    """The processor of training images (N, C, H, W) in [0, 1]."""
    deviation, mean = torch.std_mean(images, dim=(0, 2, 3), correction=0)
    deviation[deviation < 1e-6] = 1  # a channel of one colour
    _, channels, height, width = images.shape
    of_channels = (tuple(mean.tolist()), tuple(deviation.tolist()))
    return ImageProcessor(channels, height, width, *of_channels, classes, task)


def load_images(
    argument: str, options: DataOptions, seed: int, processor: Processor | None = None
) -> Dataset:
    """``images:DIR``, or a tar archive of such a folder, or a folder of nothing but such archives.

    Images of other sizes are resized to the first one's, or to ``image_size``. All are grey if every file is,
    else RGB. A given processor decides both. Archives are read into memory.
    """
    path, folder, notes = _opened(argument)
    about: dict[str, Any] = {"name": f"images:{path}", "source": path}
    channels, size = None, None
    if processor is not None:
        trained = expect(processor, ImageProcessor, about["name"])
        channels, size = trained.channels, (trained.height, trained.width)
    elif options.image_size is not None:
        size = (options.image_size, options.image_size)
    parts = _official_parts(folder, notes)
    if len(parts) > 1:
        return _official_folders(parts, size, channels, options, seed, processor, notes, about)
    folder = parts.get("train", folder)
    drawn = options.task == "reconstruction" if processor is None else processor.target_scale is not None
    fewest = 1 if drawn else 2  # classes: where images are reconstructed nothing is asked of them
    images, labels, classes = _read_classes(folder, size, channels, options.skip_bad, notes, fewest)
    if not drawn:
        notes += check_classes("images", labels, classes)
    rows = stratified_split(labels, generator(seed))
    notes.append(describe_random_split(rows, seed, stratified=True))
    if not all(map(len, rows)):
        raise UserError(
            "images", str(folder), f"needs at least one class of 3 images; there are {len(labels)} in all"
        )
    return image_dataset(
        [(images[part], labels[part]) for part in rows],
        classes,
        processor,
        options=asdict(options),
        notes=tuple(notes),
        **about,
    )


def read_image_folders(argument: str, options: DataOptions, processor: Processor) -> Whole:
    """All images of ``images:DIR``, with the parts and the classes that there are."""
    path, folder, notes = _opened(argument)
    reader = expect(processor, ImageProcessor, f"images:{path}")
    parts = _official_parts(folder, notes) or {"all": folder}
    size, made = (reader.height, reader.width), []
    for part in parts.values():
        images, labels, classes = _read_classes(
            part, size, reader.channels, options.skip_bad, notes, fewest=0
        )
        made.append(encode_images(images, labels, classes, reader))
    return Whole(tuple(made), tuple(notes))


def _opened(argument: str) -> tuple[Path, Path | Member, list[str]]:
    """The path, the folder there, in an archive or in the archives of a folder that has no sub-folders, and
    notes on what was left out of archives."""
    path = absolute(argument)
    if is_archive(path):
        archives = [path]
    elif path.is_file():
        raise UserError("images", str(path), "must be a folder or an archive", ARCHIVES)
    else:
        entries = list_folder(existing_folder(argument))
        archives = [entry for entry in entries if is_archive(entry)]
        if not archives or any(entry.is_dir() for entry in entries):
            return path, path, []
    opened = read_archives(archives)
    lost = opened.left_out
    return (
        path,
        opened,
        [f"left out {_listed(lost, 'entries of the archive that are no files')}"] if lost else [],
    )


def _official_parts(folder: Path | Member, notes: list[str]) -> dict[str, Any]:
    """The folders of an official split by part, each with a sub-folder for each class; none where the folder
    holds the classes themselves, and the training part alone where that is all there is.

    Raises:
        UserError: two folders are of one part, or the parts hold images in place of classes.
    """
    below = [entry for entry in list_folder(folder) if _is_visible_folder(entry)]
    named = [(part, entry) for entry in below if (part := _part_of(entry.name)) is not None]
    if not named:
        return {}
    found: dict[str, Any] = {}
    for part, entry in named:
        if not any(map(_is_visible_folder, list_folder(entry))):
            continue
        if part in found:
            rule = f"holds two folders for {part}, {found[part].name} and {entry.name}"
            raise UserError("images", str(folder), rule, hint="Rename one, or give another folder.")
        found[part] = entry
    parts_alone = len(named) == len(below)
    if not found and parts_alone and len(named) > 1:
        rule = (
            f"holds {' and '.join(entry.name for _, entry in named)}, and these no sub-folder for each class"
        )
        raise UserError("images", str(folder), rule, hint="Which class is an image of? Sort them by it.")
    if not found or (len(found) == 1 and not parts_alone):
        return {}
    found = {part: found[part] for part in PARTS if part in found}
    others = [entry.name for entry in below if entry not in found.values()]
    if others:
        notes.append(
            f"not used, beside {', '.join(entry.name for entry in found.values())}: {', '.join(others)}"
        )
    return found


def _part_of(name: str) -> Part | None:
    """The part that a folder is called after: a word of `WORDS`, alone or with ``set``, ``images``, ..."""
    part = part_of(name)
    words = [word for word in re.findall("[a-z]+", name.lower()) if word not in _MORE_WORDS]
    return part if part in PARTS and len(words) == 1 and words[0] in WORDS[part] else None


def _is_visible_folder(entry: Path | Member) -> bool:
    return entry.is_dir() and not entry.name.startswith((".", "__"))


def _official_folders(
    parts: Mapping[str, Path | Member],
    size: tuple[int, int] | None,
    channels: int | None,
    options: DataOptions,
    seed: int,
    processor: Processor | None,
    notes: list[str],
    about: dict[str, Any],
) -> Dataset:
    """Folders of a training part and of one or two others, each with one sub-folder for each class."""
    if "train" not in parts:
        names = " and ".join(part.name for part in parts.values())
        raise UserError("images", about["name"], f"holds {names}, but no images to train on", WORDS["train"])
    images, labels, classes = _read_classes(parts["train"], size, channels, options.skip_bad, notes)
    like, read = (images.shape[2], images.shape[3]), {}
    for part in ("validation", "test"):
        if part not in parts:
            continue
        name = parts[part].name
        pixels, of_part, names = _read_classes(
            parts[part], like, images.shape[1], options.skip_bad, notes, fewest=0
        )
        read[part] = pixels, relabel(names, classes, f"class of {name}")[of_part]
        lacking = [name for name in classes if name not in names]
        if lacking:
            notes.append(f"{name} has no images of {_listed(lacking, 'classes')}")
    test = "test" if "test" in read else "validation"
    return official_dataset(
        (images, labels),
        read[test],
        classes,
        processor,
        seed,
        options=options,
        notes=notes,
        validation=read.get("validation") if len(read) > 1 else None,
        test_name=parts[test].name,
        **about,
    )


def _read_classes(
    folder: Path | Member,
    size: tuple[int, int] | None,
    channels: int | None,
    skip_bad: bool,
    notes: list[str],
    fewest: int = 2,
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Pixels (N, C, H, W), labels (N,) and names of the classes; notes are added.

    Args:
        folder: has a sub-folder for each class.
        size, channels, skip_bad: as for `read_images`.
        notes: of what a person should know.
        fewest: how many classes there must be, with images of each; 0 for any, some of them empty.
    """
    classes, files = _find_files(folder, notes, fewest)
    labels = np.repeat(np.arange(len(classes)), [len(paths) for paths in files])
    paths = [path for of_class in files for path in of_class]
    read = read_images(paths, size, channels, skip_bad)
    notes += read.notes
    if read.bad:
        names = [f"{classes[labels[index]]}/{paths[index].name}" for index in read.bad]
        labels = np.delete(labels, read.bad)
        notes.append(f"left out {_listed(names, 'unreadable images', 50)}")
        lost = [name for index, name in enumerate(classes) if index not in labels]
        if (fewest and lost) or not len(labels):
            rule = "a class folder must hold images; none here can be read"
            raise UserError("images", str(folder / lost[0]), rule)
    return read.pixels, labels, classes


def _listed(names: Sequence[str], what: str, limit: int = 5) -> str:
    return f"{len(names)} {what}: {', '.join(names[:limit])}{', ...' if len(names) > limit else ''}"


def _find_files(
    folder: Path | Member, notes: list[str], fewest: int
) -> tuple[tuple[str, ...], list[list[Any]]]:
    """Class names and the image files of each; notes on files of other kinds are added."""
    below = [entry for entry in list_folder(folder) if _is_visible_folder(entry)]
    if not below:
        raise UserError("images", str(folder), "must hold one sub-folder for each class; there is none")
    found, others, empty = {}, [], []
    for class_folder in below:
        entries = list_folder(class_folder)
        images = [path for path in entries if is_image(path)]
        others += [f"{class_folder.name}/{path.name}" for path in entries if not is_image(path)]
        if images:
            found[class_folder.name] = images
        elif fewest:
            deeper = any(entry.is_dir() for entry in entries)
            hint = "Give the folder whose sub-folders are the classes." if deeper else None
            rule = "a class folder must hold images; there is none"
            raise UserError("images", str(class_folder), rule, hint=hint)
        else:
            empty.append(class_folder.name)
    if not found:
        raise UserError("images", str(folder), "must hold images in the sub-folders; there is none")
    if len(found) < fewest:
        rule = "a classification needs at least two classes; there is only one sub-folder"
        raise UserError("images", str(below[0]), rule)
    if others:
        notes.append(f"ignored {_listed(others, 'entries that are no images')}")
    if empty:
        notes.append(f"without an image: {_listed(empty, 'class folders')}")
    return tuple(found), list(found.values())
