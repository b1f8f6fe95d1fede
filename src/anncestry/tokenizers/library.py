"""What runs: a tokenizer of ours as one of the `tokenizers` library, by way of the JSON it writes and reads.

What is run is therefore what is written as ``tokenizer.json``.
"""

import dataclasses
import json
from typing import Any, TypeVar

from anncestry.errors import UserError
from anncestry.tokenizers import bpe, unigram, wordpiece
from anncestry.tokenizers.spec import TokenizerSpec

Spec = TypeVar("Spec", bound=TokenizerSpec)
FLAGS = ("single_word", "lstrip", "rstrip", "normalized")
"""How a token is found: as a word of its own, with the blanks before or behind it, in the cleaned text."""


def build(tokenizer: TokenizerSpec, read_special: bool) -> Any:
    """The running form.

    Args:
        read_special: whether special tokens that are written in a text are read as such.

    Raises:
        UserError: the library does not take it: a merge of pieces that are no tokens, damaged rules.
    """
    from tokenizers import Tokenizer as Backend

    whole = {"added_tokens": added(tokenizer, read_special), **rules(tokenizer)}
    whole["model"] = model(tokenizer, read_special)
    try:
        return Backend.from_str(json.dumps({"version": "1.0", **whole}))
    except Exception as error:  # the library raises nothing narrower
        raise UserError("tokenizer", tokenizer.kind, f"is damaged ({error})") from error


def rules(tokenizer: TokenizerSpec) -> dict[str, Any]:
    """How texts are cleaned, split and put together again."""
    t = tokenizer
    if t.rules:
        return json.loads(t.rules)
    if t.kind == "wordpiece":
        return wordpiece.rules(t.lowercase, t.strip_accents, t.split_cjk)
    if t.kind == "byte-bpe":
        return bpe.byte_rules(t.lowercase, t.prefix_space)
    if t.kind == "word-bpe":
        return bpe.word_rules(t.lowercase)
    return unigram.rules(t.lowercase)


def model(tokenizer: TokenizerSpec, read_special: bool) -> dict[str, Any]:
    """The vocabulary and what cuts a word."""
    t = tokenizer
    unknown, tokens = t.special.unknown, t.tokens[: t.own or None]
    if t.kind == "unigram":
        marks = {t.id_of(mark) for mark in t.marks}
        left_out = frozenset() if read_special else t.special_ids - marks
        return unigram.model(tokens, t.scores[: len(tokens)], unknown or 0, left_out)
    if t.kind == "wordpiece":
        return wordpiece.model(tokens, t.tokens[unknown or 0], t.max_word_length)
    if t.kind == "byte-bpe":
        return bpe.model(tokens, t.merges, None, None)
    return bpe.model(tokens, t.merges, t.tokens[unknown or 0], bpe.END_OF_WORD)


def added(tokenizer: TokenizerSpec, read_special: bool) -> list[dict[str, Any]]:
    """The tokens that are found whole in a text, by their ids."""
    marks = {tokenizer.id_of(token) for token in tokenizer.marks}
    special = tokenizer.special_ids if read_special else marks
    positions = {tokenizer.id_of(token) for token in tokenizer.added} | special
    how = dict(tokenizer.flags)
    listed = []
    for position in sorted(p for p in positions if p is not None):
        token = tokenizer.tokens[position]
        flags = how.get(token, usual_flags(tokenizer, position))
        found = {flag: flag in flags for flag in FLAGS}
        listed.append({"id": position, "content": token, **found, "special": position in special})
    return listed


def lowered(tokenizer: Spec) -> Spec:
    """The same which reads texts in lower case."""
    known = rules(tokenizer)
    cleaned = json.dumps(known["normalizer"])
    if '"Lowercase"' in cleaned or '"lowercase": true' in cleaned:
        return tokenizer
    steps = [{"type": "Lowercase"}, *([known["normalizer"]] if known["normalizer"] else [])]
    lowered = {**known, "normalizer": {"type": "Sequence", "normalizers": steps}}
    return dataclasses.replace(tokenizer, rules=json.dumps(lowered), lowercase=True)


def usual_flags(tokenizer: TokenizerSpec, position: int) -> tuple[str, ...]:
    """How a token is found that is found whole, where no file says it.

    A blank before a masked word belongs to it, as those were trained whose pieces begin with blanks.
    """
    if position == tokenizer.special.mask and tokenizer.kind in ("byte-bpe", "unigram"):
        return ("lstrip",)
    return () if position in tokenizer.special_ids else ("normalized",)
