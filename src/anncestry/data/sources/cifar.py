"""CIFAR-10 and CIFAR-100 as their authors publish them: Python batches or binary records."""

from pathlib import Path

import numpy as np

from anncestry.data.dataset import Dataset, Processor
from anncestry.data.options import DataOptions
from anncestry.data.readers.cifar import read_binary, read_names, read_python
from anncestry.data.readers.files import existing_folder
from anncestry.data.sources.images import official_dataset
from anncestry.errors import UserError

# For each form: training files, test file, names of the classes, and how a file of images is read.
_FORMS = (
    (tuple(f"data_batch_{n}" for n in range(1, 6)), "test_batch", "batches.meta", read_python),
    (("train",), "test", "meta", read_python),
    (
        tuple(f"data_batch_{n}.bin" for n in range(1, 6)),
        "test_batch.bin",
        "batches.meta.txt",
        lambda path: read_binary(path, 1),
    ),
    (("train.bin",), "test.bin", "fine_label_names.txt", lambda path: read_binary(path, 2)),
)


def load_cifar(argument: str, options: DataOptions, seed: int, processor: Processor | None = None) -> Dataset:
    """``cifar:DIR``, the folder that the archive unpacks to. CIFAR-100 has its 100 fine classes."""
    folder = existing_folder(argument)
    form = next((form for form in _FORMS if (folder / form[1]).is_file()), None)
    if form is None:
        rule = "must hold the files of CIFAR: data_batch_1 ... and test_batch, or train and test"
        below = [path for path in folder.iterdir() if path.is_dir() and path.name.startswith("cifar")]
        hint = f"Perhaps {below[0]}?" if below else None
        raise UserError("cifar", str(folder), rule, hint=hint)
    train_files, test_file, names_file, read = form
    missing = [name for name in train_files if not (folder / name).is_file()]
    if missing:
        raise UserError("cifar", str(folder), f"must also hold {', '.join(missing)}")
    batches = [read(folder / name) for name in train_files]
    test_images, test_labels = read(folder / test_file)
    labels = np.concatenate([labels for _, labels in batches])
    return official_dataset(
        (np.concatenate([images for images, _ in batches]), labels),
        (test_images, test_labels),
        _names(folder / names_file, int(max(labels.max(), test_labels.max())) + 1),
        processor,
        seed,
        name=f"cifar:{folder}",
        options=options,
        source=folder,
    )


def _names(path: Path, num_classes: int) -> tuple[str, ...]:
    """The classes by name, or by number where there is no such file."""
    names = read_names(path) if path.is_file() else ()
    if len(names) < num_classes:
        return tuple(str(label) for label in range(num_classes))
    return names
