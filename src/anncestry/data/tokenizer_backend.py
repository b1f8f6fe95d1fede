"""What runs: a tokenizer of ours as one of the `tokenizers` library, by way of the JSON it writes and reads.

What is run is therefore what is written as ``tokenizer.json``.
"""

import json
from typing import TYPE_CHECKING, Any

from anncestry.data import byte_pairs, tokenizer_pieces, wordpiece
from anncestry.errors import UserError

if TYPE_CHECKING:
    from anncestry.data.tokenizer import Tokenizer


def build(tokenizer: "Tokenizer", read_special: bool) -> Any:
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


def learner(rules: dict[str, Any], options: dict[str, str]) -> Any:
    """Something that splits texts and has no tokens yet."""
    from tokenizers import Tokenizer as Backend

    empty = {"type": "BPE", "vocab": {}, "merges": [], **options}
    return Backend.from_str(json.dumps({"version": "1.0", "added_tokens": [], **rules, "model": empty}))


def rules(tokenizer: "Tokenizer") -> dict[str, Any]:
    """How texts are cleaned, split and put together again."""
    t = tokenizer
    if t.rules:
        return json.loads(t.rules)
    if t.kind == "wordpiece":
        return wordpiece.rules(t.lowercase, t.strip_accents, t.split_cjk)
    if t.kind == "byte-bpe":
        return byte_pairs.byte_rules(t.lowercase, t.prefix_space)
    if t.kind == "word-bpe":
        return byte_pairs.word_rules(t.lowercase)
    return tokenizer_pieces.rules(t.lowercase)


def model(tokenizer: "Tokenizer", read_special: bool) -> dict[str, Any]:
    """The vocabulary and what cuts a word."""
    t = tokenizer
    unknown = t.special.unknown
    if t.kind == "unigram":
        hidden = frozenset() if read_special else t.special_ids
        return tokenizer_pieces.model(t.tokens, t.scores, unknown or 0, hidden)
    if t.kind == "wordpiece":
        return wordpiece.model(t.tokens, t.tokens[unknown or 0], t.max_word_length)
    if t.kind == "byte-bpe":
        return byte_pairs.model(t.tokens, t.merges, None, None)
    return byte_pairs.model(t.tokens, t.merges, t.tokens[unknown or 0], byte_pairs.END_OF_WORD)


def added(tokenizer: "Tokenizer", read_special: bool) -> list[dict[str, Any]]:
    """The tokens that are found whole in a text, by their ids."""
    special = tokenizer.special_ids if read_special else frozenset()
    places = {tokenizer.id_of(token) for token in tokenizer.added} | special
    # A blank before a masked word belongs to it, as those were trained whose pieces begin with blanks.
    wide = tokenizer.special.mask if tokenizer.kind in ("byte-bpe", "unigram") else None
    return [
        {
            "id": place,
            "content": tokenizer.tokens[place],
            "single_word": False,
            "lstrip": place == wide,
            "rstrip": False,
            "normalized": place not in special,
            "special": place in special,
        }
        for place in sorted(p for p in places if p is not None)
    ]
