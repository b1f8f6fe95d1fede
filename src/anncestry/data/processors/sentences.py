"""Sequences of tokens with a target: short texts with a class, and sentences with a tag for every word.

Token 0 is padding and token 1 whatever the training split does not know.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch

from anncestry.arrays import Float, Int, Tensor
from anncestry.data.processors.common import decode_classes
from anncestry.data.processors.given import Given, ReadsSentences, ReadsTexts, label_of
from anncestry.errors import UserError

PADDING, UNKNOWN = "<pad>", "<unk>"
_SUFFIXES = ("ing", "ed", "ly", "s", "er", "est", "ion", "ity", "al", "y", "en", "ize", "ise", "ive", "able")


def rank(words: Iterable[str], vocab_size: int | None, fewest: int = 1) -> tuple[str, ...]:
    """The words that occur so often, the most frequent first, behind padding and the unknown word."""
    counts = Counter(words)
    ranked = sorted(
        (word for word in counts if counts[word] >= fewest), key=lambda word: (-counts[word], word)
    )
    return (PADDING, UNKNOWN, *(ranked if vocab_size is None else ranked[: max(0, vocab_size - 2)]))


def pad(rows: Sequence[Sequence[int]], filler: int = 0) -> tuple[Int[Tensor, "N T"], Int[Tensor, "N"]]:
    """``(tokens, lengths)``: the rows one under the other, padded to the longest."""
    lengths = torch.tensor([len(row) for row in rows])
    padded = torch.full((len(rows), int(lengths.max())), filler)
    for index, row in enumerate(rows):
        padded[index, : len(row)] = torch.tensor(row)
    return padded, lengths


def word_shape(word: str) -> str:
    """A class for words that are not known: how they are written and how they end (Petrov et al., 2006)."""
    parts = ["<unk"]
    if re.search(r"\d", word):
        parts.append("digit")
    elif not re.search(r"\w", word):
        parts.append("mark")
    elif word.isupper():
        parts.append("CAPS")
    elif word[:1].isupper():
        parts.append("Cap")
    if "-" in word.strip("-"):
        parts.append("dash")
    ending = next((suffix for suffix in _SUFFIXES if word.lower().endswith(suffix) and len(word) > 4), None)
    return "-".join([*parts, ending] if ending else parts) + ">"


@dataclass(frozen=True)
class SentenceProcessor(ReadsTexts):
    """Short texts with a class each.

    Attributes:
        level: whether a token is a ``char`` or a ``word`` between blanks.
        vocabulary: padding, the unknown token, and those of the training split.
        classes: names of the classes.
    """

    level: Literal["char", "word"]
    vocabulary: tuple[str, ...]
    classes: tuple[str, ...]

    kind = "sentences"

    @property
    def target_scale(self) -> tuple[float, ...] | None:
        """None: the targets are classes."""
        return None

    def encode(self, texts: Sequence[str]) -> tuple[Int[Tensor, "N T"], Int[Tensor, "N"]]:
        """Tokens of texts, padded, and the length of each.

        Raises:
            UserError: a text has no token.
        """
        index = {token: position for position, token in enumerate(self.vocabulary)}
        rows = [[index.get(token, 1) for token in split_text(text, self.level)] for text in texts]
        for text, row in zip(texts, rows, strict=True):
            if not row:
                raise UserError("text", text, f"must hold at least one {self.level}")
        return pad(rows)

    def read(self, source: Given) -> tuple[list[str], Int[Tensor, "N T"]]:
        """A text, or several (`anncestry.data.processors.given.given_texts`)."""
        texts = list(map(label_of, self.texts(source)))
        return texts, self.encode(texts)[0]

    def lengths_of(self, inputs: Int[Tensor, "N T"]) -> Int[Tensor, "N"]:
        """How many tokens of each row are no padding."""
        return (inputs != 0).sum(1)

    def decode(self, outputs: Float[Tensor, "B K"]) -> list[dict[str, Any]]:
        """``{"class": ..., "scores": ...}`` for each row."""
        return decode_classes(outputs, self.classes)

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "SentenceProcessor":
        return cls(fields["level"], tuple(fields["vocabulary"]), tuple(fields["classes"]))


def split_text(text: str, level: str) -> list[str]:
    """The tokens of a text: its characters, or what stands between blanks."""
    return text.split() if level == "word" else list(text.strip())


@dataclass(frozen=True)
class TagProcessor(ReadsSentences):
    """Sentences with a tag for every word.

    A word that the training split has but once, or not at all, becomes the class of its shape, so that a
    model learns what to make of words it will meet for the first time.

    Attributes:
        vocabulary: padding, the unknown word, the words and the shapes of the training split.
        tags: names of the tags.
    """

    vocabulary: tuple[str, ...]
    tags: tuple[str, ...]

    kind = "tags"

    @classmethod
    def learn(cls, sentences: Sequence[Sequence[str]], tags: Sequence[Sequence[str]]) -> "TagProcessor":
        """The vocabulary and the tags of a training split."""
        counts = Counter(word for sentence in sentences for word in sentence)
        known = (
            word if counts[word] > 1 else word_shape(word) for sentence in sentences for word in sentence
        )
        return cls(rank(known, None), tuple(sorted({tag for row in tags for tag in row})))

    @property
    def target_scale(self) -> tuple[float, ...] | None:
        """None: the targets are tags."""
        return None

    def encode(self, sentences: Sequence[Sequence[str]]) -> tuple[Int[Tensor, "N T"], Int[Tensor, "N"]]:
        """Tokens of sentences, padded, and the length of each."""
        index = {word: position for position, word in enumerate(self.vocabulary)}

        def token(word: str) -> int:
            found = index.get(word)
            return index.get(word_shape(word), 1) if found is None else found

        return pad([[token(word) for word in sentence] for sentence in sentences])

    def read(self, source: Given) -> tuple[list[str], Int[Tensor, "N T"]]:
        """Sentences, with blanks between their words (`anncestry.data.processors.given.given_texts`)."""
        texts = list(map(label_of, self.texts(source)))
        return texts, self.encode([text.split() for text in texts])[0]

    def lengths_of(self, inputs: Int[Tensor, "N T"]) -> Int[Tensor, "N"]:
        """How many tokens of each row are no padding."""
        return (inputs != 0).sum(1)

    def decode(self, outputs: Float[Tensor, "B T K"]) -> list[dict[str, Any]]:
        """``{"tags": [...]}`` for each row, one for each step."""
        return [{"tags": [self.tags[tag] for tag in row]} for row in outputs.argmax(-1).tolist()]

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "TagProcessor":
        return cls(tuple(fields["vocabulary"]), tuple(fields["tags"]))
