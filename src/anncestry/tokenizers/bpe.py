r"""Byte-pair encoding (Sennrich, Haddow & Birch, 1508.07909) as GPT and GPT-2 published it.

**GPT-2**, RoBERTa, BART: of bytes. Each byte is written as a character that can be seen (a blank is ``Ġ``),
so no text is unknown, and ``decode`` gives it back exactly. A text is first split into runs of letters, of
digits and of other marks, each with the blank before it; English short forms (``'s``) stand alone.

**GPT**: of the characters of words, the last of which carries ``</w>``. Its code repairs a text (ftfy),
standardises it, splits it as spaCy 2.0's English, and lower-cases the words. Here:

* From the code itself: dashes become ``-``, an ellipsis ``...``, an acute accent ``'``; runs of
  ``-~!";?+,()\/*[]{}|_`` stand alone; blanks round a line's end go, other blanks are single. A line's end is
  a token.
* Of ftfy: characters are composed (NFC), curly quotes are straight, ``\r\n`` is ``\n``. ftfy also repairs
  text that was decoded wrongly, takes ligatures and wide letters apart, resolves HTML entities, and drops
  control
  characters: such texts get other ids here.
* Of spaCy: short forms (``do n't``, ``it 's``, ``can not``, ``gon na``), titles and initials with their full
  stop (``mr.``, ``u.s.``), slang with an apostrophe (``'em``, ``goin'``), and marks of the edges of words.
  spaCy differs in that it splits units from numbers (``5km``), a full stop between two sentences without a
  blank (``end.Next``), and short forms only of words that it lists (``it 'll``, but ``Rover'll``); it knows
  emoticons, addresses and more abbreviations; and it sees capitals, which here are gone before the words are
  split.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from anncestry.errors import require
from anncestry.tokenizers.training import learner, train

END_OF_WORD = "</w>"
END_OF_TEXT = "<|endoftext|>"
UNKNOWN = "<unk>"

_SIGNS = {"\r\n": "\n", "—": "-", "–": "-", "―": "-", "…": "...", "´": "'"}
_QUOTES = {**dict.fromkeys("‘’‚‛ʼ", "'"), **dict.fromkeys("“”„‟", '"')}
_TITLES = (
    "adm|aug|bros|capt|co|col|corp|dec|dr|feb|gen|gov|inc|jan|jr|lt|ltd|maj|messrs|mr|mrs|ms|mt|nov|oct|ph"
    "|prof|rep|rev|sen|sept|sgt|sr|st|vs"
)
_LETTER = r"(?:[^\s\p{P}\p{S}]|[@^])"  # of a word, whatever stands round it
_INSIDE = r"(?:['&‐‑]|(?<!\.)\.(?!\.)|(?<=\d):(?=\d))"  # of a word, unless at its edge
_SHORT = rf"(?:n't|'(?:s|re|ve|ll|d|m))(?!{_LETTER})"
_WORD = "|".join(
    [
        r"\n",
        r"\.\.+|-+|~+|\\+|/+|\|+|''|``",
        rf"(?:{_TITLES})\.(?!{_LETTER})",
        rf"(?:ph\.)?(?:\p{{L}}\.)+(?!{_LETTER})",
        rf"'(?:em|cause|cos|coz|bout|nuff|til|s|re|ve|ll|d|m)(?!{_LETTER})",
        r"(?:doin|goin|havin|lovin|nothin|nuthin|ol|somethin)'(?![\p{L}\p{N}])",
        rf"(?<=\p{{L}})n't(?!{_LETTER})",
        rf"(?<!{_LETTER})(?:can(?=not(?!{_LETTER}))|gon(?=na(?!{_LETTER}))|got(?=ta(?!{_LETTER})))",
        rf"{_LETTER}(?:(?:{_LETTER}|{_INSIDE})*?{_LETTER})??(?={_SHORT})",
        rf"{_LETTER}(?:(?:{_LETTER}|{_INSIDE})*{_LETTER})?",
        r"\S",
    ]
)
"""A word, or a mark, of GPT."""


def byte_rules(lowercase: bool, prefix_space: bool) -> dict[str, Any]:
    """GPT-2's way with a text, in the form of a ``tokenizer.json``."""
    level = {"type": "ByteLevel", "add_prefix_space": prefix_space, "trim_offsets": True, "use_regex": True}
    return {
        "normalizer": {"type": "Lowercase"} if lowercase else None,
        "pre_tokenizer": level,
        "decoder": {**level, "add_prefix_space": True},
    }


