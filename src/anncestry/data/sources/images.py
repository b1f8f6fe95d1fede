"""Images in folders, one sub-folder for each class; and the steps all image sources share."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from anncestry.arrays import Tensor
from anncestry.data.dataset import Dataset, Examples, Processor
from anncestry.data.options import DataOptions
from anncestry.data.processors.common import expect, relabel
from anncestry.data.processors.image import ImageProcessor
from anncestry.data.readers.archives import SUFFIXES as ARCHIVES
from anncestry.data.readers.archives import Member, is_archive, read_archives
from anncestry.data.readers.files import absolute, check_memory, existing_folder
from anncestry.data.readers.images import is_image, read_image, to_pixels, with_channels
from anncestry.data.splits import check_classes, describe_random_split, generator, stratified_split
from anncestry.errors import UserError
from anncestry.signature import Signature, Task

VALIDATION = 0.1
"""Share of the training images that becomes validation where only the test split is official."""


def image_dataset(
    splits: list[tuple[np.ndarray, np.ndarray]],
    classes: tuple[str, ...],
    given: Processor | None = None,
    white: int = 255,
    **about: Any,
) -> Dataset:
    """Images to be classified or drawn again, standardised per channel with the training split.

    Args:
        splits: pixels (N, C, H, W) and labels (N,) for training, validation and test.
        classes: names of the labels.
        given: the processor to use in place of one learnt from the training split.
        white: the largest pixel value there can be.
        about: the other fields of `Dataset`; ``options`` says what the task is.
    """
    inputs = [torch.tensor(pixels, dtype=torch.float32).div_(white) for pixels, _ in splits]
    learnt = given or _learn(inputs[0], classes, about["options"]["task"] or "classification")
    processor = expect(learnt, ImageProcessor, about["name"])
    shape = (processor.channels, processor.height, processor.width)
    if inputs[0].shape[1:] != shape:
        raise UserError(
            "images", tuple(inputs[0].shape[1:]), f"must have the shape of the training images, {shape}"
        )
    images = [processor.standardise(values) for values in inputs]
    if processor.task == "reconstruction":
        targets, output_size = images, math.prod(shape)
    else:
        label_of = torch.from_numpy(relabel(classes, processor.classes, "class"))
        targets = [label_of[torch.tensor(labels, dtype=torch.int64)] for _, labels in splits]
        output_size = len(processor.classes)
    train, validation, test = (Examples(*pair) for pair in zip(images, targets, strict=True))
    return Dataset(
        signature=Signature(processor.task, "image", shape, output_size),
        processor=processor,
        train=train,
        validation=validation,
        test=test,
        classes=processor.classes,
        **about,
    )


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
) -> Dataset:
    """Images with a test split of their own; validation is a tenth of the training images.

    Args:
        train, test: pixels (N, C, H, W) uint8 and labels (N,).
        classes: names of the labels.
        processor: the processor to use in place of one learnt from the training split.
        seed: fixes which training images become validation.
        notes: what a person should know beside how it was split.
    """
    kind = name.partition(":")[0]
    (images, labels), (test_images, test_labels) = train, test
    hint = "It is read into memory as float32."
    check_memory(5 * (images.size + test_images.size), kind, str(source), hint)
    notes = [*notes, *check_classes(f"{kind} labels", labels, classes)]
    rows, held_out = stratified_split(labels, generator(seed), (VALIDATION,))
    if not len(held_out):
        rule = f"needs at least one class of 2 training images; has {len(labels)} in all"
        raise UserError(kind, str(source), rule)
    how = (
        f"the official test split ({len(test_labels)} images); validation is {len(held_out)} of the "
        f"{len(labels)} training images, at random with seed {seed}, within each class"
    )
    splits = [(images[rows], labels[rows]), (images[held_out], labels[held_out]), test]
    return image_dataset(
        splits, classes, processor, name=name, options=asdict(options), source=source, notes=(how, *notes)
    )


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
    path = absolute(argument)
    folder = _opened(path) or existing_folder(argument)
    about: dict[str, Any] = {"name": f"images:{path}", "source": path}
    channels, size = None, None
    if processor is not None:
        trained = expect(processor, ImageProcessor, about["name"])
        channels, size = trained.channels, (trained.height, trained.width)
    elif options.image_size is not None:
        size = (options.image_size, options.image_size)
    if all(any(path.is_dir() for path in _entries(folder / part)) for part in ("train", "test")):
        return _official_folders(folder, size, channels, options, seed, processor, about)
    images, labels, classes, notes = _read_classes(folder, size, channels, options.skip_bad)
    notes += check_classes("images", labels, classes)
    parts = stratified_split(labels, generator(seed))
    notes.append(describe_random_split(parts, seed, stratified=True))
    if not all(map(len, parts)):
        raise UserError(
            "images", str(folder), f"needs at least one class of 3 images; there are {len(labels)} in all"
        )
    return image_dataset(
        [(images[part], labels[part]) for part in parts],
        classes,
        processor,
        options=asdict(options),
        notes=tuple(notes),
        **about,
    )


def _opened(path: Path) -> Member | None:
    """What is in an archive, or in the archives of a folder that has no sub-folders."""
    if is_archive(path):
        return read_archives([path])
    if path.is_file():
        raise UserError("images", str(path), "must be a folder or an archive", ARCHIVES)
    entries = _entries(path)
    archives = [entry for entry in entries if is_archive(entry)]
    return read_archives(archives) if archives and not any(entry.is_dir() for entry in entries) else None


def _official_folders(
    folder: Path | Member,
    size: tuple[int, int] | None,
    channels: int | None,
    options: DataOptions,
    seed: int,
    processor: Processor | None,
    about: dict[str, Any],
) -> Dataset:
    """A folder with ``train`` and ``test``, each with one sub-folder for each class."""
    images, labels, classes, notes = _read_classes(folder / "train", size, channels, options.skip_bad)
    like = (images.shape[2], images.shape[3])
    test_images, test_labels, test_classes, test_notes = _read_classes(
        folder / "test", like, images.shape[1], options.skip_bad
    )
    train = (images, labels)
    test = (test_images, relabel(test_classes, classes, "test class")[test_labels])
    about = {"options": options, "notes": [*notes, *test_notes], **about}
    return official_dataset(train, test, classes, processor, seed, **about)


def _read_classes(
    folder: Path | Member, size: tuple[int, int] | None, channels: int | None, skip_bad: bool
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...], list[str]]:
    """Pixels (N, C, H, W), labels (N,), names of the classes, notes."""
    classes, files, notes = _find_files(folder)
    labels = np.repeat(np.arange(len(classes)), [len(paths) for paths in files])
    paths = [path for of_class in files for path in of_class]
    images, bad = _read_all(paths, size, channels, skip_bad)
    if bad:
        names = [f"{classes[labels[index]]}/{paths[index].name}" for index in bad]
        labels = np.delete(labels, bad)
        notes.append(f"left out {_listed(names, 'unreadable images', 50)}")
        lost = [name for index, name in enumerate(classes) if index not in labels]
        if lost:
            rule = "a class folder must hold images; none here can be read"
            raise UserError("images", str(folder / lost[0]), rule)
    return images, labels, classes, notes


def _entries(folder: Path | Member) -> list[Any]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _listed(names: list[str], what: str, limit: int = 5) -> str:
    return f"{len(names)} {what}: {', '.join(names[:limit])}{', ...' if len(names) > limit else ''}"


def _find_files(folder: Path | Member) -> tuple[tuple[str, ...], list[list[Any]], list[str]]:
    """Class names, the image files of each, and notes on files of other kinds."""
    below = sorted(
        path for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "__"))
    )
    if not below:
        raise UserError("images", str(folder), "must hold one sub-folder for each class; there is none")
    files, others = [], []
    for class_folder in below:
        entries = sorted(class_folder.iterdir())
        files.append([path for path in entries if is_image(path)])
        others += [f"{class_folder.name}/{path.name}" for path in entries if not is_image(path)]
        if not files[-1]:
            hint = (
                "Give the folder whose sub-folders are the classes."
                if any(p.is_dir() for p in entries)
                else None
            )
            raise UserError(
                "images", str(class_folder), "a class folder must hold images; there is none", hint=hint
            )
    if len(below) < 2:
        rule = "a classification needs at least two classes; there is only one sub-folder"
        raise UserError("images", str(below[0]), rule)
    notes = [f"ignored {_listed(others, 'entries that are no images')}"] if others else []
    return tuple(path.name for path in below), files, notes


def _read_all(
    paths: list[Any], size: tuple[int, int] | None, channels: int | None, skip_bad: bool
) -> tuple[np.ndarray, list[int]]:
    """Pixels (N, C, H, W) uint8 of the readable files, and the numbers of those left out."""
    images, bad = [], []
    for index, path in enumerate(paths):
        try:
            image = read_image(path)
        except UserError:
            if not skip_bad:
                raise
            bad.append(index)
            continue
        size = size or (image.height, image.width)
        if not images:
            num_values = len(paths) * 3 * size[0] * size[1]
            rest = f"{len(paths)} images of {size[0]} x {size[1]} pixels"
            check_memory(4 * num_values, "images", rest, "Set a smaller image_size.")
        images.append(to_pixels(image, *size))
    channels = channels or max((len(image) for image in images), default=1)
    return np.stack([with_channels(image, channels) for image in images]) if images else np.empty(0), bad
