"""Messages written here field by field, and read back."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anncestry.formats.protobuf import Message, take, varint


def written(number):
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


@given(st.integers(0, 2**64 - 1), st.binary(max_size=3))
def test_a_number_is_read_back(number, rest):
    data = written(number)
    assert varint(data + rest, 0) == (number, len(data))
    assert varint(b"?" + data, 1) == (number, len(data) + 1)
    with pytest.raises(ValueError, match="cut short"):
        varint(data[:-1], 0)


def test_fields_of_every_kind():
    message = Message(
        b"\x08\x96\x01"  # 1: 150, the example of the format's own documentation
        + b"\x11" + struct.pack("<Q", 2**40)  # 2: eight bytes
        + b"\x1d" + struct.pack("<I", 7)  # 3: four bytes
        + b"\x22\x02\x08\x05" + b"\x22\x02\x08\x06"  # 4: two messages
        + b"\x08\x01"  # 1 again
    )  # fmt: skip
    assert [message.number(field) for field in (1, 2, 3, 9)] == [1, 2**40, 7, 0]
    assert [inner.number(1) for inner in message.messages(4)] == [5, 6]
    assert message.message(4).number(1) == 6
    assert message.message(9).number(1) == 0
    assert 4 in message
    assert 9 not in message


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\x08", "a number is cut short"),
        (b"\x08" + b"\xff" * 10, "longer than 64 bits"),
        (b"\x0a\x05ab", "reaches beyond its end"),
        (b"\x0d\x00\x00", "reaches beyond its end"),
        (b"\x0b", "unknown kind 3"),
    ],
)
def test_damage_is_said(data, text):
    with pytest.raises(ValueError, match=text):
        Message(data)


def test_a_field_of_another_kind_is_said():
    with pytest.raises(ValueError, match="field 1 is not a message"):
        Message(b"\x08\x01").message(1)
    with pytest.raises(ValueError, match="field 1 is not a number"):
        Message(b"\x0a\x00").number(1)
    assert take(b"abc", 1, 2) == b"bc"
