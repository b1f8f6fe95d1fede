"""Running text of which words are hidden: what encoders are pre-trained on.

Documents are parted by blank lines. A text is cut into tokens once, and large ones are kept in files
(`anncestry.data.token_files`).
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from anncestry.data.dataset import Dataset, Processor
from anncestry.data.masked_blocks import MaskedBlocks
from anncestry.data.options import DataOptions
from anncestry.data.processors.common import expect
from anncestry.data.processors.masked_words import MaskedWordsProcessor
from anncestry.data.readers.lines import Lines, survey
from anncestry.data.sentence_pairs import NUM_RELATIONS
from anncestry.data.token_files import cache_folder, cut_text, key_of
from anncestry.data.tokenizer import Tokenizer
from anncestry.data.tokenizer_source import LEARNT, VOCAB_SIZE, learn_tokenizer, tokenizer_of
from anncestry.errors import UserError, require
from anncestry.signature import Signature

TASK = "masked-lm"
WINDOW = 128
SMALL = 1_000_000  # characters of a text that is cut anew each time, unless a cache is named
LEARNT_FROM = 30_000_000
"""Characters of the training part that a tokenizer is learnt from at most."""
BORDERS = {"tail": (0.90, 0.95), "tail-10": (0.90,)}
LATE = 0.02
"""A part ends with a document where one ends within so much of the text; else with a line."""
PARTS = ("training", "validation", "test")
_SPECIAL = {"pad": "<pad>", "begin": "<s>", "end": "</s>", "separator": "</s>", "unknown": "<unk>"}


def is_asked(options: DataOptions, given: Processor | None) -> bool:
    """Whether a text is to be read with hidden words.

    Raises:
        UserError: it is not, and an option is for hidden words alone.
    """
    if given is not None:
        return isinstance(given, MaskedWordsProcessor)
    if options.task == TASK:
        return True
    usual = DataOptions()
    for name in ("masking", "pairs", "cache", "tokenizer", "lowercase"):
        value = getattr(options, name)
        rule = f"is for text of which words are hidden: --task {TASK}"
        require(value == getattr(usual, name), name, value, rule)
    return False


def masked_text(
    texts: Sequence[Lines],
    name: str,
    options: DataOptions,
    given: Processor | None = None,
    source: Path | None = None,
    notes: tuple[str, ...] = (),
) -> Dataset:
    """A text with hidden words.

    Args:
        texts: one, to be split as ``options.split`` says, or one for each of `PARTS`.
        notes: what a person should know of the text.

    Raises:
        UserError: an option does not fit, a part is empty, or the cache cannot be written.
    """
    window = options.window or WINDOW
    surveys = [survey(text) for text in texts]
    num_chars = sum(count for count, _ in surveys)
    facts = [[digest for _, digest in surveys], options.split]
    folder = None if options.cache is None and num_chars <= SMALL else cache_folder(options.cache)
    if len(texts) == 1:
        texts = _split(texts[0], num_chars, options.split)
    tokenizer = _tokenizer(texts[0], facts, options, given, folder, name)
    separator = tokenizer.special.separator if options.pairs == "none" else None
    splits = []
    for number, text in enumerate(texts):
        cut = cut_text(text, key_of(facts, number), tokenizer, separator, folder)
        blocks = MaskedBlocks.of(cut, tokenizer, options.masking, options.pairs, window)
        rule = f"has nothing to read for {PARTS[number]}; a text is split at the ends of its lines"
        require(len(blocks) > 0, "text", name, rule)
        splits.append(blocks)
    processor: Any = given or MaskedWordsProcessor(tokenizer, window)
    train, validation, test = splits if len(splits) == 3 else (*splits, splits[1])
    sizes = " / ".join(f"{len(split):,}" for split in (train, validation, test))
    split = f"{sizes} inputs of at most {window} tokens for training, validation, test"
    if options.split == "tail-10":
        notes = ("the last 10 % are both validation and test", *notes)
    return Dataset(
        name=name,
        options=asdict(options),
        signature=Signature(
            "masked-lm",
            "tokens",
            (window,),
            len(tokenizer),
            len(tokenizer),
            separator=None if options.pairs == "none" else tokenizer.special.separator,
            num_relations=NUM_RELATIONS[options.pairs],
        ),
        processor=processor,
        train=train,
        validation=validation,
        test=test,
        source=source,
        notes=(split, *notes),
    )


def _split(text: Lines, num_chars: int, split: str) -> list[Lines]:
    """The parts of one text, as many as the split has."""
    rule = "is for language models, which carry a state from one window to the next"
    require(split in BORDERS, "split", split, rule, BORDERS)
    borders = [(round(share * num_chars), round((share + LATE) * num_chars)) for share in BORDERS[split]]

    return [_part(text, borders, number) for number in range(len(borders) + 1)]


def _part(text: Lines, borders: list[tuple[int, int]], number: int) -> Lines:
    """The lines between two borders: the first place where one may lie, and where it does at the latest."""

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


def _tokenizer(
    training: Lines,
    facts: list,
    options: DataOptions,
    given: Processor | None,
    folder: Path | None,
    name: str,
) -> Tokenizer:
    """The tokenizer that is given, named, kept in the cache, or learnt now."""
    if given is not None:
        return expect(given, MaskedWordsProcessor, name).tokenizer
    if options.tokenizer is not None:
        for field in ("level", "vocab_size", "lowercase"):
            rule = "is decided by the tokenizer"
            require(not getattr(options, field), field, getattr(options, field), rule, ["leave it out"])
        found = tokenizer_of(options.tokenizer)
        ready = found.special.separator is not None and found.template not in ("none", "gpt")
        rule = "is of a model that goes on with texts, and puts no special tokens round them"
        require(ready, "tokenizer", options.tokenizer, rule)
        return found
    level = options.level or "wordpiece"
    rule = "is no level at which words are hidden"
    require(level in LEARNT, "level", level, rule, LEARNT)
    size = options.vocab_size or VOCAB_SIZE
    key = key_of("tokenizer", facts, level, size, options.lowercase)
    kept = None if folder is None else folder / f"{key}.tokenizer.json"
    if kept is not None and kept.is_file():
        try:
            return Tokenizer.from_json(json.loads(kept.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError):
            pass  # damaged: it is learnt again
    learnt = learn(training(), level, size, options.lowercase)
    if kept is not None:
        try:
            kept.parent.mkdir(parents=True, exist_ok=True)
            new = kept.with_suffix(".new")
            new.write_text(json.dumps(learnt.to_json()), encoding="utf-8")
            new.replace(kept)
        except OSError as error:
            rule, hint = f"cannot be written ({error.strerror})", "Name another folder with --cache."
            raise UserError("cache", str(folder), rule, hint=hint) from None
    return learnt


def learn(lines: Iterable[str], level: str, size: int, lowercase: bool) -> Tokenizer:
    """A tokenizer with the special tokens that hidden words need.

    The two kinds of bpe get those of RoBERTa (Liu et al., 1907.11692) behind their own tokens.
    """
    texts = list(_first(lines, LEARNT_FROM))
    if level == "wordpiece":
        return learn_tokenizer(texts, level, size, lowercase)
    special = {**_SPECIAL, "mask": "<mask>"}
    added = len(set(special.values())) - (level == "word-bpe")  # which has <unk> already
    require(size > added, "vocab_size", size, f"must have room for {added} special tokens")
    return learn_tokenizer(texts, level, size - added, lowercase).with_special("roberta", **special)


def _first(lines: Iterable[str], num_chars: int) -> Iterator[str]:
    for line in lines:
        if num_chars <= 0:
            return
        num_chars -= len(line)
        if line:
            yield line
