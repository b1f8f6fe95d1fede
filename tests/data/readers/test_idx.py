"""idx files: what is declared is what is read."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from anncestry import user_files as files
from anncestry.data.readers.idx import is_idx, read_idx
from anncestry.errors import UserError

IMAGES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


def idx_bytes(values: np.ndarray) -> bytes:
    return bytes((0, 0, 8, values.ndim)) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


@pytest.mark.parametrize("name", ["x-idx3-ubyte", "x-idx3-ubyte.gz"])
def test_images_are_read(tmp_path: Path, name: str) -> None:
    data = idx_bytes(IMAGES)
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    assert (read_idx(tmp_path / name, 3) == IMAGES).all()
    assert is_idx(tmp_path / name)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (idx_bytes(IMAGES)[:-1], "is truncated: it declares 24 values and holds 23"),
        (idx_bytes(IMAGES) + b"x", "must end after the 24 values it declares; there is more"),
        (idx_bytes(IMAGES)[:10], "is truncated within its header"),
        (idx_bytes(IMAGES[0]), "must begin with the idx bytes 00 00 08 03; it begins with 00 00 08 02"),
        (b"\0\0\x0d\3" + idx_bytes(IMAGES)[4:], "it begins with 00 00 0d 03"),
        (b"PK\3\4zip", "it begins with 50 4b 03 04"),
        (b"", "it begins with nothing"),
        (
            b"\0\0\x08\3" + struct.pack(">3I", 0, 28, 28),
            r"must hold data; it declares the sizes \(0, 28, 28\)",
        ),
        (
            b"\0\0\x08\3" + struct.pack(">3I", 2**31, 28, 28),
            "needs about 6272.0 GB of memory; the limit is 8 GB",
        ),
    ],
)
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_bad_files_are_refused_by_name(tmp_path: Path, data: bytes, message: str, suffix: str) -> None:
    path = tmp_path / f"train-images-idx3-ubyte{suffix}"
    path.write_bytes(gzip.compress(data) if suffix else data)
    with pytest.raises(UserError, match=f"{path.name}'; .*{message}"):
        read_idx(path, 3)


@pytest.mark.parametrize("cut", [5, 30])
def test_a_damaged_gzip_file_is_refused_by_name(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(idx_bytes(np.zeros((9, 28, 28), np.uint8)))[:cut])
    with pytest.raises(UserError, match=r"images.gz'; is truncated or damaged"):
        read_idx(path, 3)
    path.write_bytes(b"this is no gzip file")
    with pytest.raises(UserError, match=r"images.gz'; is truncated or damaged"):
        read_idx(path, 3)
    assert not is_idx(path)


def test_no_more_is_unpacked_than_declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(idx_bytes(IMAGES) + bytes(50 * 2**20)))
    read = []
    plain = gzip.GzipFile.read
    monkeypatch.setattr(gzip.GzipFile, "read", lambda self, size=-1: read.append(size) or plain(self, size))
    with pytest.raises(UserError, match="there is more"):
        read_idx(path, 3)
    assert max(read) == 25
    monkeypatch.setattr(files, "MAX_BYTES", 90)
    with pytest.raises(UserError, match="the limit is 0 GB"):
        read_idx(path, 3)