def word_rules(lowercase: bool) -> dict[str, Any]:
    """GPT's way with a text, in the form of a ``tokenizer.json``."""
    steps: list[dict[str, Any]] = [{"type": "NFC"}]
    steps += [_replace({"String": old}, new) for old, new in {**_SIGNS, **_QUOTES}.items()]
    steps += [{"type": "Strip", "strip_left": True, "strip_right": True}]
    steps += [_replace({"Regex": r"\s*\n\s*"}, "\n")]
    steps += [{"type": "Lowercase"}] if lowercase else []
    words = {"type": "Split", "pattern": {"Regex": f"(?i){_WORD}"}, "behavior": "Removed", "invert": True}
    return {
        "normalizer": {"type": "Sequence", "normalizers": steps},
        "pre_tokenizer": words,
        "decoder": {"type": "BPEDecoder", "suffix": END_OF_WORD},
    }


def _replace(pattern: dict[str, str], content: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": pattern, "content": content}


def model(
    tokens: tuple[str, ...],
    merges: tuple[tuple[str, str], ...],
    unknown: str | None,
    end_of_word: str | None,
) -> dict[str, Any]:
    """The vocabulary and its joins, in the form of a ``tokenizer.json``."""
    return {
        "type": "BPE",
        "dropout": None,
        "unk_token": unknown,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": end_of_word,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": False,
        "vocab": {token: position for position, token in enumerate(tokens)},
        "merges": [list(pair) for pair in merges],
    }


def learn_bytes(texts: Iterable[str], size: int, lowercase: bool) -> dict[str, Any]:
    """The fields of a tokenizer like GPT-2's: 256 bytes, then joins, then <|endoftext|>.

    Raises:
        UserError: the size has no room for the bytes.
    """
    from tokenizers import pre_tokenizers

    require(size > 256, "vocab_size", size, "must have room for 256 bytes and <|endoftext|>")
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens, merges = train(learner(byte_rules(lowercase, False), {}), texts, size - 1, [], alphabet)
    return {
        "tokens": (*tokens, END_OF_TEXT),
        "merges": merges,
        "special": {"begin": len(tokens), "end": len(tokens)},
    }


def learn_words(texts: Iterable[str], size: int, lowercase: bool) -> dict[str, Any]:
    r"""The fields of a tokenizer like GPT's: <unk>, characters, the same as ends of words, joins, ``\n</w>``.

    Raises:
        UserError: the size has no room for the characters of the texts.
    """
    backend = learner(word_rules(lowercase), {"end_of_word_suffix": END_OF_WORD})
    kept = list(texts)
    counts = Counter("".join(map(backend.normalizer.normalize_str, kept)))
    ranked = sorted((c for c in counts if not c.isspace()), key=lambda c: (-counts[c], c))
    alphabet = sorted(ranked[:1000])
    # as in `anncestry.tokenizers.wordpiece.learn`: named beforehand, so that their order is no hash table's
    first = [UNKNOWN, *alphabet, *(c + END_OF_WORD for c in alphabet)]
    rule = f"must have room for the {len(first) + 1} special tokens and characters of the training texts"
    require(bool(alphabet), "texts", len(kept), "hold nothing to learn from")
    require(size > len(first), "vocab_size", size, rule)
    tokens, merges = train(backend, kept, size - 1, first, alphabet, end_of_word_suffix=END_OF_WORD)
    return {"tokens": (*tokens, "\n" + END_OF_WORD), "merges": merges, "special": {"unknown": 0}}
