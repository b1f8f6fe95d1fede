"""Texts, read by characters, words or pieces of words: a file, a folder of parts, Python's documentation."""

import platform
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from anncestry.data.options import DataOptions
from anncestry.data.processors.characters import CharacterWordsProcessor
from anncestry.data.processors.common import expect
from anncestry.data.processors.denoising import DenoisingProcessor
from anncestry.data.processors.masked_tokens import MaskedTokensProcessor
from anncestry.data.processors.pieces import LEVELS, PieceTextProcessor
from anncestry.data.processors.text import TextProcessor, WordTextProcessor, characters_of
from anncestry.data.readers.lines import lines_of_file, lines_of_text
from anncestry.data.readers.parts import Part, files_of, part_of, unread
from anncestry.data.sources import denoising_text, masked_text
from anncestry.data.sources.characters import LEVEL, character_text, whole_character_text
from anncestry.data.splits.dataset import Dataset, ParallelStreams, Processor, Split, Stream, Whole
from anncestry.errors import UserError, require
from anncestry.signature import Signature
from anncestry.user_files import (
    absolute,
    existing_file,
    existing_folder,
    read_text,
)

WINDOW = 64
MIN_CHARS = 100
SHARES = {"tail": (0.90, 0.95), "tail-10": (0.90, 0.90)}
"""Where the training part of a text ends, and where the test part begins."""
PARTS: tuple[Part, ...] = ("train", "validation", "test")
_CORRUPTING = (masked_text.TASK, denoising_text.TASK)
_TASKS_OF = {
    "masking": (masked_text.TASK,),
    "pairs": (masked_text.TASK,),
    "cache": _CORRUPTING,
    "tokenizer": _CORRUPTING,
    "lowercase": _CORRUPTING,
}
"""Options that are for some tasks alone."""
_READ_BY = {MaskedTokensProcessor: masked_text.masked_text, DenoisingProcessor: denoising_text.denoising_text}
CHAR_RNN_STREAMS, CHAR_RNN_WINDOW, CHAR_RNN_HELD_OUT = 50, 50, 0.05


def text_dataset(
    text: str,
    name: str,
    options: DataOptions,
    given: Processor | None = None,
    source: Path | None = None,
    notes: tuple[str, ...] = (),
) -> Dataset:
    """A language model's text, cut into training, validation and test as ``options.split`` says."""
    text = text if options.max_chars is None else text[: options.max_chars]
    if len(text) < MIN_CHARS:
        raise UserError("text", name, f"must have at least {MIN_CHARS} characters; it has {len(text)}")
    about = {"name": name, "options": asdict(options), "source": source}
    if options.split == "char-rnn":
        return _in_streams(text, options, given, notes, about)
    first, second = (round(share * len(text)) for share in SHARES[options.split])
    parts = [text[:first], text[first : second if second > first else None], text[second:]]
    if options.split == "tail-10":
        notes = ("the last 10 % are both validation and test", *notes)
    return _of_parts(parts, options, given, ("split in order", *notes), about)


def _of_parts(
    parts: list[str], options: DataOptions, given: Processor | None, notes: tuple[str, ...], about: dict
) -> Dataset:
    """A data set of three texts. Tokens that the vocabulary lacks are left out with a note.

    Args:
        notes: the first one says how the text was split.
    """
    if options.level == LEVEL or isinstance(given, CharacterWordsProcessor):
        return character_text(parts, options, given, notes, about)
    processor = _processor(parts[0], options, given, about["name"])
    window = options.window or WINDOW
    splits, more = _streams(parts, processor, window)
    notes = (*notes, *more)
    if min(map(len, splits)) < 2:
        raise UserError("text", about["name"], "a part of it has hardly anything that the training text has")
    return _dataset(splits, processor, window, notes, about)


def _streams(parts: list[str], processor: TextProcessor, window: int) -> tuple[list[Stream], tuple[str, ...]]:
    """Texts in tokens, and a note on characters that the vocabulary lacks."""
    tokens = [processor.lookup(part) for part in parts]
    lost = sum(int((part < 0).sum()) for part in tokens)
    tokens = [part[part >= 0] for part in tokens] if lost else tokens
    splits = [Stream(torch.from_numpy(part), window) for part in tokens]
    if not lost:
        return splits, ()
    unseen = sorted(set("".join(parts)) - set(processor.vocabulary))
    shown = ", ".join(map(repr, unseen[:10]))
    return splits, (f"left out {lost} characters that the training text lacks: {shown}",)


