"""Texts, or pairs of texts, between special tokens, as pre-trained encoders read them.

``[CLS] a [SEP]``, or ``[CLS] a [SEP] b [SEP]``; which ones and where is the tokenizer's matter.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Self

import torch

from anncestry.arrays import Int, Tensor
from anncestry.data.processors.given import Given, ReadsTexts, Text, label_of
from anncestry.data.processors.sentences import pad
from anncestry.errors import UserError
from anncestry.tokenizers.spec import packed_parts
from anncestry.tokenizers.tokenizer import Tokenizer


@dataclass(frozen=True)
class PackedProcessor(ReadsTexts):
    """What is common to all that reads packed texts; a kind of task adds how it reads its targets.

    Attributes:
        tokenizer: cuts texts and puts special tokens round them.
        max_tokens: the longest input, special tokens among them.
        cut: whether longer texts are cut at their end (of a pair, the longer one first) instead of refused.
        read_special: whether special tokens that somebody typed are read as such, as transformers does.
        apart: the token between two texts, where the model distinguishes these by it; no text holds it.
    """

    tokenizer: Tokenizer
    max_tokens: int = 512
    cut: bool = False
    read_special: bool = field(default=False, kw_only=True)
    apart: int | None = field(default=None, kw_only=True)

    kind: ClassVar[str]

    @property
    def target_scale(self) -> tuple[float, ...] | None:
        """None, unless targets are real values."""
        return None

    @property
    def filler(self) -> int:
        """The token beyond the end of a text: never the one that an input ends with."""
        special, last = self.tokenizer.special, packed_parts(self.tokenizer.template)[0][-1]
        if special.pad is not None:
            return special.pad
        others = {"end": special.end, "begin": special.begin}
        found = (position for role, position in others.items() if role != last and position is not None)
        return next((position for position in found if position != others.get(last)), 0)

    def encode(
        self, texts: Sequence[Text], special: bool = False, blank: bool = False
    ) -> tuple[Int[Tensor, "N T"], Int[Tensor, "N"]]:
        """Tokens of texts or pairs, padded, and the length of each.

        Args:
            special: whether special tokens that are written in a text are read as such.
            blank: whether a text may hold nothing; it is then special tokens alone.

        Raises:
            UserError: a text is empty, or longer than ``max_tokens`` and not to be cut.
        """
        return self.encode_counted(texts, special, blank)[:2]

    def encode_counted(
        self, texts: Sequence[Text], special: bool = False, blank: bool = False
    ) -> tuple[Int[Tensor, "N T"], Int[Tensor, "N"], int]:
        """`encode`, and how many of the texts were cut."""
        special = special or self.read_special
        pairs = [(text, None) if isinstance(text, str) else text for text in texts]
        firsts = self.tokenizer.encode_all([first for first, _ in pairs], special)
        seconds = iter(self.tokenizer.encode_all([s for _, s in pairs if s is not None], special))
        rows, num_cut = [], 0
        for (first, second), tokens in zip(pairs, firsts, strict=True):
            others = None if second is None else next(seconds)
            if not blank and (not tokens or others == []):
                raise UserError("text", first if not tokens else second, "must hold at least one token")
            room = self.room(second is not None)
            if len(tokens) + len(others or ()) > room:
                if not self.cut:
                    rule = f"has {len(tokens) + len(others or ())} tokens, and the model reads {room}"
                    hint = "`cut` leaves out the end of texts that are too long."
                    raise UserError("text", first[:80], rule, hint=hint)
                tokens, others = shorten(tokens, others, room)
                num_cut += 1
            rows.append(self.pack(tokens, others))
            if not rows[-1]:
                raise UserError("text", first, "must hold at least one token")
        return *pad(rows, self.filler), num_cut

    def pack(self, first: Sequence[int], second: Sequence[int] | None = None) -> list[int]:
        """One text, or two, between special tokens.

        Raises:
            UserError: one holds the token between two texts, which would make two of it.
        """
        if self.apart is not None and (self.apart in first or self.apart in (second or ())):
            token = self.tokenizer.tokens[self.apart]
            rule = "stands in a text, where the model would begin the second of two texts"
            raise UserError("text", token, rule, hint="Two texts are written with a tab between them.")
        return self.tokenizer.pack(first, second)

    def room(self, pair: bool = False) -> int:
        """How many tokens of a text, or of both together, an input holds beside the special ones."""
        return self.max_tokens - len(self.tokenizer.pack([], [] if pair else None))

    def is_blank(self, text: Text) -> bool:
        """False: special tokens stand round every text, also round an empty one."""
        return False

    def read(self, source: Given) -> tuple[list[str], Int[Tensor, "N T"]]:
        """Texts, or pairs of them, also with a tab between the two (`given_texts`)."""
        texts = self.texts(source)
        return list(map(label_of, texts)), self.encode(list(map(as_pair, texts)), blank=True)[0]

    def lengths_of(self, inputs: Int[Tensor, "N T"]) -> Int[Tensor, "N"]:
        """How many tokens of each row are no padding."""
        positions = torch.arange(1, inputs.shape[1] + 1, device=inputs.device)
        return ((inputs != self.filler) * positions).amax(1).clamp(min=1)

    def to_json(self) -> dict[str, Any]:
        fields = asdict(self)
        return {"kind": self.kind, **fields, "tokenizer": self.tokenizer.to_json()}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        tokenizer = Tokenizer.from_json(fields["tokenizer"])
        rest = {key: value for key, value in fields.items() if key not in ("kind", "tokenizer")}
        made: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in rest.items()}
        return cls(tokenizer, **made)


def as_pair(text: Text) -> Text:
    """A text, or the two on both sides of its tab, as they stand."""
    if not isinstance(text, str):
        return text
    first, tab, second = text.partition("\t")
    return (first, second) if tab else text


def shorten(first: list[int], second: list[int] | None, room: int) -> tuple[list[int], list[int] | None]:
    """The beginnings of two texts that have room together; what is too much is taken from the longer one."""
    if second is None:
        return first[:room], None
    half = room // 2
    of_first = max(room - len(second), min(len(first), room - half))
    return first[:of_first], second[: room - min(of_first, len(first))]
