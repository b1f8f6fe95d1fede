"""CIFAR-10 and CIFAR-100 as their authors publish them: Python batches or binary records."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from anncestry.data.options import DataOptions
from anncestry.data.processors.common import expect
from anncestry.data.processors.image import ImageProcessor
from anncestry.data.readers.cifar import read_binary, read_names, read_python
from anncestry.data.sources.images import encode_images, official_dataset
from anncestry.data.splits.dataset import Dataset, Processor, Whole
from anncestry.errors import UserError
from anncestry.user_files import existing_folder, list_folder


class Form(NamedTuple):
    """A form in which the files are published.

    Attributes:
        train: the training files.
        test: the test file.
        names: the file with the names of the classes.
        num_classes: of CIFAR-10 or CIFAR-100.
        read: how a file of images is read: ``(path, num_classes) -> (images, labels)``.
    """

    train: tuple[str, ...]
    test: str
    names: str
    num_classes: int
    read: Callable[[Path, int], tuple[np.ndarray, np.ndarray]]


_FORMS = (
    Form(tuple(f"data_batch_{n}" for n in range(1, 6)), "test_batch", "batches.meta", 10, read_python),
    Form(("train",), "test", "meta", 100, read_python),
    Form(
        tuple(f"data_batch_{n}.bin" for n in range(1, 6)),
        "test_batch.bin",
        "batches.meta.txt",
        10,
        lambda path, num_classes: read_binary(path, 1, num_classes),
    ),
    Form(
        ("train.bin",),
        "test.bin",
        "fine_label_names.txt",
        100,
        lambda path, num_classes: read_binary(path, 2, num_classes),
    ),
)


def load_cifar(argument: str, options: DataOptions, seed: int, processor: Processor | None = None) -> Dataset:
    """``cifar:DIR``, the folder that the archive unpacks to. CIFAR-100 has its 100 fine classes."""
    folder = existing_folder(argument)
    form = _form_of(folder, lambda form: (folder / form.test).is_file())
    missing = [name for name in form.train if not (folder / name).is_file()]
    if missing:
        raise UserError("cifar", str(folder), f"must also hold {', '.join(missing)}")
    batches = [form.read(folder / name, form.num_classes) for name in form.train]
    test_images, test_labels = form.read(folder / form.test, form.num_classes)
    labels = np.concatenate([labels for _, labels in batches])
    names, notes = _names(folder / form.names, int(max(labels.max(), test_labels.max())) + 1)
    return official_dataset(
        (np.concatenate([images for images, _ in batches]), labels),
        (test_images, test_labels),
        names,
        processor,
        seed,
        name=f"cifar:{folder}",
        options=options,
        source=folder,
        notes=notes,
    )


def read_cifar(argument: str, options: DataOptions, processor: Processor) -> Whole:
    """All images of ``cifar:DIR``, of the files that are there."""
    folder = existing_folder(argument)
    reader = expect(processor, ImageProcessor, f"cifar:{folder}")
    form = _form_of(folder, lambda form: any((folder / name).is_file() for name in (*form.train, form.test)))
    made, notes = [], []
    for name in (*form.train, form.test):
        if (folder / name).is_file():
            images, labels = form.read(folder / name, form.num_classes)
            names, notes = _names(folder / form.names, int(labels.max()) + 1)
            made.append(encode_images(images, labels, names, reader))
    return Whole(tuple(made), tuple(notes))


def _form_of(folder: Path, fits: Callable[[Form], bool]) -> Form:
    form = next(filter(fits, _FORMS), None)
    if form is None:
        rule = "must hold the files of CIFAR: data_batch_1 ... and test_batch, or train and test"
        below = [path for path in list_folder(folder) if path.is_dir() and path.name.startswith("cifar")]
        hint = f"Perhaps {below[0]}?" if below else None
        raise UserError("cifar", str(folder), rule, hint=hint)
    return form


def _names(path: Path, num_classes: int) -> tuple[tuple[str, ...], list[str]]:
    """The classes by name, or by number where there is no such file, with a note if it names too few."""
    names = read_names(path) if path.is_file() else ()
    if len(names) >= num_classes:
        return names, []
    numbers = tuple(str(label) for label in range(num_classes))
    note = f"{path.name} names {len(names)} of {num_classes} classes; they are called by their numbers"
    return numbers, [note] if path.is_file() else []
