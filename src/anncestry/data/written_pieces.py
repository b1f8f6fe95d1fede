"""A published or learnt tokenizer as the vocabulary of texts that are written.

Nets that write begin and end a text, and fill up a batch, with the first four tokens of
`anncestry.signature`. So a tokenizer's filler, unknown word, beginning and end get these numbers; its other
tokens follow in their order. The first word of a text is cut as any other, as if a blank stood before it:
texts can be put one behind the other.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from anncestry.data.tokenizer import Special, Tokenizer
from anncestry.errors import require
from anncestry.signature import END

ROLES = ("pad", "unknown", "begin", "end")
"""Of the first four tokens."""


@dataclass(frozen=True)
class WrittenPieces:
    """What `anncestry.data.vocabulary.Vocabulary` is to words, of the pieces of a tokenizer.

    Attributes:
        tokenizer: its first four tokens are those of `ROLES`.
    """

    tokenizer: Tokenizer

    def __post_init__(self) -> None:
        places = [getattr(self.tokenizer.special, role) for role in ROLES]
        rule = f"must begin with its {', '.join(ROLES)}; they have the numbers"
        require(places == list(range(len(ROLES))), "tokenizer", self.tokenizer.kind, rule, places)

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> "WrittenPieces":
        """The same tokenizer with its tokens in our order.

        Raises:
            UserError: one of the four is missing, or two are the same token.
        """
        roles = vars(tokenizer.special)
        first = [roles[role] for role in ROLES]
        lacks = [role for role, place in zip(ROLES, first, strict=True) if place is None]
        rule = f"has no token for: {', '.join(lacks)}; texts that are written need it"
        require(not lacks, "tokenizer", tokenizer.kind, rule)
        rule = "has one token for two of: filler, unknown word, beginning, end"
        require(len(set(first)) == len(first), "tokenizer", tokenizer.kind, rule)
        order = [*first, *(place for place in range(len(tokenizer)) if place not in first)]
        new = {place: number for number, place in enumerate(order)}
        special = {role: None if place is None else new[place] for role, place in roles.items()}
        changed = {
            "tokens": tuple(tokenizer.tokens[place] for place in order),
            "scores": tuple(tokenizer.scores[place] for place in order) if tokenizer.scores else (),
            "special": Special(**special),
        }
        return cls(dataclasses.replace(tokenizer, **changed))

    @property
    def kind(self) -> str:
        """How words are cut."""
        return self.tokenizer.kind

    @property
    def tokens(self) -> tuple[str, ...]:
        """(V,) in the order of their numbers."""
        return self.tokenizer.tokens

    @property
    def lowercase(self) -> bool:
        """Whether texts are read in lower case."""
        return self.tokenizer.lowercase

    def __len__(self) -> int:
        return len(self.tokenizer)

    def encode(self, text: str) -> list[int]:
        """The tokens of a text, without a beginning and an end."""
        return self.encode_all([text])[0]

    def encode_all(self, texts: Sequence[str], special: bool = False) -> list[list[int]]:
        """`encode` for each of many texts.

        Args:
            special: whether special tokens that are written in a text are read as such.
        """
        blank = " " if self.kind == "byte-bpe" and not self.tokenizer.prefix_space else ""
        stripped = (text.strip() for text in texts)
        return self.tokenizer.encode_all([blank + text if text else text for text in stripped], special)

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of tokens, up to an end if it is among them, without blanks round it."""
        row = list(tokens)
        return self.tokenizer.decode(row[: row.index(END)] if END in row else row).strip()

    def to_json(self) -> dict[str, Any]:
        return {"kind": "pieces", "tokenizer": self.tokenizer.to_json()}
