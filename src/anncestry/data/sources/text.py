"""Texts, read character by character: a file, and Python's documentation."""

import platform
from dataclasses import asdict
from pathlib import Path

import torch

from anncestry.data.dataset import Dataset, Processor, Stream
from anncestry.data.options import DataOptions
from anncestry.data.processors.common import expect
from anncestry.data.processors.text import TextProcessor
from anncestry.data.readers.files import existing_file, read_text
from anncestry.errors import UserError
from anncestry.signature import Signature

WINDOW = 64
SHARES = (0.90, 0.95)  # where the training part ends, and the validation part
MIN_CHARS = 100


def text_dataset(
    text: str,
    name: str,
    options: DataOptions,
    given: Processor | None = None,
    source: Path | None = None,
    notes: tuple[str, ...] = (),
) -> Dataset:
    """A language model's text in three consecutive parts of 90, 5 and 5 %.

    The vocabulary is that of the training part, or of the given processor; characters outside it are left
    out with a note.
    """
    text = text if options.max_chars is None else text[: options.max_chars]
    if len(text) < MIN_CHARS:
        raise UserError("text", name, f"must have at least {MIN_CHARS} characters; it has {len(text)}")
    ends = [round(share * len(text)) for share in SHARES]
    parts = [text[: ends[0]], text[ends[0] : ends[1]], text[ends[1] :]]
    processor = TextProcessor("".join(sorted(set(parts[0])))) if given is None else given
    processor = expect(processor, TextProcessor, name)
    vocab_size = len(processor.vocabulary)
    if vocab_size < 2:
        raise UserError("text", name, f"must have at least two different characters; it has only {text[0]!r}")
    window = options.window or WINDOW
    tokens = [processor.lookup(part) for part in parts]
    splits = [Stream(torch.from_numpy(part[part >= 0]), window) for part in tokens]
    lost = len(text) - sum(map(len, splits))
    if lost:
        unseen = ", ".join(map(repr, sorted(set(text) - set(processor.vocabulary))[:10]))
        notes = (*notes, f"left out {lost} characters that the training text lacks: {unseen}")
    if min(map(len, splits)) < 2:
        raise UserError("text", name, "a part of it has hardly any character that the training text has")
    sizes = " / ".join(f"{len(split):,}" for split in splits)
    return Dataset(
        name=name,
        options=asdict(options),
        signature=Signature("language-model", "tokens", (window,), vocab_size, vocab_size),
        processor=processor,
        train=splits[0],
        validation=splits[1],
        test=splits[2],
        source=source,
        notes=(f"split in order: {sizes} characters for training, validation, test", *notes),
    )


def load_text(argument: str, options: DataOptions, seed: int, processor: Processor | None = None) -> Dataset:
    """``text:PATH``: a UTF-8 file, with its line ends as ``\\n``."""
    path = existing_file(argument)
    return text_dataset(read_text(path, options.max_chars), f"text:{path}", options, processor, path)


def load_pydoc(argument: str, options: DataOptions, seed: int, processor: Processor | None = None) -> Dataset:
    """``pydoc``: the documentation topics of this Python, in the order of their names."""
    from pydoc_data.topics import topics

    text = "\n\n".join(topics[name].strip() for name in sorted(topics))
    note = f"the text of Python {platform.python_version()}; other versions differ"
    return text_dataset(text, "pydoc", options, processor, notes=(note,))
