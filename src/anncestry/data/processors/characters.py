"""Texts whose words are read by their characters, so that none is unknown: alone, with tags or a class."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from anncestry.arrays import Float, Int, Tensor
from anncestry.data.processors.common import decode_classes
from anncestry.data.processors.given import Given, ReadsSentences, ReadsTexts, label_of
from anncestry.data.processors.text import UNKNOWN
from anncestry.data.splits.character_encoding import (
    NUM_CHARS,
    TEXT_BEGINS,
    TEXT_ENDS,
    CharacterEncoder,
    encode_characters,
)
from anncestry.errors import UserError

MARKS = ("</S>", "<S>")
"""The first two words of a vocabulary of targets, before the unknown one; no word of a text means them."""
UNKNOWN_WORD = len(MARKS)


@dataclass(frozen=True)
class CharacterProcessor(ReadsTexts):
    """What all of them share.

    Attributes:
        num_chars: C, characters of a word with its marks.
    """

    num_chars: int = NUM_CHARS

    kind = "characters"

    @property
    def target_scale(self) -> tuple[float, ...] | None:
        """None: the targets are words, tags or classes."""
        return None

    def encode(
        self, sentences: Sequence[Sequence[str]]
    ) -> tuple[Int[Tensor, "N T characters"], Int[Tensor, "N"]]:
        """Words of sentences as characters, 0 beyond the end of each, and the length of each.

        Raises:
            UserError: a sentence has no word.
        """
        for sentence in sentences:
            if not sentence:
                raise UserError("text", " ".join(sentence), "must hold at least one word")
        return encode_characters(sentences, self.num_chars)

    def read(self, source: Given) -> tuple[list[str], Int[Tensor, "N T characters"]]:
        """Texts, with blanks between their words (`anncestry.data.processors.given.given_texts`)."""
        texts = list(map(label_of, self.texts(source)))
        return texts, self.encode([text.split() for text in texts])[0]

    def lengths_of(self, inputs: Int[Tensor, "N T characters"]) -> Int[Tensor, "N"]:
        """How many words of each row are some."""
        return (inputs[..., 0] != 0).sum(1)

    def decode(self, outputs: Tensor) -> list[dict[str, Any]]:
        """What outputs mean, a row for each."""
        raise NotImplementedError

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "CharacterProcessor":
        given: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
        return cls(**given)


@dataclass(frozen=True)
class CharacterWordsProcessor(CharacterProcessor):
    """Texts alone: for language models in both directions, and for vectors of words.

    Attributes:
        vocabulary: the words that are asked for: the marks of a text's ends, the unknown word, and those of
            the training split, the most frequent first. Empty where nothing is asked for.
    """

    vocabulary: tuple[str, ...] = ()

    kind = "character-words"

    @classmethod
    def learn(
        cls, lines: Sequence[Sequence[str]], vocab_size: int | None = None, num_chars: int = NUM_CHARS
    ) -> "CharacterWordsProcessor":
        """The vocabulary of a text.

        A text that marks its own unknown words (``<unk>``) keeps all others; of one that does not, words that
        occur once are asked for as unknown ones. All are read by their characters.

        Args:
            vocab_size: keep only so many words, the first three among them.
        """
        counts = Counter(word for line in lines for word in line)
        fewest = 1 if UNKNOWN in counts else 2
        ranked = sorted(
            (word for word in counts if counts[word] >= fewest and word not in (*MARKS, UNKNOWN)),
            key=lambda word: (-counts[word], word),
        )
        kept = ranked if vocab_size is None else ranked[: max(1, vocab_size - UNKNOWN_WORD - 1)]
        return cls(num_chars, (*MARKS, UNKNOWN, *kept))

    def words_of(self, line: Sequence[str], index: dict[str, int]) -> list[int]:
        """The words of a line as targets; ``index`` is that of `index`."""
        return [index.get(word, UNKNOWN_WORD) for word in line]

    def index(self) -> dict[str, int]:
        """The class of each word that a text can have."""
        first = UNKNOWN_WORD + 1
        return {word: first + number for number, word in enumerate(self.vocabulary[first:])}

    def encode(
        self, sentences: Sequence[Sequence[str]]
    ) -> tuple[Int[Tensor, "N T characters"], Int[Tensor, "N"]]:
        """As for all; where words are asked for, with the marks of the ends of each text."""
        inputs, lengths = super().encode(sentences)
        if not self.vocabulary:
            return inputs, lengths
        characters = CharacterEncoder(self.num_chars).characters().long()
        N, T, C = inputs.shape
        marked = inputs.new_zeros(N, T + 2, C)
        marked[:, 0], marked[:, 1:-1] = characters[TEXT_BEGINS], inputs
        for row, length in enumerate(lengths.tolist()):
            marked[row, length + 1] = characters[TEXT_ENDS]
        return marked, lengths + 2

    def decode(self, outputs: Float[Tensor, "B T ..."]) -> list[dict[str, Any]]:
        """``{"next": [...], "previous": [...]}``: for each word, a text's marks among them, the likeliest one
        behind and before it, from outputs (B, T, 2, V); ``{"vectors": [...]}`` from (B, T, D)."""
        if outputs.dim() == 3:
            return [{"vectors": row} for row in outputs.float().tolist()]
        best = outputs.argmax(-1)  # (B, T, 2)
        return [
            {name: [self.vocabulary[word] for word in row[:, way].tolist()] for way, name in enumerate(WAYS)}
            for row in best
        ]


WAYS = ("next", "previous")


@dataclass(frozen=True)
class CharacterTagProcessor(ReadsSentences, CharacterProcessor):
    """Sentences with a tag for every word.

    Attributes:
        tags: names of the tags.
    """

    tags: tuple[str, ...] = ()

    kind = "character-tags"

    @classmethod
    def learn(cls, sentences: object, tags: Sequence[Sequence[str]]) -> "CharacterTagProcessor":
        """The tags of a training split; of words nothing has to be learnt."""
        return cls(tags=tuple(sorted({tag for row in tags for tag in row})))

    def decode(self, outputs: Float[Tensor, "B T K"]) -> list[dict[str, Any]]:
        """``{"tags": [...]}`` for each row, one for each step."""
        return [{"tags": [self.tags[tag] for tag in row]} for row in outputs.argmax(-1).tolist()]


@dataclass(frozen=True)
class CharacterClassProcessor(CharacterProcessor):
    """Short texts with a class each.

    Attributes:
        classes: names of the classes.
    """

    classes: tuple[str, ...] = ()

    kind = "character-classes"

    def decode(self, outputs: Float[Tensor, "B K"]) -> list[dict[str, Any]]:
        """``{"class": ..., "scores": ...}`` for each row."""
        return decode_classes(outputs, self.classes)
