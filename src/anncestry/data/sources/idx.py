"""MNIST and the data sets that come in its four files."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from anncestry.data.options import DataOptions
from anncestry.data.processors.common import expect
from anncestry.data.processors.image import ImageProcessor, PixelProcessor
from anncestry.data.readers.idx import read_idx
from anncestry.data.sources.images import encode_images, official_dataset
from anncestry.data.splits.dataset import Dataset, Examples, Processor, Split, Whole
from anncestry.errors import UserError, require
from anncestry.signature import Signature
from anncestry.user_files import existing_folder

PERMUTATION_SEED = 92916


def load_idx(argument: str, options: DataOptions, seed: int, processor: Processor | None = None) -> Dataset:
    """``idx:DIR`` with the official test split; validation is a tenth of the training files."""
    both = options.task == "reconstruction" and options.order != "image"
    rule = "gives series of pixels, and only images can be reconstructed"
    require(processor is not None or not both, "order", options.order, rule, ("image",))
    folder = existing_folder(argument)
    images, labels = _read_pair(folder, "train")
    test_images, test_labels = _read_pair(folder, "t10k")
    if images.shape[1:] != test_images.shape[1:]:
        rule = f"must have the size of the training images, {images.shape[1:]}"
        raise UserError("test images", test_images.shape[1:], rule)
    present = np.unique(labels)
    strangers = np.setdiff1d(test_labels, present)
    if len(strangers):
        raise UserError("test labels", int(strangers[0]), "must occur in the training labels", present)
    classes = tuple(str(label) for label in present)
    labels, test_labels = np.searchsorted(present, labels), np.searchsorted(present, test_labels)
    dataset = official_dataset(
        (images, labels),
        (test_images, test_labels),
        classes,
        processor.images if isinstance(processor, PixelProcessor) else processor,
        seed,
        name=f"idx:{folder}",
        options=options,
        source=folder,
    )
    return dataset if options.order == "image" else _pixel_by_pixel(dataset, options.order)


def read_idx_files(argument: str, options: DataOptions, processor: Processor) -> Whole:
    """All images of ``idx:DIR``: of both parts, or of the one that is there."""
    folder = existing_folder(argument)
    order = list(processor.order) if isinstance(processor, PixelProcessor) else None
    images_of = processor.images if isinstance(processor, PixelProcessor) else processor
    reader = expect(images_of, ImageProcessor, f"idx:{folder}")
    made = []
    for prefix in [part for part in ("train", "t10k") if any(folder.glob(f"{part}-*"))] or ["t10k"]:
        images, labels = _read_pair(folder, prefix)
        present = np.unique(labels)
        names = [str(label) for label in present]
        made.append(encode_images(images, np.searchsorted(present, labels), names, reader))
    return Whole(tuple(made if order is None else [_as_series(split, order) for split in made]))


def _as_series(split: Split, positions: Sequence[int] | torch.Tensor) -> Examples:
    assert isinstance(split, Examples)
    return Examples(split.inputs.flatten(2).transpose(1, 2)[:, positions].contiguous(), split.targets)


def _pixel_by_pixel(dataset: Dataset, order: str) -> Dataset:
    """Each image as a series of its pixels (Le et al., 1504.00941), in rows or in one fixed random order."""
    channels, height, width = dataset.signature.shape
    num_steps = height * width
    positions = torch.arange(num_steps)
    if order == "permuted":  # the seed of the dilated networks' own demonstration
        positions = torch.from_numpy(np.random.RandomState(PERMUTATION_SEED).permutation(num_steps))

    processor = dataset.processor
    assert isinstance(processor, ImageProcessor)
    return replace(
        dataset,
        signature=Signature("classification", "series", (num_steps, channels), dataset.signature.output_size),
        processor=PixelProcessor(processor, tuple(positions.tolist())),
        train=_as_series(dataset.train, positions),
        validation=_as_series(dataset.validation, positions),
        test=_as_series(dataset.test, positions),
        notes=(*dataset.notes, f"pixel by pixel, {'permuted' if order == 'permuted' else 'in rows'}"),
    )


def _read_pair(folder: Path, prefix: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 1, H, W) and labels (N,) of one official split, uint8."""
    image_file = _find(folder, f"{prefix}-images-idx3-ubyte")
    label_file = _find(folder, f"{prefix}-labels-idx1-ubyte")
    images, labels = read_idx(image_file, 3), read_idx(label_file, 1)
    if len(images) != len(labels):
        rule = f"must hold as many labels as there are images in {image_file.name}: {len(images)}"
        raise UserError("file", str(label_file), f"{rule}; it holds {len(labels)}")
    return images[:, None], labels


def _find(folder: Path, name: str) -> Path:
    """The file of that name, gzipped or not; some archives write a point for the second hyphen."""
    for candidate in (name, name.replace("-idx", ".idx")):
        for path in (folder / candidate, folder / f"{candidate}.gz"):
            if path.is_file():
                return path
    raise UserError("idx", str(folder), f"must hold the file {name} or {name}.gz")
