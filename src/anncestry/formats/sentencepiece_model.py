"""SentencePiece's models (``.spm``), read without SentencePiece.

A model is a message in the wire format of protocol buffers: 1, repeated: a piece (1 text, 2 its score,
3 its type, 1 where none stands); 2 how it was trained (3 its kind: 1 unigrams); 3 its normaliser (2 the
compiled map of characters, 3 whether a blank is put in front, 4 whether blanks are made single).
"""

import base64
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anncestry.errors import UserError, require
from anncestry.formats.protobuf import Message, packed_number, packed_octets, packed_real

_NORMAL, _UNKNOWN, _CONTROL, _USER = 1, 2, 3, 4
"""Types of pieces: found in texts, what stands for no piece, marks that no text holds, given by a person."""
_UNIGRAM = 1


def unigram_json(path: Path) -> dict[str, Any]:
    """``pieces`` and ``charsmap`` of a `Vocabulary` (`anncestry.tokenizers.vocabulary`); the unknown first.

    Raises:
        UserError: it cannot be read, is cut short or damaged, or cuts texts in another way.
    """
    try:
        model = Message(path.read_bytes())
        pieces = [(m.octets(1).decode(), _score(m), m.number(3) or _NORMAL) for m in model.messages(1)]
        kind, normaliser = model.message(2).number(3) or _UNIGRAM, model.message(3)
        charsmap = normaliser.octets(2)
        blanks = [normaliser.number(field) if field in normaliser else 1 for field in (3, 4)]
    except (ValueError, OSError) as error:
        rule = f"is not a model of SentencePiece, or damaged ({error})"
        raise UserError("file", str(path), rule) from error
    require(kind == _UNIGRAM, "file", str(path), "holds no unigrams; other kinds are not read here")
    require(blanks == [1, 1], "file", str(path), "must put a blank in front and make blanks single")
    unknown = [piece for piece, _, type_ in pieces if type_ == _UNKNOWN]
    found = [(piece, score) for piece, score, type_ in pieces if type_ in (_NORMAL, _USER)]
    require(len(unknown) == 1 and bool(found), "file", str(path), "is no whole model of SentencePiece")
    return {
        "pieces": [[unknown[0], 0.0], *map(list, found)],
        "charsmap": base64.b64encode(charsmap).decode(),
    }


def unigram_bytes(pieces: Sequence[tuple[str, float]], charsmap: bytes) -> bytes:
    """The way back: a model of these pieces, the first of which is the unknown one."""
    marks = [("<s>", 0.0, _CONTROL), ("</s>", 0.0, _CONTROL)]
    (unknown, score), *others = pieces
    listed = [(unknown, score, _UNKNOWN), *marks, *((text, value, _NORMAL) for text, value in others)]
    written = b"".join(
        packed_octets(1, packed_octets(1, text.encode()) + packed_real(2, value) + packed_number(3, type_))
        for text, value, type_ in listed
    )
    trained = packed_number(3, _UNIGRAM) + packed_number(4, len(listed))
    blanks = b"".join(packed_number(field, 1) for field in (3, 4, 5))
    normaliser = packed_octets(1, b"custom") + packed_octets(2, charsmap) + blanks
    return written + packed_octets(2, trained) + packed_octets(3, normaliser)


def _score(piece: Message) -> float:
    return struct.unpack("<f", struct.pack("<I", piece.number(2)))[0]