def _in_streams(
    text: str, options: DataOptions, given: Processor | None, notes: tuple[str, ...], about: dict
) -> Dataset:
    """char-rnn's split: 50 parallel streams, cut into chunks of T; the last 5 % of each are for validation.

    What its rounding leaves over (a chunk) is the test part; where nothing is, the validation part is the
    test part too. The vocabulary is that of the whole text.
    """
    rule = "reads a text in order; texts of words as characters are read line by line"
    require(options.level != LEVEL, "split", options.split, rule, ["tail", "tail-10"])
    processor = _processor(text, options, given, about["name"])
    window = options.window or CHAR_RNN_WINDOW
    tokens = processor.lookup(text).astype(np.int64)
    tokens = tokens[tokens >= 0]
    chunks = len(tokens) // (CHAR_RNN_STREAMS * window)
    train, validation = int(chunks * (1 - CHAR_RNN_HELD_OUT)), int(chunks * CHAR_RNN_HELD_OUT)
    if validation < 1:
        rule = f"the text has {chunks} chunks of {CHAR_RNN_STREAMS} streams x {window}, and needs 20"
        raise UserError("split", options.split, rule, hint="Split it in order: `split=tail`.")
    length = chunks * window
    rows = np.append(tokens, tokens[0])  # the very last target is the first token
    streams = [rows[row * length : (row + 1) * length + 1] for row in range(CHAR_RNN_STREAMS)]
    whole = torch.from_numpy(np.stack(streams))
    middle, last = train * window, (train + validation) * window
    ends = [(0, middle), (middle, last), (last if last < length else middle, length)]
    splits = [ParallelStreams(whole[:, a : b + 1].clone(), window) for a, b in ends]
    note = f"{CHAR_RNN_STREAMS} streams, each split in order; the state is never reset"
    return _dataset(splits, processor, window, (note, *notes), about)


def _processor(text: str, options: DataOptions, given: Processor | None, name: str) -> TextProcessor:
    if given is not None:
        processor = expect(given, TextProcessor, name)
    elif options.level == "word":
        processor = WordTextProcessor.learn(text, options.vocab_size)
    elif options.level in LEVELS:
        processor = PieceTextProcessor.learn(text, options.level, options.vocab_size)
    else:
        require(
            options.vocab_size is None, "vocab_size", options.vocab_size, "is for words and pieces: `level`"
        )
        processor = TextProcessor(characters_of(text))
    if len(processor.vocabulary) < 2:
        only = "".join(processor.vocabulary)
        rule = f"must have at least two different {processor.unit}s; it has only {only!r}"
        raise UserError("text", name, rule)
    return processor


def _dataset(
    splits: list, processor: TextProcessor, window: int, notes: tuple[str, ...], about: dict
) -> Dataset:
    parts: list[Split] = splits
    sizes = " / ".join(f"{len(split):,}" for split in parts)
    vocab_size = len(processor.vocabulary)
    return Dataset(
        signature=Signature("language-model", "tokens", (window,), vocab_size, vocab_size),
        processor=processor,
        train=parts[0],
        validation=parts[1],
        test=parts[2],
        notes=(f"{notes[0]}: {sizes} {processor.unit}s for training, validation, test", *notes[1:]),
        **about,
    )


def _line_reader(options: DataOptions, given: Processor | None) -> Callable[..., Dataset] | None:
    """What reads a text line by line, where it is corrupted; None for a language model's text.

    Raises:
        UserError: an option is not for the task.
    """
    if given is not None:
        return next((read for kind, read in _READ_BY.items() if isinstance(given, kind)), None)
    usual = DataOptions()
    for name, tasks in _TASKS_OF.items():
        value = getattr(options, name)
        rule = f"is for text that is masked or corrupted: `task` {' or '.join(tasks)}"
        require(options.task in tasks or value == getattr(usual, name), name, value, rule)
    readers = {masked_text.TASK: masked_text.masked_text, denoising_text.TASK: denoising_text.denoising_text}
    return readers.get(options.task or "")


