"""Scikit-learn's embedded handwritten digits."""

import gzip
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from anncestry.data.options import DataOptions
from anncestry.data.sources.images import image_dataset
from anncestry.data.splits.dataset import Dataset, Processor
from anncestry.data.splits.holdout import describe_random_split, generator, stratified_split


def load_digits(
    argument: str, options: DataOptions, seed: int, processor: Processor | None = None
) -> Dataset:
    """``digits``: 1,797 images (1, 8, 8) with grey levels 0 to 16, ten classes.

    Source: the test part of E. Alpaydin & C. Kaynak, "Optical recognition of handwritten digits", UCI (1998).
    """
    pixels, labels = _read()
    images = pixels.reshape(-1, 1, 8, 8)
    parts = stratified_split(labels, generator(seed))
    return image_dataset(
        [(images[part], labels[part]) for part in parts],
        tuple(str(digit) for digit in range(10)),
        processor,
        white=16,
        name="digits",
        options=asdict(options),
        notes=(describe_random_split(parts, seed, stratified=True),),
    )


def _read() -> tuple[np.ndarray, np.ndarray]:
    """``sklearn.datasets.load_digits(return_X_y=True)``, from the same file: the package takes a second to
    load."""
    spec = find_spec("sklearn")
    assert spec is not None
    assert spec.origin is not None
    path = Path(spec.origin).parent / "datasets" / "data" / "digits.csv.gz"
    if not path.is_file():  # of a version that has it elsewhere
        from sklearn.datasets import load_digits

        return load_digits(return_X_y=True)  # pyright: ignore[reportReturnType]
    with gzip.open(path, "rt") as file:
        rows = np.loadtxt(file, delimiter=",")
    return rows[:, :-1], rows[:, -1].astype(np.int64)
