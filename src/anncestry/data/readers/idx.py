"""Reading idx files, the format of MNIST: a header of sizes, then unsigned bytes.

Layout (all big-endian): two zero bytes, the type of the values (0x08 is unsigned byte), the number of
dimensions, one 32-bit size per dimension, the values in C order. Y. LeCun, C. Cortes & C. Burges,
"The MNIST database of handwritten digits" (1998).
"""

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from anncestry.errors import UserError
from anncestry.user_files import check_memory

_UNSIGNED_BYTE = 0x08


def is_idx(path: Path) -> bool:
    """Whether a file begins like an idx file of bytes, gzipped or not."""
    try:
        with _open(path) as file:
            start = file.read(4)
    except (OSError, EOFError, zlib.error):
        return False
    return len(start) == 4 and start[:3] == bytes((0, 0, _UNSIGNED_BYTE)) and 1 <= start[3] <= 4


def read_idx(path: Path, num_dimensions: int) -> np.ndarray:
    """The values of an idx file, gzipped or not, as uint8 with ``num_dimensions`` axes.

    No more is read, or unpacked, than the header declares.

    Raises:
        UserError: no idx file of bytes, another number of dimensions, too short, too long, or too large.
    """
    try:
        with _open(path) as file:
            sizes = _read_sizes(file, path, num_dimensions)
            declared = math.prod(sizes)
            check_memory(4 * declared, "file", str(path), "It is read into memory as float32.")
            data = file.read(declared + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError("file", str(path), f"is truncated or damaged ({error})") from None
    if len(data) < declared:
        raise UserError(
            "file", str(path), f"is truncated: it declares {declared} values and holds {len(data)}"
        )
    if len(data) > declared:
        raise UserError("file", str(path), f"must end after the {declared} values it declares; there is more")
    return np.frombuffer(data, dtype=np.uint8).reshape(sizes)


def _open(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def _read_sizes(file: BinaryIO, path: Path, num_dimensions: int) -> tuple[int, ...]:
    start = file.read(4)
    expected = bytes((0, 0, _UNSIGNED_BYTE, num_dimensions))
    if start != expected:
        rule = (
            f"must begin with the idx bytes {expected.hex(' ')}; it begins with {start.hex(' ') or 'nothing'}"
        )
        raise UserError("file", str(path), rule)
    header = file.read(4 * num_dimensions)
    if len(header) < 4 * num_dimensions:
        raise UserError("file", str(path), "is truncated within its header")
    sizes = struct.unpack(f">{num_dimensions}I", header)
    if 0 in sizes:
        raise UserError("file", str(path), f"must hold data; it declares the sizes {sizes}")
    return sizes