def load_text(argument: str, options: DataOptions, seed: int, processor: Processor | None = None) -> Dataset:
    """``text:PATH``: a UTF-8 file, gzipped or not, or a folder with a file for each of the three parts."""
    if absolute(argument).is_dir():
        return _load_folder(existing_folder(argument), options, processor)
    path = existing_file(argument)
    read = _line_reader(options, processor)
    if read is not None:
        lines = lines_of_file(path, options.max_chars)
        return read([lines], f"text:{path}", options, processor, path)
    return text_dataset(read_text(path, options.max_chars), f"text:{path}", options, processor, path)


def read_text_files(argument: str, options: DataOptions, processor: Processor) -> Whole:
    """All of ``text:PATH``: a file, or the texts of a folder."""
    path = absolute(argument)
    files = _texts_of(existing_folder(argument)) if path.is_dir() else [existing_file(argument)]
    require(bool(files), "folder", str(path), "must hold .txt or .gz files")
    name = f"text:{path}"
    if isinstance(processor, MaskedTokensProcessor | DenoisingProcessor):
        lines = [lines_of_file(file, options.max_chars) for file in files]
        if isinstance(processor, MaskedTokensProcessor):
            whole = masked_text.whole_masked_text(lines, name, options, processor)
        else:
            whole = denoising_text.whole_denoising_text(lines, name, options, processor)
        require(bool(whole.parts), "text", name, "has nothing to read")
        return whole
    texts = [read_text(file, options.max_chars) for file in files]
    if isinstance(processor, CharacterWordsProcessor):
        return whole_character_text(texts, options, processor, name)
    usual = CHAR_RNN_WINDOW if options.split == "char-rnn" else WINDOW
    reader = expect(processor, TextProcessor, name)
    streams, notes = _streams(texts, reader, options.window or usual)
    streams = [stream for stream in streams if len(stream) > 1]
    rule = f"must have two {reader.unit}s of the training text: one that is read and one to come"
    require(bool(streams), "text", name, rule)
    return Whole(tuple(streams), notes)


def _texts_of(folder: Path) -> list[Path]:
    return [path for path in files_of(folder) if path.name.endswith((".txt", ".gz"))]


def _load_folder(folder: Path, options: DataOptions, processor: Processor | None) -> Dataset:
    """Official splits: one file for each of the three parts."""
    rule = "the folder has its own split"
    require(options.split == "tail", "split", options.split, rule, ["leave it out"])
    names = _texts_of(folder)
    found = []
    for part in PARTS:
        fitting = [path for path in names if part_of(path.name) == part]
        if len(fitting) != 1:
            rule = f"must hold one .txt or .gz file for {part}, with {part} in its name"
            raise UserError("folder", str(folder), rule, [path.name for path in names] or ["no such file"])
        found.append(fitting[0])
    notes = (f"the folder's own split: {', '.join(path.name for path in found)}",)
    notes += tuple(unread(set(files_of(folder)) - set(found)))
    read = _line_reader(options, processor)
    if read is not None:
        lines = [lines_of_file(path, options.max_chars) for path in found]
        return read(lines, f"text:{folder}", options, processor, folder, notes)
    parts = [read_text(path, options.max_chars) for path in found]
    about = {"name": f"text:{folder}", "options": asdict(options), "source": folder}
    return _of_parts(parts, options, processor, notes, about)


def load_pydoc(argument: str, options: DataOptions, seed: int, processor: Processor | None = None) -> Dataset:
    """``pydoc``: the documentation topics of this Python, in the order of their names."""
    from pydoc_data.topics import topics

    text = "\n\n".join(topics[name].strip() for name in sorted(topics))
    note = f"the text of Python {platform.python_version()}; other versions differ"
    read = _line_reader(options, processor)
    if read is not None:
        text = text if options.max_chars is None else text[: options.max_chars]
        return read([lines_of_text(text)], "pydoc", options, processor, notes=(note,))
    return text_dataset(text, "pydoc", options, processor, notes=(note,))
