"""Vocabularies of source and target texts: between a text and a list of tokens, both ways.

Every vocabulary begins with the four tokens of `anncestry.signature`: PAD, UNKNOWN, BEGIN, END. Blanks of any
kind are one blank, and none stands at the ends; but for that, and for what is unknown, ``decode`` undoes
``encode``.

* ``word``: words, and each punctuation mark for itself. A mark `JOINER` says on which side a token had no
  blank: ``runs.`` is ``runs`` and ``￭.``. Numbers and words with hyphens stay whole; an apostrophe goes with
  what follows where that is one of English's short forms (``it ￭'s``), else with what comes before it
  (``l'￭ homme``).
* ``char``: one token a character.
* ``bpe``: byte-pair encoding of characters (Sennrich, Haddow & Birch, 1508.07909). Every word begins with
  `SPACE`, as in SentencePiece, and no token goes over a blank or a punctuation mark.

Three more kinds come with imported weights and are not learnt here:

* ``pieces``: what stands between blanks, for texts that were cut elsewhere.
* ``unigram``: SentencePiece's unigrams; ``subword``: tensor2tensor's (`anncestry.tokenizers.subwords`).
"""

import base64
import functools
import json
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from anncestry.errors import require
from anncestry.signature import END, UNKNOWN
from anncestry.tokenizers.subwords import SPACE, alphabet_of, cut_subwords, join_subwords, unigram_tokenizer

Level = Literal["char", "word", "bpe"]
Kind = Literal["char", "word", "bpe", "pieces", "unigram", "subword"]
SPECIAL = ("<pad>", "<unk>", "<begin>", "<end>")
JOINER = "\uffed"
_LOOKALIKES = {"word": {JOINER: "\u25a0"}, "bpe": {SPACE: "_"}, "char": {}}
"""What becomes of our own marks in a text."""
BPE_SIZE = 8000
_LANGUAGE = re.compile(r">>\S+?<<")
"""With what a text begins that is to be translated into one of several languages: a token of its own."""


def normalise(text: str, lowercase: bool = False) -> str:
    """The text with single blanks, and in lower case if asked for."""
    text = " ".join(text.split())
    return text.lower() if lowercase else text


@functools.cache
def _pieces() -> re.Pattern[str]:
    # Vowel signs and other marks belong to their word; Python's \w leaves them out.
    marks = "".join(c for c in map(chr, range(0x300, 0x10000)) if unicodedata.category(c)[0] == "M")
    word = f"[\\w{re.escape(marks)}]"
    short = f"(?:s|re|ve|ll|d|m|t)(?!{word})"
    return re.compile(
        rf"\d+(?:[.,:]\d+)+(?!{word})|(?<={word})['’]{short}"
        rf"|{word}+(?:-{word}+)*(?:['’](?={word})(?!{short}))?|\S",
        re.IGNORECASE,
    )


def split_words(text: str) -> list[str]:
    """The words and punctuation marks of a text, without marks of ours."""
    return _pieces().findall(text)


def _join_marks(text: str) -> list[str]:
    """The words and punctuation marks of a text, with `JOINER` where no blank was."""
    tokens: list[str] = []
    end = -1  # where the last piece ended
    for piece in _pieces().finditer(text):
        token = piece[0]
        if piece.start() == end:
            before = tokens[-1]
            if _is_word(token) and (not _is_word(before) or before[-1] in "'’"):
                tokens[-1] = before + JOINER
            else:
                token = JOINER + token
        tokens.append(token)
        end = piece.end()
    return tokens


