"""Denoising: running text that is corrupted, for encoder-decoders to restore (Lewis et al., 1910.13461).

A text is cut into blocks of whole lines that go over the border of no document. All of its tokens are held in
memory.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from anncestry.data.corruption.infilling import TextCorruption
from anncestry.data.corruption.sentence_pairs import within_documents
from anncestry.data.options import DataOptions
from anncestry.data.processors.common import expect
from anncestry.data.processors.denoising import DenoisingProcessor
from anncestry.data.readers.lines import Lines
from anncestry.data.readers.token_files import TokenFile
from anncestry.data.sources.running_text import WINDOW, RunningText
from anncestry.data.splits.dataset import Dataset, Processor, Whole
from anncestry.data.splits.denoising import DenoisingPairs
from anncestry.data.splits.seq2seq import Sequences
from anncestry.errors import require
from anncestry.signature import END, Signature
from anncestry.tokenizers.target_vocabulary import TargetTokenizer

TASK = "denoising"
SMALLEST = 4  # tokens of an input: one that is masked, and its like


class Texts(Sequence[tuple[str]]):
    """The texts of tokens, each as the only one of its row; read where they are wanted."""

    def __init__(self, tokens: Sequences, pieces: TargetTokenizer) -> None:
        self._tokens, self._pieces = tokens, pieces

    def __len__(self) -> int:
        return len(self._tokens)

    def __getitem__(self, row):  # pyright: ignore[reportIncompatibleMethodOverride]
        if isinstance(row, slice):
            return tuple(self[number] for number in range(*row.indices(len(self))))
        return (self._pieces.decode(self._tokens.row(range(len(self))[row])),)


def denoising_text(
    texts: Sequence[Lines],
    name: str,
    options: DataOptions,
    given: Processor | None = None,
    source: Path | None = None,
    notes: tuple[str, ...] = (),
) -> Dataset:
    """A corrupted text whose targets are the text itself.

    Args:
        texts: one, to be split as ``options.split`` says, or one for each part.
        notes: what a person should know of the text.

    Raises:
        UserError: an option does not fit, a part is empty, or the cache cannot be written.
    """
    known = None if given is None else expect(given, DenoisingProcessor, name)
    window = options.window or (WINDOW if known is None else known.max_tokens + 1)
    rule = f"must have room for a text with its end: at least {SMALLEST}"
    require(window >= SMALLEST, "window", window, rule)
    text = RunningText.of(texts, name, options)
    processor = known or DenoisingProcessor.of(text.tokenizer("byte-bpe"), window - 1)
    corruption = TextCorruption.of(processor.tokenizer)
    targets = [blocks(cut, window - 1) for cut in text.cut(processor.source)]
    text.check(targets)
    splits = [DenoisingPairs.of(part, corruption, Texts(part, processor.target)) for part in targets]
    train, validation, test = splits if len(splits) == 3 else (*splits, splits[1])
    sizes = " / ".join(f"{len(split):,}" for split in (train, validation, test))
    split = f"{sizes} texts of at most {window} tokens for training, validation, test"
    if options.split == "tail-10":
        notes = ("the last 10 % are both validation and test", *notes)
    words = len(processor.tokenizer)
    mean = -(-len(train.targets.tokens) // len(train))
    return Dataset(
        name=name,
        options=asdict(options),
        signature=Signature("translation", "tokens", (window,), words, words, target_len=mean),
        processor=processor,
        train=train,
        validation=validation,
        test=test,
        source=source,
        notes=(split, *notes),
    )


def whole_denoising_text(
    texts: Sequence[Lines], name: str, options: DataOptions, processor: DenoisingProcessor
) -> Whole:
    """All of some texts, corrupted, as a trained model reads them."""
    text = RunningText.of(texts, name, options, whole=True)
    corruption = TextCorruption.of(processor.tokenizer)
    room = processor.max_tokens if options.window is None else options.window - 1
    parts = [blocks(cut, room) for cut in text.cut(processor.source)]
    splits = [
        DenoisingPairs.of(part, corruption, Texts(part, processor.target)) for part in parts if len(part)
    ]
    return Whole(tuple(splits))


def blocks(text: TokenFile, room: int) -> Sequences:
    """(N, T) the blocks of a text, of at most ``room`` tokens and an end each."""
    plan = within_documents(text, room)
    lengths = plan[:, 1] - plan[:, 0]
    tokens = np.full(len(text.tokens) + len(plan), END)
    tokens[np.arange(len(text.tokens)) + np.repeat(np.arange(len(plan)), lengths)] = text.tokens
    starts = np.concatenate([[0], (lengths + 1).cumsum()])
    return Sequences(torch.from_numpy(tokens), torch.from_numpy(starts))
