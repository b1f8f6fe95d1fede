"""Tables and Snappy blocks, written here and read back."""

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anncestry.formats.crc32c import crc32c, mask
from anncestry.formats.sorted_table import read_table, unsnap

MARK = struct.pack("<Q", 0xDB4775248B80FB57)


def varint(number):
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + varint(number >> 7)


def snapped(data):
    """A greedy compressor: at every place the longest copy of what came before, in the shortest form."""
    out, at, plain = varint(len(data)), 0, b""
    while at < len(data) or plain:
        best, offset = 0, 0
        for start in range(at):
            length = 0
            while length < 64 and at + length < len(data) and data[start + length] == data[at + length]:
                length += 1
            if length > best:
                best, offset = length, at - start
        if plain and (best >= 4 or at == len(data)):
            short = len(plain) <= 60
            out += bytes([(len(plain) - 1) << 2]) if short else b"\xf4" + struct.pack("<H", len(plain) - 1)
            out += plain
            plain = b""
        if best < 4:
            plain, at = plain + data[at : at + 1], at + 1
            continue
        if best <= 11 and offset < 2048:
            out += bytes([1 | (best - 4) << 2 | offset >> 8 << 5, offset & 255])
        elif offset % 2:
            out += bytes([2 | (best - 1) << 2]) + struct.pack("<H", offset)
        else:
            out += bytes([3 | (best - 1) << 2]) + struct.pack("<I", offset)
        at += best
    return out


def block(entries, compress=False):
    """Keys in full at every third entry."""
    out, restarts, last = b"", [], b""
    for index, (key, value) in enumerate(entries):
        shared = 0
        if index % 3 == 0:
            restarts.append(len(out))
        else:
            while shared < min(len(key), len(last)) and key[shared] == last[shared]:
                shared += 1
        own = key[shared:]
        out += varint(shared) + varint(len(own)) + varint(len(value)) + own + value
        last = key
    restarts = restarts or [0]
    out += struct.pack(f"<{len(restarts) + 1}I", *restarts, len(restarts))
    out = snapped(out) + b"\1" if compress else out + b"\0"
    return out + struct.pack("<I", mask(crc32c(out)))


def assembled(blocks, keys):
    """Blocks under the given keys of the index, an empty meta index, the index and the footer."""
    out, index = b"", []
    for stored, key in zip(blocks, keys, strict=True):
        index.append((key, varint(len(out)) + varint(len(stored) - 5)))
        out += stored
    return finished(out, index)


def finished(out, index):
    places = b""
    for stored in (block([]), block(index)):
        places += varint(len(out)) + varint(len(stored) - 5)
        out += stored
    return out + places.ljust(40, b"\0") + MARK


def table(entries, per_block=4, compress=False):
    lines = sorted(entries.items())
    parts = [lines[start : start + per_block] for start in range(0, len(lines), per_block)]
    return assembled([block(part, compress) for part in parts], [part[-1][0] + b"\xff" for part in parts])


def read(data):
    return read_table(io.BytesIO(data), len(data))


ENTRIES = {b"": b"header"} | {f"layer_{i}/kernel".encode(): bytes([i]) * i for i in range(30)}


@given(
    st.dictionaries(st.binary(max_size=20), st.binary(max_size=200), max_size=20),
    st.integers(1, 6),
    st.booleans(),
)
def test_what_is_written_is_read(entries, per_block, compress):
    assert read(table(entries, per_block, compress)) == entries


def test_compression_is_really_there():
    assert len(table(ENTRIES, 31, True)) < len(table(ENTRIES, 31))


@pytest.mark.parametrize("compress", [False, True])
def test_every_flipped_byte_and_every_cut_is_found(compress):
    data = table(dict(list(ENTRIES.items())[:6]), 3, compress)
    places = data.index(MARK) - 40
    for at in range(len(data)):
        if places + 4 <= at < len(data) - 8:  # the places take some bytes; padding follows them
            continue
        flipped = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        with pytest.raises(ValueError):
            read(flipped)
        with pytest.raises(ValueError, match=r"too short|last eight bytes"):
            read(data[:at])


def test_other_damage_is_said():
    unknown = block([(b"a", b"")])[:-5] + b"\2"
    unknown += struct.pack("<I", mask(crc32c(unknown)))
    with pytest.raises(ValueError, match=r"compressed in an unknown way \(2\)"):
        read(assembled([unknown], [b"b"]))
    once = block([(b"a", b"")])
    place = varint(0) + varint(len(once) - 5)
    with pytest.raises(ValueError, match="blocks are not in order"):
        read(finished(once, [(b"a", place), (b"b", place)]))
    with pytest.raises(ValueError, match="a block reaches beyond its end"):
        read(finished(once, [(b"a", varint(0) + varint(2**40))]))
    with pytest.raises(ValueError, match="keys are not in order"):
        read(assembled([block([(b"a", b""), (b"a", b"")])], [b"b"]))
    with pytest.raises(ValueError, match="a key is too long"):
        read(table({b"k" * 5000: b""}))


@given(st.lists(st.sampled_from([b"abcd", b"kernel/", b"\0", b"0123456789" * 12]), max_size=25).map(b"".join))
def test_snappy_is_undone(data):
    assert unsnap(snapped(data)) == data


def test_snappy_by_hand():
    assert unsnap(b"\x0a\x04ab" + bytes([1 | 4 << 2, 2])) == b"ababababab"  # copies what it writes
    assert unsnap(b"\x00") == b""
    assert unsnap(b"\xc8\x01\xf0\x63" + b"x" * 100 + b"\xfe\x64\0" + b"\x8e\x64\0") == b"x" * 200


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\xff\xff\xff\x7f\x00a", "claims more than it can hold"),
        (b"\x02\x00a", "does not have the length it claims"),
        (b"\x01\x04ab", "does not have the length it claims"),
        (b"\x05\x00a" + bytes([1, 2]), "copies from before its beginning"),
        (b"\x05\x00a" + bytes([1, 0]), "copies from before its beginning"),
        (b"\x05\x10a", "reaches beyond its end"),
        (b"\x05\xf0", "reaches beyond its end"),
        (b"\x05\x00a\x02\x01", "reaches beyond its end"),
        (b"", "a number is cut short"),
    ],
)
def test_a_damaged_snappy_block_is_said(data, text):
    with pytest.raises(ValueError, match=text):
        unsnap(data)
