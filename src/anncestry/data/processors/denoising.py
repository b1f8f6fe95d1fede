"""Texts whose corruption is undone: ``Paris <mask> of France.``"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from anncestry.data.processors.masked_tokens import MASK
from anncestry.data.processors.translation import TranslationProcessor
from anncestry.errors import require
from anncestry.tokenizers.target_vocabulary import TargetTokenizer
from anncestry.tokenizers.tokenizer import Tokenizer


@dataclass(frozen=True)
class DenoisingProcessor(TranslationProcessor):
    """Reads and generates texts by one tokenizer; a mask may stand for any number of tokens.

    A net that is fine-tuned for another task of sequences to sequences goes on with the same processor.
    """

    source: TargetTokenizer
    target: TargetTokenizer

    kind = "denoising"

    @classmethod
    def of(cls, tokenizer: Tokenizer, max_tokens: int) -> "DenoisingProcessor":
        """
        Args:
            tokenizer: with its tokens in any order.
            max_tokens: of a text, without its end; what is longer is cut.

        Raises:
            UserError: the tokenizer lacks a special token.
        """
        _check_mask(tokenizer)
        return cls.around(TargetTokenizer.of(tokenizer), max_tokens)

    @classmethod
    def around(cls, pieces: TargetTokenizer, max_tokens: int) -> "DenoisingProcessor":
        """The same around pieces with numbers."""
        _check_mask(pieces.tokenizer)
        return cls(pieces, pieces, max_tokens, source_end=True)

    def whole(self, row: Sequence[int]) -> list[int]:
        return [*self.source.first, *super().whole(row)]

    @property
    def tokenizer(self) -> Tokenizer:
        """That of both sides."""
        return self.source.tokenizer

    def cut(self, texts: Sequence[str]) -> list[list[int]]:
        """The source tokens of texts; `MASK`, or what the tokenizer calls it, is one token."""
        mask = self.tokenizer.tokens[self.tokenizer.special.mask or 0]
        return self.source.encode_all([text.replace(MASK, mask) for text in texts], special=True)

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, **self.source.described(), "max_tokens": self.max_tokens}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "DenoisingProcessor":
        return cls.around(TargetTokenizer.from_described(fields), fields["max_tokens"])


def _check_mask(tokenizer: Tokenizer) -> None:
    rule = "has no mask token"
    require(tokenizer.special.mask is not None, "tokenizer", tokenizer.kind, rule)
