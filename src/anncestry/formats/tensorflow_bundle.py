"""TensorFlow's checkpoints (the "bundle", also called V2), read without TensorFlow.

``PREFIX.index`` is a sorted table (`anncestry.formats.sorted_table`) from names to messages in the wire
format of protocol buffers. Under the empty name stands the header (1 number of shards, 2 whether big-endian,
3 version: 2 what a reader must know), under every other an entry:

=  ==========================================================================================
1  the number of its dtype
2  its shape: 2, repeated: a dimension, whose 1 is the size; 3 whether the rank is unknown
3  its shard; 4 the offset in it; 5 the size in bytes; 6 the masked CRC-32C of the bytes
7  repeated, of a partitioned variable: a part: 1, for each dimension: 1 its start, 2 its length
=  ==========================================================================================

The bytes lie in ``PREFIX.data-00000-of-00001`` and so on, row-major. The parts of a partitioned variable have
entries of their own, whose keys begin with a zero byte and spell the name and the part (`_key_of_part`).
"""

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from math import prod
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from anncestry.errors import UserError, nearest, require
from anncestry.formats.crc32c import crc32c, mask
from anncestry.formats.protobuf import Message
from anncestry.formats.sorted_table import read_table

_DTYPES = ("none", "float32", "float64", "int32", "uint8", "int16", "int8", "string", "complex64", "int64")
_DTYPES += ("bool", "qint8", "quint8", "qint32", "bfloat16", "qint16", "quint16", "uint16", "complex128")
_DTYPES += ("float16", "resource", "variant", "uint32", "uint64")  # in the order of their numbers
_READ = ("float32", "float64", "float16", "bfloat16", "complex64", "complex128", "bool")
_READ += ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
_SUFFIX = re.compile(r"\.(index|meta|data-[0-9]{5}-of-[0-9]{5})$")
_VERSION = 1  # of the format
_MAX_RANK, _MAX_ITEMS = 32, 1 << 48  # beyond what NumPy describes, even where a dimension is 0

Part = tuple[tuple[int, int], ...]  # (start, length) for each dimension; length -1: all of it


class Stored(NamedTuple):
    """What the index says of a tensor; ``dtype`` is the name of what is stored."""

    shape: tuple[int, ...]
    dtype: str


class _Entry(NamedTuple):
    stored: Stored
    shard: int
    offset: int
    size: int
    checksum: int
    parts: tuple[Part, ...]


