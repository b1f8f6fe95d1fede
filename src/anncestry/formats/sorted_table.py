"""Tables of sorted keys, as LevelDB lays them out and TensorFlow writes the index of a checkpoint.

A file is blocks, then a footer of 48 bytes: the places of the meta index and of the index, padding, and
eight bytes that mark the format. A block is followed by its compression (0 none, 1 Snappy) and the masked
CRC-32C of both. In a block every key says how many bytes it shares with the key before; the last numbers are
where keys stand in full, which whoever reads all does not need. The index's values are the places of the
blocks.

Damage raises a plain ``ValueError``; whoever knows the file's name adds it.
"""

from collections.abc import Iterator
from typing import BinaryIO

from anncestry.formats.crc32c import crc32c, mask
from anncestry.formats.protobuf import take, varint

_MARK = (0xDB4775248B80FB57).to_bytes(8, "little")
_FOOTER_BYTES = 48
_TRAILER_BYTES = 5
_MAX_KEY_BYTES = 4096  # shared beginnings could make every key as long as the file
_MAX_GROWTH = 22  # of a Snappy block: three bytes copy at most 64


def read_table(file: BinaryIO, size: int) -> dict[bytes, bytes]:
    """Every key and value of a table of ``size`` bytes.

    Raises:
        ValueError: it is cut short, damaged or another kind of file.
    """
    if size < _FOOTER_BYTES:
        raise ValueError("it is too short")
    file.seek(size - _FOOTER_BYTES)
    footer = file.read(_FOOTER_BYTES)
    if footer[-8:] != _MARK:
        raise ValueError("its last eight bytes are not those of a table: cut short, or another kind of file")
    index, at = b"", 0
    for _ in ("meta index", "index"):  # nothing is wanted of the first but that it is whole
        offset, at = varint(footer, at)
        length, at = varint(footer, at)
        index = _block(file, offset, length, size)
    table: dict[bytes, bytes] = {}
    last, end = None, 0
    for _, place in _entries(index):
        offset, at = varint(place, 0)
        length, _ = varint(place, at)
        if offset < end:  # no block is read twice, so the table is not larger than its blocks
            raise ValueError("its blocks are not in order")
        end = offset + length + _TRAILER_BYTES
        for key, value in _entries(_block(file, offset, length, size)):
            if last is not None and key <= last:
                raise ValueError("its keys are not in order")
            table[key] = value
            last = key
    return table


def unsnap(data: bytes) -> bytes:
    """Decompress a Snappy block: its length, then literal bytes and copies of what was written before.

    Raises:
        ValueError: it is damaged, or claims more than such a block can hold.
    """
    total, at = varint(data, 0)
    if total > _MAX_GROWTH * len(data):
        raise ValueError("a compressed block claims more than it can hold")
    out = bytearray()
    while at < len(data):
        tag, at = data[at], at + 1
        kind, length = tag & 3, (tag >> 2) + 1
        if kind == 0:
            if length > 60:  # 61 to 64: the length less one stands in the next 1 to 4 bytes
                count = length - 60
                length, at = int.from_bytes(take(data, at, count), "little") + 1, at + count
            out += take(data, at, length)
            at += length
        else:
            count = (1, 2, 4)[kind - 1]
            offset, at = int.from_bytes(take(data, at, count), "little"), at + count
            if kind == 1:
                length, offset = ((tag >> 2) & 7) + 4, offset | (tag >> 5) << 8
            if not 0 < offset <= len(out):
                raise ValueError("a compressed block copies from before its beginning")
            stretch = bytes(out[-offset:][:length])  # repeats where it is shorter than what is asked for
            out += (stretch * (length // len(stretch) + 1))[:length]
        if len(out) > total:
            break
    if len(out) != total:
        raise ValueError("a compressed block does not have the length it claims")
    return bytes(out)


def _block(file: BinaryIO, offset: int, length: int, size: int) -> bytes:
    """The contents of one block, checked and decompressed."""
    if offset + length + _TRAILER_BYTES > size - _FOOTER_BYTES:
        raise ValueError("a block reaches beyond its end")
    file.seek(offset)
    stored = file.read(length + _TRAILER_BYTES)
    contents, compression = stored[:length], stored[length]
    if mask(crc32c(stored[: length + 1])) != int.from_bytes(stored[length + 1 :], "little"):
        raise ValueError(f"the block at byte {offset} does not match its checksum")
    if compression > 1:
        raise ValueError(f"the block at byte {offset} is compressed in an unknown way ({compression})")
    return unsnap(contents) if compression else contents


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The keys and values of a block, in order."""
    restarts = int.from_bytes(block[-4:], "little")
    end = len(block) - 4 * (restarts + 1)
    if len(block) < 4 or end < 0:
        raise ValueError("a block is too short")
    at, key, block = 0, b"", block[:end]
    while at < end:
        shared, at = varint(block, at)
        own, at = varint(block, at)
        length, at = varint(block, at)
        if shared > len(key) or shared + own > _MAX_KEY_BYTES:
            raise ValueError("a key is too long")
        key = key[:shared] + take(block, at, own)
        yield key, take(block, at + own, length)
        at += own + length
