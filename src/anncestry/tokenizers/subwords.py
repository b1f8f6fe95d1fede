r"""Subwords as other programs cut them: SentencePiece's unigrams, and tensor2tensor's.

tensor2tensor (its ``SubwordTextEncoder``) cuts a text where letters and numbers meet other characters; a
single blank between two words is not written. Each such token ends with ``_``; a backslash in it is
``\\``, an underscore ``\u``, and a character that no subword has ``\233;``, its code point. From left to
right the longest subword that fits is taken.
"""

import re
import unicodedata
from collections.abc import Collection, Sequence
from typing import Any

SPACE = "\u2581"
_ESCAPED = re.compile(r"\\u|\\\\|\\([0-9]+);")
_ESCAPES = frozenset("\\_u;0123456789")


def unigram_tokenizer(pieces: Sequence[tuple[str, float]], charsmap: bytes = b"") -> Any:
    """What cuts a text into the likeliest of SentencePiece's pieces (Kudo, 1804.10959).

    Args:
        pieces: piece, log probability; the first one stands for what no other has.
        charsmap: the normaliser that SentencePiece compiled; none for texts as they are.
    """
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

    tokenizer = Tokenizer(models.Unigram(list(pieces), 0, False))  # pyright: ignore[reportCallIssue]
    single = normalizers.Replace(Regex(" {2,}"), " ")
    before = [normalizers.Precompiled(charsmap)] if charsmap else []
    tokenizer.normalizer = normalizers.Sequence(  # pyright: ignore[reportAttributeAccessIssue]
        [*before, single, normalizers.Strip()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(  # pyright: ignore[reportAttributeAccessIssue]
        SPACE, prepend_scheme="always", split=True
    )
    return tokenizer


def alphabet_of(subwords: Sequence[str]) -> frozenset[str]:
    """The characters that need no code point."""
    return _ESCAPES.union(*subwords)


def cut_subwords(text: str, subwords: Collection[str], alphabet: frozenset[str], longest: int) -> list[str]:
    """tensor2tensor's subwords of a text. A character that none fits is left out; their files have none such.

    Args:
        subwords: with a fast ``in``.
        alphabet: from `alphabet_of`.
        longest: characters of the longest subword.
    """
    cut = []
    for token in _tokens(text):
        escaped = token.replace("\\", "\\\\").replace("_", "\\u")
        escaped = "".join(c if c in alphabet and c != "\n" else f"\\{ord(c)};" for c in escaped) + "_"
        start = 0
        while start < len(escaped):
            ends = range(min(len(escaped), start + longest), start, -1)
            end = next((end for end in ends if escaped[start:end] in subwords), None)
            if end is not None:
                cut.append(escaped[start:end])
            start = end or start + 1
    return cut


def join_subwords(subwords: Sequence[str]) -> str:
    """The text of tensor2tensor's subwords."""
    tokens = [_unescape(token) for token in "".join(subwords).split("_") if token]
    text, word_before = "", False
    for token in filter(None, tokens):
        is_word = _is_word(token[0])
        text += " " + token if is_word and word_before else token
        word_before = is_word
    return text


def _is_word(character: str) -> bool:
    return unicodedata.category(character)[0] in "LN"


def _tokens(text: str) -> list[str]:
    """Runs of letters and numbers, and of all else; not a single blank between two others."""
    tokens, start = [], 0
    for end in range(1, len(text) + 1):
        if end == len(text) or _is_word(text[end]) != _is_word(text[end - 1]):
            if text[start:end] != " " or start == 0 or end == len(text):
                tokens.append(text[start:end])
            start = end
    return tokens


def _unescape(token: str) -> str:
    def plain(found: re.Match[str]) -> str:
        if found[1] is None:
            return "_" if found[0] == "\\u" else "\\"
        return chr(int(found[1])) if int(found[1]) < 0x110000 else "\u3013"

    return _ESCAPED.sub(plain, token)