class Bundle:
    """A checkpoint whose index has been read, and of whose tensors none has been.

    Attributes:
        index: its file.
        listed: shape and dtype of every tensor by name, those of strings too.
    """

    def __init__(
        self, index: Path, num_shards: int, tensors: dict[str, _Entry], parts: dict[bytes, _Entry]
    ) -> None:
        self.index, self._num_shards = index, num_shards
        self._tensors, self._parts = tensors, parts
        self.listed: Mapping[str, Stored] = {name: entry.stored for name, entry in tensors.items()}

    def read(self, names: Iterable[str] | Callable[[str], bool] | None = None) -> dict[str, np.ndarray]:
        """Read tensors. bfloat16 becomes float32; the parts of a partitioned variable are joined.

        Args:
            names: those to read, or a function that says which; default: all. Strings only count where they
                are named, and then are refused.

        Raises:
            UserError: a name is not there, its dtype is not read here, or a file of data is missing, cut
                short, or does not match its checksums.
        """
        if names is None or callable(names):
            chosen = [name for name in self._tensors if names is None or names(name)]
            wanted = [name for name in chosen if self.listed[name].dtype != "string"]
        else:
            wanted = [names] if isinstance(names, str) else list(names)
        for name in wanted:
            if name not in self.listed:
                rule = f"there is no such tensor in {self.index}"
                raise UserError("names", name, rule, nearest(name, list(self.listed)))
            dtype = self.listed[name].dtype
            require(dtype in _READ, f"dtype of {name}", dtype, "is not read here", _READ)
        with ExitStack() as opened:
            shards = _Shards(self.index, self._num_shards, opened)
            return {name: self._read(name, self._tensors[name], shards) for name in wanted}

    def _read(self, name: str, entry: _Entry, shards: "_Shards") -> np.ndarray:
        if entry.parts:
            return self._join(name, entry, shards)
        shape, stored = entry.stored
        dtype = np.dtype("uint16" if stored == "bfloat16" else stored).newbyteorder("<")
        needed = prod(shape) * dtype.itemsize
        rule = f"is damaged: {name} has {entry.size} bytes, but {stored} of shape {shape} is {needed}"
        require(entry.size == needed, "file", str(self.index), rule)
        values = shards.octets(name, entry).view(dtype).reshape(shape)
        if stored == "bfloat16":
            return (values.astype(np.uint32) << 16).view(np.float32)
        return values != 0 if stored == "bool" else values.astype(dtype.newbyteorder("="), copy=False)

    def _join(self, name: str, entry: _Entry, shards: "_Shards") -> np.ndarray:
        """The parts of a variable in one array, which they must fill without overlap."""
        shape, index = entry.stored.shape, str(self.index)
        parts: dict[bytes, tuple[tuple[slice, ...], _Entry]] = {}
        for spans in entry.parts:
            part = self._parts.get(_key_of_part(name, spans))
            if part is None:
                raise UserError("file", index, f"is damaged: part {spans} of {name} is missing")
            full = [(0, dim) if span[1] < 0 else span for span, dim in zip(spans, shape, strict=False)]
            described = Stored(tuple(length for _, length in full), entry.stored.dtype)
            fits = len(spans) == len(shape) and all(sum(s) <= dim for s, dim in zip(full, shape, strict=True))
            rule = f"is damaged: part {spans} of {name} does not fit {entry.stored}"
            require(fits and part.stored == described and not part.parts, "file", index, rule)
            where = tuple(slice(start, start + size) for start, size in full)
            parts[_key_of_part(name, spans)] = where, part
        rule = f"is damaged: the parts of {name} do not fill its shape {shape} once"
        filled = sum(prod(part.stored.shape) for _, part in parts.values())
        require(filled == prod(shape), "file", index, rule)
        arrays = [(where, self._read(name, part, shards)) for where, part in parts.values()]
        joined, seen = np.empty(shape, arrays[0][1].dtype), np.zeros(shape, bool)
        for where, array in arrays:
            require(not seen[where].any(), "file", index, rule)
            joined[where], seen[where] = array, True
        return joined


class _Shards:
    """The files of data, each opened once, when the first of its tensors is read."""

    def __init__(self, index: Path, count: int, opened: ExitStack) -> None:
        self._index, self._count, self._opened = index, count, opened
        self._files: dict[int, tuple[Path, BinaryIO, int]] = {}

    def octets(self, name: str, entry: _Entry) -> np.ndarray:
        """(N,) uint8: the bytes of a tensor."""
        try:
            file, stream, size = self._file(entry.shard)
            rule = f"is cut short: {name} ends at byte {entry.offset + entry.size}"
            require(entry.offset + entry.size <= size, "file", str(file), rule)
            octets = np.empty(entry.size, np.uint8)
            stream.seek(entry.offset)
            require(stream.readinto(octets.data) == entry.size, "file", str(file), rule)  # type: ignore[attr-defined]
        except OSError as error:
            file = self._path(entry.shard)
            raise UserError("file", str(file), f"cannot be read: {error.strerror}") from error
        rule = f"is damaged: {name} does not match its checksum"
        require(mask(crc32c(octets)) == entry.checksum, "file", str(file), rule)
        return octets

    def _path(self, number: int) -> Path:
        return self._index.with_name(f"{self._index.stem}.data-{number:05d}-of-{self._count:05d}")

    def _file(self, number: int) -> tuple[Path, BinaryIO, int]:
        if number not in self._files:
            file = self._path(number)
            size = _file_size(file)
            stream = self._opened.enter_context(open(file, "rb"))  # noqa: SIM115 (closed by the stack)
            self._files[number] = file, stream, size
        return self._files[number]


