"""The wire format of protocol buffers, as far as a reader of whole messages needs it.

A message is fields, each a tag (eight times its number, plus its kind) and a value: a number in groups of
seven bits, four or eight bytes, or a length and that many bytes, which are text or a message again.

Damage raises a plain ``ValueError``; whoever knows the file's name adds it.
"""

import struct


def varint(data: bytes, at: int) -> tuple[int, int]:
    """An unsigned number in groups of seven bits, the lowest first, and where it ends."""
    number = 0
    for shift in range(0, 64, 7):
        if at >= len(data):
            raise ValueError("a number is cut short")
        number |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return number, at
    raise ValueError("a number is longer than 64 bits")


def take(data: bytes, at: int, count: int) -> bytes:
    """``count`` bytes; a slice would give fewer without a word."""
    if at + count > len(data):
        raise ValueError("a field reaches beyond its end")
    return data[at : at + count]


def packed_number(field: int, number: int) -> bytes:
    """A field that is an unsigned number, as a message holds it."""
    return _groups(field << 3) + _groups(number)


def packed_octets(field: int, octets: bytes) -> bytes:
    """A field that is a text, or a message again."""
    return _groups(field << 3 | 2) + _groups(len(octets)) + octets


def packed_real(field: int, value: float) -> bytes:
    """A field that is a real number of four bytes."""
    return _groups(field << 3 | 5) + struct.pack("<f", value)


def _groups(number: int) -> bytes:
    """The way back from `varint`."""
    octets = bytearray()
    while number >= 0x80:
        octets.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*octets, number])


class Message:
    """The fields of a message, by their numbers.

    Raises:
        ValueError: it is cut short or damaged; or, when asked for, a field is of another kind.
    """

    def __init__(self, data: bytes) -> None:
        self._fields: dict[int, list[int | bytes]] = {}
        at = 0
        while at < len(data):
            tag, at = varint(data, at)
            value: int | bytes
            if tag & 7 == 0:
                value, at = varint(data, at)
            elif tag & 7 == 2:
                length, at = varint(data, at)
                value, at = take(data, at, length), at + length
            elif tag & 7 in (1, 5):
                length = 8 if tag & 7 == 1 else 4
                value, at = int.from_bytes(take(data, at, length), "little"), at + length
            else:
                raise ValueError(f"a field is of the unknown kind {tag & 7}")
            self._fields.setdefault(tag >> 3, []).append(value)

    def __contains__(self, field: int) -> bool:
        return field in self._fields

    def number(self, field: int) -> int:
        """An unsigned number; the last where it stands twice, 0 where it is not there."""
        value = self._fields.get(field, [0])[-1]
        if not isinstance(value, int):
            raise ValueError(f"field {field} is not a number")
        return value

    def octets(self, field: int) -> bytes:
        """The bytes of a text or of a message; the last where it stands twice, none where it is not there."""
        value = self._fields.get(field, [b""])[-1]
        if not isinstance(value, bytes):
            raise ValueError(f"field {field} is not bytes")
        return value

    def message(self, field: int) -> "Message":
        """The last message under this number; an empty one where there is none."""
        return (self.messages(field) or [Message(b"")])[-1]

    def messages(self, field: int) -> list["Message"]:
        """All messages under this number."""
        found = []
        for value in self._fields.get(field, []):
            if not isinstance(value, bytes):
                raise ValueError(f"field {field} is not a message")
            found.append(Message(value))
        return found
