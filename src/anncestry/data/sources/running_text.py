"""Running text as tokens: its parts, the tokenizer that is learnt from the first, and the cache.

Documents are parted by blank lines. A text is cut into tokens once, and large ones are kept in files
(`anncestry.data.readers.token_files`).
"""

import json
from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from pathlib import Path

from anncestry.data.options import DataOptions
from anncestry.data.readers.lines import Lines, survey
from anncestry.data.readers.token_files import Cutter, TokenFile, cache_folder, cut_text, key_of
from anncestry.errors import UserError, require
from anncestry.tokenizers.learning import LEARNT, VOCAB_SIZE, learn_tokenizer
from anncestry.tokenizers.source import tokenizer_of
from anncestry.tokenizers.tokenizer import Tokenizer

WINDOW = 128
SMALL = 1_000_000  # characters of a text that is cut anew each time, unless a cache is named
LEARNT_FROM = 30_000_000
"""Characters of the training part that a tokenizer is learnt from at most."""
BORDERS = {"tail": (0.90, 0.95), "tail-10": (0.90,)}
LATE = 0.02
"""A part ends with a document where one ends within so much of the text; else with a line."""
PARTS = ("training", "validation", "test")
_SPECIAL = {"pad": "<pad>", "begin": "<s>", "end": "</s>", "separator": "</s>", "unknown": "<unk>"}


@dataclass(frozen=True)
class RunningText:
    """A text in parts, still as lines.

    Attributes:
        name: the data name, for errors.
        options: how it is read.
        parts: of `PARTS`, or but two where the last one is both validation and test.
        facts: a checksum of the lines, and the split.
        folder: the cache; None: tokens stay in memory.
    """

    name: str
    options: DataOptions
    parts: tuple[Lines, ...]
    facts: list
    folder: Path | None

    @classmethod
    def of(
        cls, texts: Sequence[Lines], name: str, options: DataOptions, whole: bool = False
    ) -> "RunningText":
        """
        Args:
            texts: one, to be split as ``options.split`` says, or one for each of `PARTS`.
            whole: split nothing; there may be any number of texts.

        Raises:
            UserError: texts are not split so, or cannot be read.
        """
        surveys = [survey(text) for text in texts]
        num_chars = sum(count for count, _ in surveys)
        facts = [[digest for _, digest in surveys], "whole" if whole else options.split]
        folder = None if options.cache is None and num_chars <= SMALL else cache_folder(options.cache)
        one = len(texts) == 1 and not whole
        parts = _split(texts[0], num_chars, options.split) if one else list(texts)
        return cls(name, options, tuple(parts), facts, folder)

    def cut(self, cutter: Cutter, separator: int | None = None) -> list[TokenFile]:
        """The parts as tokens.

        Args:
            separator: a token that is put behind every document; None for none.

        Raises:
            UserError: the cache cannot be written.
        """
        return [
            cut_text(lines, key_of(self.facts, number), cutter, separator, self.folder)
            for number, lines in enumerate(self.parts)
        ]

    def check(self, parts: Sequence[Sized]) -> None:
        """Raise a `UserError` where nothing is left of a part."""
        for name, part in zip(PARTS, parts, strict=False):
            rule = f"has nothing to read for {name}; a text is split at the ends of its lines"
            require(len(part) > 0, "text", self.name, rule)

    def tokenizer(self, usual_level: str) -> Tokenizer:
        """The tokenizer that is named, kept in the cache, or learnt now.

        Raises:
            UserError: the level, or what else the options say, does not fit; the cache cannot be written.
        """
        options, folder = self.options, self.folder
        if options.tokenizer is not None:
            for field in ("level", "vocab_size", "lowercase"):
                rule = "is decided by the tokenizer"
                require(not getattr(options, field), field, getattr(options, field), rule, ["leave it out"])
            found = tokenizer_of(options.tokenizer)
            ready = found.special.separator is not None and found.template not in ("none", "gpt")
            rule = "is of a model that goes on with texts, and puts no special tokens round them"
            require(ready, "tokenizer", options.tokenizer, rule)
            return found
        level = options.level or usual_level
        rule = "is no level at which tokens are masked"
        require(level in LEARNT, "level", level, rule, LEARNT)
        size = options.vocab_size or VOCAB_SIZE
        key = key_of("tokenizer", self.facts, level, size, options.lowercase)
        kept = None if folder is None else folder / f"{key}.tokenizer.json"
        if kept is not None and kept.is_file():
            try:
                return Tokenizer.from_json(json.loads(kept.read_text(encoding="utf-8")))
            except (OSError, ValueError, KeyError, TypeError):
                pass  # damaged: it is learnt again
        learnt = learn(self.parts[0](), level, size, options.lowercase)
        if kept is not None:
            try:
                kept.parent.mkdir(parents=True, exist_ok=True)
                new = kept.with_suffix(".new")
                new.write_text(json.dumps(learnt.to_json()), encoding="utf-8")
                new.replace(kept)
            except OSError as error:
                rule, hint = f"cannot be written ({error.strerror})", "Name another folder with `cache`."
                raise UserError("cache", str(folder), rule, hint=hint) from None
        return learnt


def _split(text: Lines, num_chars: int, split: str) -> list[Lines]:
    """The parts of one text, as many as the split has."""
    rule = "is for language models, which carry a state from one window to the next"
    require(split in BORDERS, "split", split, rule, BORDERS)
    borders = [(round(share * num_chars), round((share + LATE) * num_chars)) for share in BORDERS[split]]

    return [_part(text, borders, number) for number in range(len(borders) + 1)]


def _part(text: Lines, borders: list[tuple[int, int]], number: int) -> Lines:
    """The lines between two borders, each the first position where it may lie and the last one."""

    def lines() -> Iterator[str]:
        part, seen = 0, 0
        for line in text():
            while part < len(borders) and seen >= borders[part][bool(line)]:
                part += 1
            if part > number:
                return
            if part == number:
                yield line
            seen += len(line) + 1

    return lines


def learn(lines: Iterable[str], level: str, size: int, lowercase: bool) -> Tokenizer:
    """A tokenizer with the special tokens that masked tokens need.

    The two kinds of bpe get those of RoBERTa (Liu et al., 1907.11692) behind their own tokens.
    """
    texts = list(_first(lines, LEARNT_FROM))
    if level == "wordpiece":
        return learn_tokenizer(texts, level, size, lowercase)
    special = {**_SPECIAL, "mask": "<mask>"}
    added = len(set(special.values())) - (level == "word-bpe")  # which has <unk> already
    require(size > added, "vocab_size", size, f"must have room for {added} special tokens")
    try:
        learnt = learn_tokenizer(texts, level, size - added, lowercase)
    except UserError as error:
        require(error.field != "vocab_size", "vocab_size", size, f"{error.rule}, and {added} special tokens")
        raise
    return learnt.with_special("roberta", **special)


def _first(lines: Iterable[str], num_chars: int) -> Iterator[str]:
    for line in lines:
        if num_chars <= 0:
            return
        num_chars -= len(line)
        if line:
            yield line
