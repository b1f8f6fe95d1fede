"""Text as pieces of words, which the tokenizer of a pre-trained model cuts, or one learnt from a text."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from anncestry.arrays import Int, Tensor
from anncestry.data.processors.text import TextProcessor
from anncestry.tokenizers.learning import learn_tokenizer
from anncestry.tokenizers.spec import Kind
from anncestry.tokenizers.tokenizer import Tokenizer

LEVELS: tuple[Kind, ...] = ("byte-bpe", "word-bpe", "wordpiece")
"""How pieces can be learnt."""
VOCAB_SIZE = 8000


@dataclass(frozen=True)
class PieceTextProcessor(TextProcessor):
    """Between text and tokens, one token a piece of a word.

    Attributes:
        vocabulary: the pieces.
        tokenizer: cuts texts and joins pieces.
        read_special: whether special tokens that somebody typed are read as such, as transformers does.
    """

    vocabulary: tuple[str, ...]
    tokenizer: Tokenizer
    read_special: bool = False

    kind = "pieces"
    unit = "piece"

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> "PieceTextProcessor":
        """Around a tokenizer."""
        return cls(tokenizer.tokens, tokenizer)

    @classmethod
    def learn(cls, text: str, level: Kind, vocab_size: int | None = None) -> "PieceTextProcessor":
        """Around the tokenizer of a text, of at most so many pieces; default: `VOCAB_SIZE`."""
        return cls.of(learn_tokenizer([text], level, vocab_size or VOCAB_SIZE))

    @property
    def end_of_text(self) -> int | None:
        """Of published models: others learn from one text, in which there is none."""
        return self.tokenizer.special.end if self.read_special else None

    def lookup(self, text: str) -> np.ndarray:
        return np.array(self.tokenizer.encode(text, self.read_special), dtype=np.int64)

    def decode_tokens(self, tokens: Int[Tensor, "T"]) -> str:
        """The text of tokens; nothing for rows of a table that no piece has."""
        return self.tokenizer.decode([token for token in tokens.tolist() if token < len(self.vocabulary)])

    def decode(self, outputs: Tensor) -> list[dict[str, Any]]:
        return super().decode(outputs[..., : len(self.vocabulary)])

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "tokenizer": self.tokenizer.to_json(), "read_special": self.read_special}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "PieceTextProcessor":
        tokenizer = Tokenizer.from_json(fields["tokenizer"])
        return cls(tokenizer.tokens, tokenizer, fields.get("read_special", False))
