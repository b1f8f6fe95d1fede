"""Learning a tokenizer from texts: the same texts give the same one."""

from collections.abc import Iterable

from anncestry.errors import require
from anncestry.tokenizers import bpe, wordpiece
from anncestry.tokenizers.spec import Kind, Special
from anncestry.tokenizers.tokenizer import Tokenizer
from anncestry.user_files import whole_characters

VOCAB_SIZE = 8_000
"""Default size of a vocabulary."""
_LEARNERS = {
    "wordpiece": wordpiece.learn,
    "byte-bpe": bpe.learn_bytes,
    "word-bpe": bpe.learn_words,
}
LEARNT: tuple[Kind, ...] = ("wordpiece", "byte-bpe", "word-bpe")
"""The levels of texts that a tokenizer is learnt for."""


def learn_tokenizer(
    texts: Iterable[str], level: str | None = None, vocab_size: int | None = None, lowercase: bool = False
) -> Tokenizer:
    """The tokenizer of a training split.

    Args:
        level: ``wordpiece`` (the default) has BERT's special tokens and template, ``byte-bpe`` GPT-2's
            <|endoftext|> at the end, ``word-bpe`` GPT's <unk> at the beginning.
        vocab_size: V at most, special tokens among them; default: 8,000.

    Raises:
        UserError: the size has no room for the characters of the texts, or the level cannot be learnt.
    """
    kinds: dict[str | None, Kind] = {None: "wordpiece", **{kind: kind for kind in LEARNT}}
    require(level in kinds, "level", level, "is no level of pieces", LEARNT)
    kind = kinds[level]
    fields = _LEARNERS[kind](map(whole_characters, texts), vocab_size or VOCAB_SIZE, lowercase)
    fields["special"] = Special(**fields["special"])
    return Tokenizer(kind=kind, lowercase=lowercase, **fields)
