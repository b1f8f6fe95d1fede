"""Tokens as a page shows them."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anncestry.data.vocabulary import Vocabulary


def labels_of(vocabulary: "Vocabulary", tokens: Iterable[int]) -> list[str]:
    """A blank is seen, and what joins a word to another is not."""
    from anncestry.data.vocabulary import JOINER

    words = [vocabulary.tokens[token] for token in tokens]
    return ["\u2423" if word == " " else word.strip(JOINER) or word for word in words]
