"""A published or learnt tokenizer as the vocabulary of generated texts.

Nets that generate begin, end and pad a text with the first four tokens of
`anncestry.signature`. So a tokenizer's filler, unknown word, beginning and end get these numbers; its other
tokens follow in their order. The first word of a text is cut as any other, as if a blank stood before it:
texts can be put one behind the other.
"""

import dataclasses
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from anncestry.errors import require
from anncestry.signature import BEGIN, END, PAD
from anncestry.tokenizers import library as tokenizer_backend
from anncestry.tokenizers.spec import Special
from anncestry.tokenizers.tokenizer import Tokenizer

ROLES = ("pad", "unknown", "begin", "end")
"""Of the first four tokens."""


@dataclass(frozen=True)
class TargetTokenizer:
    """What `anncestry.tokenizers.vocabulary.Vocabulary` is to words, of the pieces of a tokenizer.

    Attributes:
        tokenizer: its first four tokens are those of `ROLES`.
        numbers: (V,) what other programs number the tokens, of a net that was trained there; -1 for a token
            that they do not have. Such a net's texts are cut as they stand. Empty for one of ours.
        first: what stands before every source, of such a net.
    """

    tokenizer: Tokenizer
    numbers: tuple[int, ...] = ()
    first: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        positions = [getattr(self.tokenizer.special, role) for role in ROLES]
        rule = f"must begin with its {', '.join(ROLES)}; they have the numbers"
        require(positions == list(range(len(ROLES))), "tokenizer", self.tokenizer.kind, rule, positions)
        fits = len(self.numbers) in (0, len(self.tokenizer))
        require(fits, "numbers", len(self.numbers), f"must be one for each of {len(self.tokenizer)} tokens")
        fits = all(0 <= token < len(self.tokenizer) for token in self.first)
        require(fits, "first", self.first, "must be among the tokens")

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> "TargetTokenizer":
        """The same tokenizer with its tokens in our order.

        Raises:
            UserError: one of the four is missing, or two are the same token.
        """
        roles = vars(tokenizer.special)
        first = [roles[role] for role in ROLES]
        lacks = [role for role, position in zip(ROLES, first, strict=True) if position is None]
        rule = f"has no token for: {', '.join(lacks)}; generated texts need it"
        require(not lacks, "tokenizer", tokenizer.kind, rule)
        rule = "has one token for two of: filler, unknown word, beginning, end"
        require(len(set(first)) == len(first), "tokenizer", tokenizer.kind, rule)
        order = [*first, *(position for position in range(len(tokenizer)) if position not in first)]
        new = {position: number for number, position in enumerate(order)}
        special = {role: None if position is None else new[position] for role, position in roles.items()}
        changed = {
            "tokens": tuple(tokenizer.tokens[position] for position in order),
            "scores": tuple(tokenizer.scores[position] for position in order) if tokenizer.scores else (),
            "special": Special(**special),
        }
        return cls(dataclasses.replace(tokenizer, **changed))

    @classmethod
    def published(cls, tokenizer: Tokenizer, rows: Sequence[int]) -> "TargetTokenizer":
        """Those of a net that was trained elsewhere.

        Args:
            tokenizer: with the numbers that the net knew there.
            rows: (V,) of its table, for each of our tokens: those of `ROLES`, which may share one or have
                none (-1), and all others.
        """
        special, template = tokenizer.special, tokenizer.template
        ends = {"roberta": special.end, "ended": special.end, "bert": special.separator}.get(template)
        rule = "must put the net's own end behind a text, and at most a beginning before it"
        require(ends is not None and ends == rows[END], "tokenizer", template, rule)
        numbers = list(rows)
        if rows[BEGIN] in (rows[PAD], rows[END]):
            numbers[BEGIN] = -1
        own = dict(enumerate(tokenizer.tokens))
        tokens = [own.get(number) or f"<{_name(position)}>" for position, number in enumerate(numbers)]
        new = {number: position for position, number in enumerate(numbers) if number >= 0}
        first = () if template == "ended" else (new[special.begin],)  # pyright: ignore[reportArgumentType]
        roles = {role: position for position, role in enumerate(ROLES)}
        kept = {role: new.get(position) for role, position in vars(special).items() if position is not None}
        marks = [*tokenizer.marks, *(tokens[position] for position in first if position >= len(ROLES))]
        changed = {
            "tokens": tuple(tokens),
            "scores": _of_rows(tokenizer.scores, numbers),
            "special": Special(**{**kept, **roles}),
            "marks": tuple(dict.fromkeys(marks)),
        }
        return cls(dataclasses.replace(tokenizer, **changed), tuple(numbers), first)

    def as_published(self, rows: Sequence[int]) -> Tokenizer:
        """The tokenizer of another program, which cuts texts as a net of ours reads them.

        Args:
            rows: which token of ours has each number there.
        """
        t, new = self.tokenizer, {token: number for number, token in enumerate(rows)}
        special = {
            role: new.get(position) for role, position in vars(t.special).items() if position is not None
        }
        if self.first:
            special["begin"] = new[self.first[0]]
        tokens = tuple(t.tokens[token] for token in rows)
        with_role = {tokens[position] for position in special.values() if position is not None}
        rules = t.rules
        if not self.numbers and t.kind == "byte-bpe" and not t.prefix_space:
            rules = json.dumps(_with_blank(tokenizer_backend.rules(t)))
        changed = {
            "tokens": tokens,
            "scores": _of_rows(t.scores, rows),
            "special": Special(**special),
            "template": t.template if self.numbers else "ended",
            "marks": tuple(mark for mark in t.marks if mark not in with_role),
            "rules": rules,
        }
        return dataclasses.replace(t, **changed)

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
        if self.numbers:
            return self.tokenizer.encode_all(texts, special)
        blank = " " if self.kind == "byte-bpe" and not self.tokenizer.prefix_space else ""
        stripped = (text.strip() for text in texts)
        return self.tokenizer.encode_all([blank + text if text else text for text in stripped], special)

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of tokens, up to an end if it is among them, without blanks round it."""
        row = list(tokens)
        return self.tokenizer.decode(row[: row.index(END)] if END in row else row).strip()

    def to_json(self) -> dict[str, Any]:
        return {"kind": "pieces", **self.described()}

    def described(self) -> dict[str, Any]:
        """The tokenizer, and how it was published."""
        fields: dict[str, Any] = {"tokenizer": self.tokenizer.to_json()}
        if self.numbers:
            fields |= {"numbers": list(self.numbers), "first": list(self.first)}
        return fields

    @classmethod
    def from_described(cls, fields: dict[str, Any]) -> "TargetTokenizer":
        """The way back."""
        tokenizer = Tokenizer.from_json(fields["tokenizer"])
        if "numbers" in fields:
            return cls(tokenizer, tuple(fields["numbers"]), tuple(fields["first"]))
        return cls.of(tokenizer)


def _name(position: int) -> str:
    """What a token is called that others do not have."""
    return ROLES[position] if position < len(ROLES) else f"unused{position}"


def _of_rows(scores: Sequence[float], rows: Sequence[int]) -> tuple[float, ...]:
    """The scores of tokens in another order; 0 for one that has none."""
    return tuple(scores[row] if 0 <= row < len(scores) else 0.0 for row in rows) if scores else ()


def _with_blank(rules: dict[str, Any]) -> dict[str, Any]:
    """The same rules with a blank before a text, but not before what follows a special token."""
    blank = {"type": "Metaspace", "replacement": " ", "prepend_scheme": "first", "split": False}
    return {**rules, "pre_tokenizer": {"type": "Sequence", "pretokenizers": [blank, rules["pre_tokenizer"]]}}
