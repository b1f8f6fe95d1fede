"""WordPiece as BERT published it (Devlin et al., 1810.04805; the subwords of Schuster & Nakajima, 2012).

A text is cleaned: NUL, U+FFFD and control characters go, every blank is a space, and a CJK ideograph is a
word. It is split at blanks and at every punctuation mark; in lower case, without accents, where the model is
uncased. Then each word is cut from the left, always the longest piece that the vocabulary has; pieces that go
on are written ``##piece``. A word which cannot be cut to its end, or is too long, is one [UNK].

*Departures*, all of them transformers' too: a capital sigma at the end of a Greek word becomes σ, where
Python's ``lower`` has ς; characters for private use and those that Unicode has not assigned are dropped; the
256 ideographs from U+2B820 do not stand alone; and what is a mark or punctuation is decided by an older table
of Unicode than Python's.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from anncestry.errors import require
from anncestry.tokenizers.training import learner, train

CONTINUES = "##"
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_ALPHABET = 1000
"""So many different characters are learnt at most; rarer ones are unknown."""


def rules(lowercase: bool, strip_accents: bool | None, split_cjk: bool) -> dict[str, Any]:
    """How a text is cleaned, split into words and put together again, as a ``tokenizer.json`` has it."""
    return {
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": split_cjk,
            "strip_accents": strip_accents,
            "lowercase": lowercase,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "decoder": {"type": "WordPiece", "prefix": CONTINUES, "cleanup": True},
    }


def model(tokens: tuple[str, ...], unknown: str, max_word_length: int) -> dict[str, Any]:
    """The vocabulary, in the form of a ``tokenizer.json``."""
    return {
        "type": "WordPiece",
        "unk_token": unknown,
        "continuing_subword_prefix": CONTINUES,
        "max_input_chars_per_word": max_word_length,
        "vocab": {token: position for position, token in enumerate(tokens)},
    }


def learn(texts: Iterable[str], size: int, lowercase: bool) -> dict[str, Any]:
    """The fields of a tokenizer with BERT's special tokens.

    Google never released how it learnt its pieces. As everybody since, we join the most frequent pair until
    there are ``size`` tokens.

    Raises:
        UserError: the size has no room for the characters of the texts.
    """
    backend = learner(rules(lowercase, None, True), {"continuing_subword_prefix": CONTINUES})
    kept = list(texts)
    counts = Counter("".join(map(backend.normalizer.normalize_str, kept)))
    ranked = sorted((c for c in counts if not c.isspace()), key=lambda c: (-counts[c], c))
    alphabet = sorted(ranked[:_ALPHABET])
    # Named beforehand they have ids which do not hang on the order of a hash table, and so have the joins.
    first = [*SPECIAL, *alphabet, *(CONTINUES + c for c in alphabet)]
    rule = f"must have room for the {len(first)} special tokens and characters of the training texts"
    require(bool(alphabet), "texts", len(kept), "hold nothing to learn from")
    require(size >= len(first), "vocab_size", size, rule)
    tokens, _ = train(backend, kept, size, first, alphabet, continuing_subword_prefix=CONTINUES)
    positions = {role: SPECIAL.index(f"[{mark}]") for role, mark in _ROLES.items()}
    return {"tokens": tokens, "special": positions, "template": "bert"}


_ROLES = {"pad": "PAD", "unknown": "UNK", "begin": "CLS", "separator": "SEP", "end": "SEP", "mask": "MASK"}
