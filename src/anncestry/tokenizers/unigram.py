"""SentencePiece's unigrams (Kudo, 1804.10959), as ALBERT, XLNet and CamemBERT have them.

Of all ways to cut a text into pieces the likeliest is taken. A blank is written ``▁`` and stands before its
word.
"""

from collections.abc import Collection, Sequence
from typing import Any

from anncestry.tokenizers.subwords import SPACE


def rules(
    lowercase: bool = False, strip_accents: bool = False, straight_quotes: bool = False, charsmap: str = ""
) -> dict[str, Any]:
    """How a text is cleaned and put together again, in the form of a ``tokenizer.json``.

    Args:
        strip_accents: decompose characters and drop the accents, as ALBERT and XLNet do.
        straight_quotes: two single quotes of either kind become a double one; the same two do it.
        charsmap: SentencePiece's compiled normaliser, in base 64.
    """
    steps: list[dict[str, Any]] = []
    if straight_quotes:
        steps += [_replace("``", '"'), _replace("''", '"')]
    if strip_accents:
        steps += [{"type": "NFKD"}, {"type": "StripAccents"}]
    if lowercase:
        steps.append({"type": "Lowercase"})
    if charsmap:
        steps.append({"type": "Precompiled", "precompiled_charsmap": charsmap})
    space = {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": "always", "split": True}
    return {
        "normalizer": {"type": "Sequence", "normalizers": steps},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, space]},
        "decoder": space,
    }


def _replace(old: str, new: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": {"String": old}, "content": new}


def model(
    tokens: Sequence[str], scores: Sequence[float], unknown: int, unreachable: Collection[int]
) -> dict[str, Any]:
    """The pieces and their scores, in the form of a ``tokenizer.json``.

    Args:
        unreachable: tokens that no text is cut into, though it holds their characters.
    """
    # No word holds a blank, so these are never found, and keep their positions.
    texts = [f" {position}" if position in unreachable else token for position, token in enumerate(tokens)]
    pieces = [[text, score] for text, score in zip(texts, scores, strict=True)]
    return {"type": "Unigram", "unk_id": unknown, "vocab": pieces, "byte_fallback": False}
