"""MATLAB's files: as SciPy reads them, and no damage ends the process."""

import random
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from anncestry.data.readers.matlab import read_matlab
from anncestry.errors import UserError

KINDS = ("i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8", "i8", "u8", "?")


def write(path: Path, compressed: bool) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(0)
    cell = np.empty((1, len(KINDS)), object)
    for place, kind in enumerate(KINDS):
        cell[0, place] = draw.integers(2, size=(place, 3)).astype(kind)
    arrays = {"cell": cell, "plain": draw.normal(size=(2, 3, 4)), "one": np.array([[7.0]]), "other": "text"}
    savemat(path, arrays, do_compression=compressed)
    return loadmat(path)


@pytest.mark.parametrize("compressed", [False, True])
def test_it_is_what_scipy_reads(tmp_path: Path, compressed: bool) -> None:
    expected = write(tmp_path / "a.mat", compressed)
    found = read_matlab(tmp_path / "a.mat", ("cell", "plain", "one", "missing"))
    assert found.keys() == {"cell", "plain", "one"}
    for name, arrays in found.items():
        wanted = np.ravel(expected[name]) if name == "cell" else [expected[name]]
        assert len(arrays) == len(wanted)
        for array, other in zip(arrays, wanted, strict=True):
            np.testing.assert_array_equal(array, other)


@pytest.mark.parametrize("compressed", [False, True])
def test_whatever_is_damaged_is_said(tmp_path: Path, compressed: bool) -> None:
    path = tmp_path / "a.mat"
    write(path, compressed)
    whole, draw, refused = path.read_bytes(), random.Random(0), 0
    for number in range(300):
        damaged = bytearray(whole)
        if number % 4:
            for _ in range(draw.choice((1, 1, 4))):
                damaged[draw.randrange(len(damaged))] = draw.randrange(256)
        else:
            del damaged[draw.randrange(len(damaged)) :]
        path.write_bytes(bytes(damaged))
        try:
            read_matlab(path, ("cell", "plain"))
        except UserError:
            refused += 1
    assert refused > 80


def test_other_levels_are_named(tmp_path: Path) -> None:
    (tmp_path / "new.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(512) + b"\x89HDF")
    with pytest.raises(UserError, match=r"it is of level 7\.3: save it with -v7"):
        read_matlab(tmp_path / "new.mat", ("x",))
    savemat(tmp_path / "old.mat", {"x": np.ones(3)}, format="4")
    with pytest.raises(UserError, match="must be a whole MATLAB file of level 5"):
        read_matlab(tmp_path / "old.mat", ("x",))
