"""Arrays of numbers, and cells of them, in MATLAB's files of level 5 (MathWorks, "MAT-File Format").

A file is a header of 128 bytes and elements: a tag (type and size) and the data, filled up to 8 bytes. A
matrix is an element of elements: flags, sizes, a name, and numbers in Fortran's order, or, in a cell, others.
Every size is checked against what is there. (SciPy's reader ends the process on some damaged files.)
"""

import math
import struct
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np

from anncestry.errors import UserError
from anncestry.user_files import check_memory

_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_MATRIX, _COMPRESSED = 14, 15
_CELL, _NUMERIC, _COMPLEX = 1, range(6, 16), 0x800  # classes of matrices; and a flag
_OTHERS = {2: "a struct", 3: "an object", 4: "text", 5: "a sparse matrix"}
_HDF5 = b"\x89HDF"
MAX_INSIDE = 2**30
"""The most that one compressed element may unpack to."""

Cell = list[np.ndarray]


class _Damaged(Exception):
    """What is wrong with a file."""


def read_matlab(path: Path, wanted: Collection[str]) -> dict[str, Cell]:
    """The wanted variables that a file has: the arrays of a cell, or the one array of a matrix of numbers.

    Raises:
        UserError: it is no such file, or is damaged; a wanted variable is something else.
    """
    try:
        check_memory(4 * path.stat().st_size, "file", str(path), "It is read into memory.")
        data = path.read_bytes()
    except OSError as error:
        raise UserError("file", str(path), f"cannot be read ({error.strerror})") from None
    try:
        return _variables(data, wanted)
    except (_Damaged, zlib.error, struct.error) as error:
        raise UserError("file", str(path), f"must be a whole MATLAB file of level 5: {error}") from None


def _variables(data: bytes, wanted: Collection[str]) -> dict[str, Cell]:
    order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    if order is None:
        newer = data.startswith(_HDF5) or b"MATLAB 7.3" in data[:128]
        raise _Damaged("it is of level 7.3: save it with -v7" if newer else "its header is another")
    found: dict[str, Cell] = {}
    for kind, inside in _elements(data, order, 128):
        if kind == _COMPRESSED:
            inside = _unpacked(inside)
            ((kind, inside),) = _some(inside, order, 1)
        if kind != _MATRIX:
            continue
        (flags, sizes, name), rest = _described(inside, order)
        if name in wanted:
            found[name] = _cell(flags, sizes, name, rest, order)
    return found


def _unpacked(data: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    found = unpacker.decompress(data, MAX_INSIDE)
    if not unpacker.eof:
        raise _Damaged("what is compressed in it is cut, or too large")
    return found


def _elements(data: bytes, order: str, at: int = 0) -> Iterator[tuple[int, bytes]]:
    """``(type, data)`` of every element from a position on."""
    while at < len(data):
        (tag,) = struct.unpack_from(f"{order}I", data, at)
        size, kind = tag >> 16, tag & 0xFFFF
        if size:  # a small element: tag and data in 8 bytes
            start, step = at + 4, 8
        else:
            (size,) = struct.unpack_from(f"{order}I", data, at + 4)
            start = at + 8
            step = 8 + (size if kind == _COMPRESSED else -(-size // 8) * 8)
        if start + size > len(data) or (step == 8 and size > 4):
            raise _Damaged("an element of it is longer than what is there")
        yield kind, data[start : start + size]
        at += step


def _some(data: bytes, order: str, count: int) -> list[tuple[int, bytes]]:
    """The first elements."""
    found = [element for element, _ in zip(_elements(data, order), range(count), strict=False)]
    if len(found) < count:
        raise _Damaged("a matrix of it lacks its parts")
    return found


def _described(data: bytes, order: str) -> tuple[tuple[int, tuple[int, ...], str], list[tuple[int, bytes]]]:
    """Flags, sizes and name of a matrix, and its other elements."""
    flags, sizes, name, *rest = [*_some(data, order, 3), *list(_elements(data, order))[3:]]
    if len(flags[1]) < 4 or len(sizes[1]) < 8 or len(sizes[1]) % 4:
        raise _Damaged("a matrix of it has no sizes")
    dimensions = struct.unpack(f"{order}{len(sizes[1]) // 4}i", sizes[1])
    if min(dimensions) < 0:
        raise _Damaged("a matrix of it has a size below 0")
    return (struct.unpack_from(f"{order}I", flags[1])[0], dimensions, name[1].decode("latin-1")), rest


def _cell(flags: int, sizes: tuple[int, ...], name: str, rest: list[tuple[int, bytes]], order: str) -> Cell:
    if flags & 0xFF != _CELL:
        return [_numbers(flags, sizes, name, rest, order)]
    if len(rest) != math.prod(sizes) or any(kind != _MATRIX for kind, _ in rest):
        raise _Damaged(f"the cell {name} does not hold as many matrices as it says")
    arrays = []
    for _, inside in rest:
        (flags, sizes, _), below = _described(inside, order)
        arrays.append(_numbers(flags, sizes, name, below, order))
    return arrays


def _numbers(
    flags: int, sizes: tuple[int, ...], name: str, rest: list[tuple[int, bytes]], order: str
) -> np.ndarray:
    kind = flags & 0xFF
    if kind not in _NUMERIC or flags & _COMPLEX:
        what = "complex numbers" if kind in _NUMERIC else _OTHERS.get(kind, "a cell in a cell")
        raise _Damaged(f"{name} holds {what}, and must hold real numbers")
    if len(rest) != 1 or rest[0][0] not in _NUMBERS:
        raise _Damaged(f"{name} has a matrix without numbers")
    numbers = np.dtype(order + _NUMBERS[rest[0][0]])
    if len(rest[0][1]) != math.prod(sizes) * numbers.itemsize:
        raise _Damaged(f"{name} has a matrix that does not hold as many numbers as it says")
    return np.frombuffer(rest[0][1], numbers).reshape(sizes, order="F")
