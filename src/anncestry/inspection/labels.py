"""Tokens as a page shows them."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anncestry.tokenizers.vocabulary import Vocabulary


def labels_of(vocabulary: "Vocabulary", tokens: Iterable[int]) -> list[str]:
    """A blank is seen, and what joins a word to another is not."""
    from anncestry.tokenizers.vocabulary import JOINER

    words = [vocabulary.tokens[token] for token in tokens]
    return ["\u2423" if word == " " else word.strip(JOINER) or word for word in words]


def token_labels(processor: Any, tokens: Sequence[int]) -> list[str]:
    """Tokens of whatever a processor cuts texts into; blanks and ends of lines are seen."""
    tokenizer = getattr(processor, "tokenizer", None)
    known = processor.vocabulary if tokenizer is None else tokenizer.tokens
    shown = [str(known[token]) for token in tokens]
    for blank in (" ", "\u0120", "\u2581"):  # as GPT-2's bytes and SentencePiece spell it
        shown = [token.replace(blank, "\u2423") for token in shown]
    return [token.replace("\n", "\u23ce").replace("\u010a", "\u23ce") for token in shown]