def _is_word(token: str) -> bool:
    return any(c.isalnum() for c in token) and token[0] not in "'’"


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of one kind of text; a token is a position among them.

    Attributes:
        kind: how a text is cut.
        tokens: (V,) the four special ones, then characters, words or subwords.
        lowercase: whether texts are read in lower case.
        merges: bpe: the pairs of subwords that are joined, the first ones first.
        pieces, charsmap: unigram: as for `anncestry.tokenizers.subwords.unigram_tokenizer`; a piece is a
            token only if it is also among ``tokens``.
    """

    kind: Kind
    tokens: tuple[str, ...]
    lowercase: bool = False
    merges: tuple[tuple[str, str], ...] = ()
    pieces: tuple[tuple[str, float], ...] = ()
    charsmap: bytes = b""

    def __post_init__(self) -> None:
        require(self.kind in get_args(Kind), "level", self.kind, "must be a known kind", get_args(Kind))
        rule = "a vocabulary begins with the four special tokens"
        require(self.tokens[: len(SPECIAL)] == SPECIAL, "tokens", self.tokens[:4], rule, SPECIAL)

    @classmethod
    def learn(
        cls,
        texts: Iterable[str],
        kind: Level = "word",
        size: int | None = None,
        min_count: int = 1,
        lowercase: bool = False,
    ) -> "Vocabulary":
        """The vocabulary of a training split; the same texts give the same one.

        Args:
            size: V at most, the special tokens among them; default for bpe: 8,000.
            min_count: how often a word or character, or a pair of subwords, must occur at least.

        Raises:
            UserError: the size has no room for anything, or nothing occurs that often.
        """
        rule = f"must be above the {len(SPECIAL)} special tokens"
        require(size is None or size > len(SPECIAL), "vocab_size", size, rule)
        normal = [normalise(text, lowercase) for text in texts]
        if kind == "bpe":
            tokens, merges = _learn_bpe(normal, size or BPE_SIZE, min_count)
            require(len(tokens) > len(SPECIAL), "level", kind, "needs a text to learn from")
            return cls(kind, tokens, lowercase, merges)
        empty = cls(kind, SPECIAL, lowercase)
        counts = Counter("".join(normal) if kind == "char" else ())
        for word, times in Counter(w for text in normal for w in text.split()).items():
            for token in empty._cut(word) if kind == "word" else ():
                counts[token] += times
        ranked = sorted((t for t in counts if counts[t] >= min_count), key=lambda t: (-counts[t], t))
        rule = f"no {kind} of the training texts occurs so often"
        require(bool(ranked), "min_count", min_count, rule)
        kept = ranked if size is None else ranked[: size - len(SPECIAL)]
        return cls(kind, (*SPECIAL, *kept), lowercase)

    def __len__(self) -> int:
        return len(self.tokens)

    def __reduce__(self):  # what is cached does not travel
        fields = (self.kind, self.tokens, self.lowercase, self.merges, self.pieces, self.charsmap)
        return (Vocabulary, fields)

    @functools.cached_property
    def _index(self) -> dict[str, int]:
        return {token: position for position, token in enumerate(self.tokens) if position > END}

    @functools.cached_property
    def _bpe(self) -> Any:
        return _tokenizer({token: position for position, token in enumerate(self.tokens)}, self.merges)

    @functools.cached_property
    def _unigram(self) -> Any:
        return unigram_tokenizer(self.pieces, self.charsmap)

    @functools.cached_property
    def _letters(self) -> tuple[frozenset[str], int]:
        """Of tensor2tensor's subwords: their characters, and how many the longest has."""
        subwords = self.tokens[END + 1 :]
        return alphabet_of(subwords), max(map(len, subwords), default=0)

    def _cut_foreign(self, normal: str) -> list[str]:
        """A normalised text in pieces, for the kinds that are not learnt here."""
        if self.kind == "pieces":
            return normal.split()
        if self.kind == "subword":
            return cut_subwords(normal, self._index, *self._letters)
        language = _LANGUAGE.match(normal)
        rest = normal[language.end() :] if language else normal
        return [*([language[0]] if language else []), *self._unigram.encode(rest).tokens]

    def _cut(self, normal: str) -> list[str]:
        """A normalised text in pieces, for words and characters."""
        for mark, other in _LOOKALIKES[self.kind].items():
            normal = normal.replace(mark, other)
        return list(normal) if self.kind == "char" else _join_marks(normal)

    def encode(self, text: str) -> list[int]:
        """The tokens of a text, without `BEGIN` and `END`; what is not in the vocabulary is `UNKNOWN`."""
        return self.encode_all([text])[0]

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        """`encode` for each of many texts."""
        normal = [normalise(text, self.lowercase) for text in texts]
        index = self._index
        if self.kind == "char":
            return [[index.get(token, UNKNOWN) for token in text] for text in normal]
        if self.kind not in get_args(Level):
            return [[index.get(token, UNKNOWN) for token in self._cut_foreign(text)] for text in normal]
        # No token goes over a blank, so each word has to be cut but once.
        words = [text.split() for text in normal]
        distinct = list(dict.fromkeys(word for row in words for word in row))
        if self.kind == "bpe":
            plain = [word.replace(SPACE, _LOOKALIKES["bpe"][SPACE]) for word in distinct]
            cut = [found.ids for found in self._bpe.encode_batch_fast(plain, add_special_tokens=False)]
        else:
            cut = [[index.get(token, UNKNOWN) for token in self._cut(word)] for word in distinct]
        tokens_of = dict(zip(distinct, cut, strict=True))
        return [[token for word in row for token in tokens_of[word]] for row in words]

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of tokens: up to `END` if it is among them, without `PAD` and `BEGIN`."""
        pieces = []
        for token in tokens:
            if token == END:
                break
            if token == UNKNOWN or token > END:
                pieces.append(self.tokens[token])
        if self.kind == "word":
            text = " ".join(pieces)
            return text.replace(f" {JOINER}", "").replace(f"{JOINER} ", "").replace(JOINER, "")
        if self.kind == "pieces":
            return " ".join(pieces)
        if self.kind == "subword":
            return join_subwords(pieces)
        text = "".join(pieces)
        return text if self.kind == "char" else text.replace(SPACE, " ").strip()

    def to_json(self) -> dict[str, Any]:
        fields: dict[str, Any] = {"kind": self.kind, "tokens": list(self.tokens), "lowercase": self.lowercase}
        if self.merges:
            fields["merges"] = [list(pair) for pair in self.merges]
        if self.pieces:
            fields["pieces"] = [list(pair) for pair in self.pieces]
            fields["charsmap"] = base64.b64encode(self.charsmap).decode()
        return fields

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Vocabulary":
        merges = tuple((first, second) for first, second in fields.get("merges", ()))
        pieces = tuple((piece, score) for piece, score in fields.get("pieces", ()))
        charsmap = base64.b64decode(fields.get("charsmap", ""))
        return cls(fields["kind"], tuple(fields["tokens"]), fields["lowercase"], merges, pieces, charsmap)


def _tokenizer(positions: dict[str, int], merges: Sequence[tuple[str, str]]) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers

    model = models.BPE(vocab=positions, merges=list(merges), unk_token=SPECIAL[UNKNOWN], fuse_unk=False)
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(  # pyright: ignore[reportAttributeAccessIssue]
        [
            pre_tokenizers.Metaspace(SPACE, prepend_scheme="always", split=True),
            pre_tokenizers.Punctuation("isolated"),
        ]
    )
    return tokenizer


def _learn_bpe(
    texts: list[str], size: int, min_count: int
) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """``(tokens, merges)`` of byte-pair encoding."""
    from tokenizers import trainers

    mark = _LOOKALIKES["bpe"][SPACE]
    tokenizer = _tokenizer({SPECIAL[UNKNOWN]: 0}, ())
    trainer = trainers.BpeTrainer(  # pyright: ignore[reportCallIssue]
        vocab_size=size, min_frequency=min_count, special_tokens=list(SPECIAL), show_progress=False
    )
    tokenizer.train_from_iterator((text.replace(SPACE, mark) for text in texts if text), trainer)
    learnt = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(learnt["vocab"], key=learnt["vocab"].__getitem__)
    rule = f"must have room for the {len(tokens)} characters of the training texts"
    require(len(tokens) <= max(size, len(SPECIAL)), "vocab_size", size, rule)
    return tuple(map(sys.intern, tokens)), tuple((first, second) for first, second in learnt["merges"])
