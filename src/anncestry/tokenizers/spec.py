"""What a pre-trained model's tokenizer is made of: vocabulary, special tokens and rules, as plain data."""

import dataclasses
import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

from anncestry.errors import UserError, require

Kind = Literal["wordpiece", "byte-bpe", "word-bpe", "unigram"]
Template = Literal["bert", "roberta", "xlnet", "gpt", "ended", "none"]
_PACKED: dict[Template, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "bert": (("begin", "A", "separator"), ("begin", "A", "separator", "B", "separator")),
    "roberta": (("begin", "A", "end"), ("begin", "A", "end", "end", "B", "end")),
    "xlnet": (("A", "separator", "begin"), ("A", "separator", "B", "separator", "begin")),
    "gpt": (("begin", "A", "end"), ("begin", "A", "separator", "B", "end")),
    "ended": (("A", "end"), ("A", "end", "B", "end")),
    "none": (("A",), ("A", "B")),
}
"""What stands round a text A, and round two; GPT's are start, delimiter and extract (its section 3.3)."""


@dataclass(frozen=True)
class Special:
    """The ids of the special tokens; None where the model has no such token.

    BERT: begin is [CLS], separator and end are [SEP]. RoBERTa: begin is <s>, separator and end are </s>.
    GPT-2: begin and end are <|endoftext|>. GPT: start, delimiter, extract, which fine-tuning adds. XLNet:
    begin is <cls>, though it stands last.
    """

    pad: int | None = None
    unknown: int | None = None
    begin: int | None = None
    separator: int | None = None
    end: int | None = None
    mask: int | None = None