def open_bundle(path: str | Path) -> Bundle:
    """A checkpoint: its index is read, once.

    Args:
        path: the prefix, one of its files, or a folder with the file ``checkpoint``, which names the prefix.

    Raises:
        UserError: there is no such checkpoint; or its index is damaged, or of a big-endian machine.
    """
    path = Path(path)
    if path.is_dir():
        path = _latest(path)
    index = path.with_name(_SUFFIX.sub("", path.name) + ".index")
    size = _file_size(index)
    try:
        with open(index, "rb") as file:
            table = read_table(file, size)
        if b"" not in table:
            raise ValueError("it has no header")
        header = Message(table.pop(b""))
        version = header.message(3).number(2)
        parts = {key: _entry(value) for key, value in table.items() if key.startswith(b"\0")}
        tensors = {key.decode(): _entry(value) for key, value in table.items() if key not in parts}
        _check_places([*tensors.values(), *parts.values()], header.number(1))
    except (ValueError, OSError) as error:
        rule = f"is not the index of a TensorFlow checkpoint, or damaged ({error})"
        raise UserError("file", str(index), rule) from error
    require(header.number(2) == 0, "file", str(index), "is of a big-endian machine; must be little-endian")
    require(version <= _VERSION, "file", str(index), f"has version {version}; must be at most {_VERSION}")
    return Bundle(index, header.number(1), tensors, parts)


def _latest(folder: Path) -> Path:
    """The prefix that ``checkpoint`` names. Its folder may be another machine's: only the name counts."""
    file = folder / "checkpoint"
    require(file.is_file(), "file", str(folder), "is a folder without a file checkpoint; name the prefix")
    text = file.read_text("utf-8", "replace")
    found = re.search(r'^model_checkpoint_path: *"([^"\n]*[/\\])?([^"\n/\\]+)"', text, re.MULTILINE)
    if found is None:
        raise UserError("file", str(file), 'must have a line model_checkpoint_path: "..."')
    return folder / found[2]


def _file_size(path: Path) -> int:
    try:
        there = path.is_file()
    except OSError:  # no name that a file could have
        there = False
    require(there, "file", str(path), "cannot be read: there is no such file")
    return path.stat().st_size


def _entry(data: bytes) -> _Entry:
    message = Message(data)
    shape = message.message(2)
    dims = tuple(dim.number(1) for dim in shape.messages(2))
    if len(dims) > _MAX_RANK or shape.number(3) or prod(max(dim, 1) for dim in dims) > _MAX_ITEMS:
        raise ValueError(f"a tensor has the impossible shape {dims}")
    parts = tuple(
        tuple((span.number(1), span.number(2) if 2 in span else -1) for span in part.messages(1))
        for part in message.messages(7)
    )
    number = message.number(1)
    stored = Stored(dims, _DTYPES[number] if number < len(_DTYPES) else f"number {number}")
    shard, offset, size, checksum = (message.number(field) for field in (3, 4, 5, 6))
    return _Entry(stored, shard, offset, size, checksum, parts)


def _check_places(entries: list[_Entry], num_shards: int) -> None:
    """No two tensors share bytes, or a small file could ask for any amount of memory."""
    last, end = 0, 0
    for entry in sorted((entry for entry in entries if not entry.parts), key=lambda e: (e.shard, e.offset)):
        if entry.shard >= num_shards:
            raise ValueError(f"a tensor lies in shard {entry.shard} of {num_shards}")
        if entry.shard == last and entry.offset < end:
            raise ValueError("two tensors overlap")
        last, end = entry.shard, entry.offset + entry.size


def _key_of_part(name: str, spans: Part) -> bytes:
    """0, the name, the rank, start and length of each dimension, written so that bytes sort as numbers."""
    rank = bytes([1, len(spans)]) if spans else b"\0"
    numbers = b"".join(_sortable(number) for span in spans for number in span)
    return b"\0" + name.encode().replace(b"\0", b"\0\xff") + b"\0\1" + rank + numbers


def _sortable(number: int) -> bytes:
    """As many ones as bytes, a zero, the number, highest bit first; of a negative number all bits flipped."""
    if number < 0:
        return bytes(255 - octet for octet in _sortable(~number))
    count = number.bit_length() // 7 + 1
    return (((1 << count) - 1) << (7 * count) | number).to_bytes(count, "big")
