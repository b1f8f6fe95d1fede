"""SentencePiece's models as ALBERT, XLNet and CamemBERT publish them, with the ids which those models know.

A model is a message in the wire format of protocol buffers: 1, repeated: a piece (1 text, 2 its score, 3 its
type, 1 where none stands); 2 how it was trained (3 its kind: 1 unigrams); 3 its normaliser (2 the compiled
map of characters).

ALBERT's and XLNet's ids are the pieces' positions. CamemBERT's (and XLM-RoBERTa's) begin with fairseq's own
special tokens and end with <mask>.

ALBERT's and XLNet's programs cut a piece again that ends with a digit and a comma (``9,``). Such pieces are
made so unlikely here that they are not chosen, as transformers does it.
"""

import base64
import json
import re
import struct
from pathlib import Path
from typing import Any

from anncestry.errors import UserError, require
from anncestry.formats.protobuf import Message
from anncestry.tokenizers import unigram as tokenizer_pieces
from anncestry.tokenizers.settings import Settings, octets_of
from anncestry.tokenizers.spec import Template
from anncestry.tokenizers.tokenizer import Tokenizer

_NORMAL, _UNKNOWN, _CONTROL = 1, 2, 3  # types of pieces
_UNIGRAM = 1
_NUMBER = re.compile(r"\d,$")
_FAIRSEQ = {
    "camembert": (("<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>", "<unk>NOTUSED"), 1),
    "xlm-roberta": (("<s>", "<pad>", "</s>", "<unk>"), 3),
}
"""What is put before the pieces, and how many of these it replaces."""


def read_pieces(path: Path, settings: Settings) -> Tokenizer:
    """The tokenizer of a SentencePiece model.

    Raises:
        UserError: it cannot be read, is cut short or damaged, or has no unigrams.
    """
    try:
        model = Message(octets_of(path))
        found = [(m.octets(1).decode(), _score(m), m.number(3) or _NORMAL) for m in model.messages(1)]
        kind, normaliser = model.message(2).number(3) or _UNIGRAM, model.message(3)
        charsmap = base64.b64encode(normaliser.octets(2)).decode()
    except ValueError as error:
        if isinstance(error, UserError):
            raise
        rule = f"is not a model of SentencePiece, or damaged ({error})"
        raise UserError("file", str(path), rule) from error
    require(kind == _UNIGRAM, "file", str(path), "holds no unigrams; other kinds are not read here")
    unknown = [position for position, (_, _, type_) in enumerate(found) if type_ == _UNKNOWN]
    require(len(unknown) == 1, "file", str(path), "must have one unknown piece; it is no whole model")
    pieces = [(text, 0.0 if type_ in (_UNKNOWN, _CONTROL) else score, type_) for text, score, type_ in found]
    if path.name == "spiece.model":
        return _google(path, settings, pieces, unknown[0], charsmap)
    first, left_out = _FAIRSEQ["xlm-roberta" if "xlm" in settings.model.lower() else "camembert"]
    shifted = [*((text, 0.0, _CONTROL) for text in first), *pieces[left_out:], ("<mask>", 0.0, _CONTROL)]
    rules = tokenizer_pieces.rules(charsmap=charsmap)
    known = {"unknown": first.index("<unk>")}
    return _assembled(path, settings, shifted, "roberta", known, rules, False)


def _google(
    path: Path, settings: Settings, pieces: list[tuple[str, float, int]], unknown: int, charsmap: str
) -> Tokenizer:
    pieces = [(t, score - 100 if _NUMBER.search(t) else score, type_) for t, score, type_ in pieces]
    template = "xlnet" if "<cls>" in {text for text, _, _ in pieces} else "bert"
    # The published ALBERT is uncased, the published XLNet cased.
    lowercase = settings.flag("do_lower_case", template == "bert")
    strip = template == "xlnet" or not settings.flag("keep_accents", False)
    rules = tokenizer_pieces.rules(lowercase, strip, straight_quotes=True, charsmap=charsmap)
    return _assembled(path, settings, pieces, template, {"unknown": unknown}, rules, lowercase)


def _assembled(
    path: Path,
    settings: Settings,
    pieces: list[tuple[str, float, int]],
    template: Template,
    known: dict[str, int],
    rules: dict[str, Any],
    lowercase: bool,
) -> Tokenizer:
    control = tuple(text for text, _, type_ in pieces if type_ == _CONTROL)
    return settings.with_marks(control).assemble(
        path,
        "unigram",
        [text for text, _, _ in pieces],
        template,
        known,
        scores=tuple(score for _, score, _ in pieces),
        rules=json.dumps(rules),
        lowercase=lowercase,
    )


def _score(piece: Message) -> float:
    return struct.unpack("<f", struct.pack("<I", piece.number(2)))[0]