@dataclass(frozen=True)
class TokenizerSpec:
    """What a tokenizer is: vocabulary, special tokens, rules. `anncestry.tokenizers.tokenizer` runs it.

    Attributes:
        kind: how words are cut.
        tokens: (V,) in the order of their ids, added ones among them.
        special: which of them are special.
        template: how special tokens are put round texts.
        lowercase: whether texts are read in lower case.
        strip_accents: wordpiece: whether accents are dropped; None: where texts are read in lower case.
        split_cjk: wordpiece: whether every CJK ideograph is a word.
        max_word_length: wordpiece: longer words are unknown; 200 in BERT's code, 100 in transformers.
        prefix_space: byte-bpe: whether a blank is put before a text, so that its first word is as any other.
        merges: the two kinds of bpe: the pairs that are joined, the first ones first.
        scores: unigram: (V,) log probabilities.
        added: tokens that are found whole in a text before anything is cut.
        marks: further special tokens, which have no role in `Special`. They too are found whole in a text.
        flags: how tokens are found in a text that are not found as usual (`usual_flags`): the token, and the
            flags of Hugging Face's that are on for it.
        own: how many of the first tokens words are cut into; those behind them are found whole or not at
            all. 0: all.
        rules: how texts are cleaned and split where it is not the kind's own way: JSON, the fields
            ``normalizer``, ``pre_tokenizer`` and ``decoder`` of a ``tokenizer.json``.
    """

    kind: Kind
    tokens: tuple[str, ...]
    special: Special = Special()
    template: Template = "none"
    lowercase: bool = False
    strip_accents: bool | None = None
    split_cjk: bool = True
    max_word_length: int = 200
    prefix_space: bool = False
    merges: tuple[tuple[str, str], ...] = ()
    scores: tuple[float, ...] = ()
    added: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    rules: str = ""
    flags: tuple[tuple[str, tuple[str, ...]], ...] = ()
    own: int = 0

    def __post_init__(self) -> None:
        require(self.kind in get_args(Kind), "kind", self.kind, "must be a known kind", get_args(Kind))
        choices = get_args(Template)
        require(self.template in choices, "template", self.template, "must be a known template", choices)
        require(bool(self.tokens), "tokens", self.tokens, "must not be empty")
        if len(self._index) != len(self.tokens):
            seen: set[str] = set()
            twice = next(token for token in self.tokens if token in seen or seen.add(token))
            raise UserError("tokens", twice, "no token may stand twice")
        for role, position in self._roles().items():
            require(
                0 <= position < len(self), f"special.{role}", position, f"must be one of {len(self)} tokens"
            )
        missing = sorted({*self.added, *self.marks, *(token for token, _ in self.flags)} - self._index.keys())
        require(not missing, "added", missing[:5], "must be among the tokens")
        if self.kind == "unigram":
            rule = f"needs one for each of {len(self)} tokens"
            require(len(self.scores) == len(self.tokens), "scores", len(self.scores), rule)
        if self.kind != "byte-bpe":
            require(self.special.unknown is not None, "special.unknown", None, f"{self.kind} needs it")
        for role in {*_PACKED[self.template][1]} - {"A", "B"}:
            rule = f"the template {self.template} needs it"
            require(getattr(self.special, role) is not None, f"special.{role}", None, rule)

    def __len__(self) -> int:
        return len(self.tokens)

    def __reduce__(self):  # what is cached does not travel
        return (type(self), tuple(getattr(self, field.name) for field in dataclasses.fields(self)))

    @functools.cached_property
    def _index(self) -> dict[str, int]:
        return {token: position for position, token in enumerate(self.tokens)}

    def _roles(self) -> dict[str, int]:
        return {role: position for role, position in vars(self.special).items() if position is not None}

    @functools.cached_property
    def special_ids(self) -> frozenset[int]:
        """Every id which is no text."""
        return frozenset({*self._roles().values(), *(self._index[mark] for mark in self.marks)})

    def id_of(self, token: str) -> int | None:
        """The id of a token by its text; None where it is none."""
        return self._index.get(token)

    def pack(self, first: Sequence[int], second: Sequence[int] | None = None) -> list[int]:
        """One text, or two, with special tokens as the model wants them: [CLS] a [SEP] (b [SEP])."""
        packed: list[int] = []
        for part in _PACKED[self.template][second is not None]:
            if part in ("A", "B"):
                packed += first if part == "A" else second or ()
            else:
                packed.append(getattr(self.special, part))
        return packed

    def with_special(self, template: Template | None = None, **roles: str) -> Self:
        """The same with other special tokens; those that are new are added behind all others.

        ``gpt.with_special("gpt", begin="<start>", separator="<delimiter>", end="<extract>")`` is GPT's
        tokenizer for fine-tuning.

        Args:
            template: how they are put round texts; as before where not given.
            roles: a name of `Special`, the text of the token.
        """
        names = [field.name for field in dataclasses.fields(Special)]
        for role in roles:
            require(role in names, "special", role, "is no kind of special token", names)
        new = tuple(dict.fromkeys(token for token in roles.values() if token not in self._index))
        tokens = self.tokens + new
        special = dataclasses.replace(self.special, **{r: tokens.index(token) for r, token in roles.items()})
        scores = self.scores + (0.0,) * len(new) if self.kind == "unigram" else ()
        # a token which loses its role stays special
        lost = {position for position in self._roles().values() if position not in vars(special).values()}
        return dataclasses.replace(
            self,
            tokens=tokens,
            special=special,
            scores=scores,
            template=template or self.template,
            marks=self.marks + tuple(self.tokens[position] for position in sorted(lost)),
        )

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON; `from_json` undoes it."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        fields["special"] = dataclasses.asdict(self.special)
        return json.loads(json.dumps(fields))

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        fields = dict(fields)
        fields["special"] = Special(**fields["special"])
        fields["merges"] = tuple((first, second) for first, second in fields["merges"])
        for name in ("tokens", "scores", "added", "marks"):
            fields[name] = tuple(fields[name])
        fields["flags"] = tuple((token, tuple(flags)) for token, flags in fields.get("flags", ()))
        return cls(**fields)


def packed_parts(template: Template) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What stands round one text A, and round A and B."""
    return _PACKED[template]
