"""SentencePiece's models, written by hand in the wire format."""

import base64
import struct

import pytest

from anncestry.errors import UserError
from anncestry.formats.sentencepiece_model import unigram_json

PIECES = [
    ("<unk>", 0.0, 2),
    ("<s>", 0.0, 3),
    ("</s>", 0.0, 3),
    ("▁a", -1.5, 1),
    ("b", -2.25, None),
    ("@x", 0.0, 4),
]


def varint(number):
    out = b""
    while number > 0x7F:
        out, number = out + bytes([number & 0x7F | 0x80]), number >> 7
    return out + bytes([number])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    return varint(number << 3 | 2) + varint(len(value)) + value


CHARSMAP = field(2, b"\1\2")


def model(pieces=PIECES, kind=None, normaliser=CHARSMAP):
    out = b""
    for piece, score, type_ in pieces:
        out += field(1, field(1, piece.encode()) + field(2, score) + (field(3, type_) if type_ else b""))
    return out + field(2, field(3, kind) if kind else b"") + field(3, normaliser)


def test_a_model(tmp_path):
    (tmp_path / "m.spm").write_bytes(model())
    assert unigram_json(tmp_path / "m.spm") == {
        "pieces": [["<unk>", 0.0], ["▁a", -1.5], ["b", -2.25], ["@x", 0.0]],
        "charsmap": base64.b64encode(b"\1\2").decode(),
    }


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (model(kind=2), "holds no unigrams"),
        (model(PIECES[1:]), "is no whole model"),
        (model(normaliser=field(3, 0)), "must put a blank in front"),
        (model()[:-3], "or damaged"),
        (b"PK\3\4 not one", "or damaged"),
        (b"", "is no whole model"),
    ],
)
def test_what_is_refused(tmp_path, data, message):
    (tmp_path / "m.spm").write_bytes(data)
    with pytest.raises(UserError, match=message):
        unigram_json(tmp_path / "m.spm")
    with pytest.raises(UserError, match="or damaged"):
        unigram_json(tmp_path / "none.spm")
