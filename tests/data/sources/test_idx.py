"""The four files of MNIST: official splits, counts that must agree."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from anncestry.data import Examples, load_data
from anncestry.errors import UserError


def write_idx(path: Path, values: np.ndarray) -> None:
    data = bytes((0, 0, 8, values.ndim)) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


def write_all(folder: Path, suffix: str = "", labels: tuple[int, ...] = (1, 2, 3)) -> None:
    random = np.random.default_rng(0)
    for prefix, count in (("train", 60), ("t10k", 12)):
        write_idx(
            folder / f"{prefix}-images-idx3-ubyte{suffix}",
            random.integers(256, size=(count, 5, 4), dtype=np.uint8),
        )
        write_idx(
            folder / f"{prefix}-labels-idx1-ubyte{suffix}", np.resize(np.array(labels, np.uint8), count)
        )


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_the_official_split_is_kept(tmp_path: Path, suffix: str) -> None:
    write_all(tmp_path, suffix)
    dataset = load_data(f"idx:{tmp_path}")
    assert dataset.signature.shape == (1, 5, 4)
    assert dataset.classes == ("1", "2", "3")
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [54, 6, 12]  # type: ignore
    assert isinstance(dataset.test, Examples)
    assert dataset.test.targets.tolist() == [0, 1, 2] * 4
    _, inputs = dataset.processor.read(tmp_path / f"t10k-images-idx3-ubyte{suffix}")
    assert inputs.allclose(dataset.test.inputs)
    other = load_data(f"idx:{tmp_path}", seed=1)
    assert not other.train.targets.equal(dataset.train.targets)  # pyright: ignore
    assert other.test.targets.equal(dataset.test.targets)  # pyright: ignore


def test_names_with_a_point_are_found(tmp_path: Path) -> None:
    write_all(tmp_path)
    for path in tmp_path.iterdir():
        path.rename(path.with_name(path.name.replace("-idx", ".idx")))
    assert len(load_data(f"idx:{tmp_path}").test) == 12


def test_bad_files_are_refused(tmp_path: Path) -> None:
    def refused(message: str) -> None:
        with pytest.raises(UserError, match=message):
            load_data(f"idx:{tmp_path}")

    refused("idx: got '.*'; must hold the file train-images-idx3-ubyte or train-images-idx3-ubyte.gz")
    write_all(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    refused("must hold the file t10k-labels-idx1-ubyte or")
    write_idx(tmp_path / "t10k-labels-idx1-ubyte", np.zeros(11, np.uint8))
    refused("t10k-labels-idx1-ubyte'; must hold as many labels as there are images in .*: 12; it holds 11")
    write_idx(tmp_path / "t10k-labels-idx1-ubyte", np.full(12, 9, np.uint8))
    refused("test labels: got 9; must occur in the training labels. Choices: 1, 2, 3")
    write_idx(tmp_path / "t10k-images-idx3-ubyte", np.zeros((12, 4, 4), np.uint8))
    refused(r"test images: got \(1, 4, 4\); must have the size of the training images, \(1, 5, 4\)")
    data = (tmp_path / "train-images-idx3-ubyte").read_bytes()
    (tmp_path / "train-images-idx3-ubyte").write_bytes(data[:-7])
    refused("train-images-idx3-ubyte'; is truncated: it declares 1200 values and holds 1193")
    write_all(tmp_path, labels=(4,))
    refused("idx labels: got '4'; a classification needs at least two classes")
