"""Generated problems that ask for a long memory: copying symbols, and adding marked numbers."""

from dataclasses import asdict

import torch

from anncestry.arrays import Float, Int, Tensor
from anncestry.data.options import DataOptions
from anncestry.data.processors.common import expect
from anncestry.data.processors.plain import PlainProcessor
from anncestry.data.splits.dataset import Dataset, Examples, Processor
from anncestry.signature import Signature

SYMBOLS, COPIED, MARKER, CLASSES = 8, 10, 9, 10
SIZES = (10_000, 1000, 1000)
COPY_LAG, ADDING_LAG = 100, 200


def copy_memory(
    count: int, lag: int, random: torch.Generator
) -> tuple[Int[Tensor, "B T"], Int[Tensor, "B T"]]:
    """``(inputs, targets)`` over lag + 20 steps: ten symbols of 1 to 8, blanks (0), eleven markers (9).

    The targets are blanks, and during the last ten steps the ten symbols.
    Source: Hochreiter & Schmidhuber (1997); in this form Arjovsky, Shah & Bengio, 1511.06464.
    """
    symbols = torch.randint(1, SYMBOLS + 1, (count, COPIED), generator=random)
    inputs = torch.zeros(count, lag + 2 * COPIED, dtype=torch.int64)
    inputs[:, :COPIED] = symbols
    inputs[:, -COPIED - 1 :] = MARKER
    targets = torch.zeros_like(inputs)
    targets[:, -COPIED:] = symbols
    return inputs, targets


def adding(
    count: int, length: int, random: torch.Generator
) -> tuple[Float[Tensor, "B T 2"], Float[Tensor, "B 1"]]:
    """``(inputs, targets)``: a number in [0, 1] and a mark per step, one in each half; the marked sum."""
    numbers = torch.rand(count, length, generator=random)
    marks = torch.zeros(count, length)
    half = length // 2
    marks.scatter_(1, torch.randint(0, half, (count, 1), generator=random), 1.0)
    marks.scatter_(1, torch.randint(half, length, (count, 1), generator=random), 1.0)
    return torch.stack([numbers, marks], dim=2), (numbers * marks).sum(1, keepdim=True)


def _dataset(name: str, make, lag: int, options: DataOptions, seed: int, given, plain, signature) -> Dataset:
    random = torch.Generator().manual_seed(seed % 2**63)
    splits = [Examples(*make(count, lag, random)) for count in SIZES]
    return Dataset(
        name=name,
        options=asdict(options),
        signature=signature,
        processor=expect(given or plain, PlainProcessor, name),
        train=splits[0],
        validation=splits[1],
        test=splits[2],
        notes=(f"generated with seed {seed}: {' / '.join(map(str, SIZES))} sequences, lag {lag}",),
    )


def load_copy_memory(
    argument: str, options: DataOptions, seed: int, processor: Processor | None = None
) -> Dataset:
    """``copy-memory``; figures count the ten symbols alone, the loss every step."""
    lag = options.lag or COPY_LAG
    signature = Signature("tagging", "tokens", (lag + 2 * COPIED,), CLASSES, CLASSES, background=0)
    plain = PlainProcessor("symbols 0 to 9", 0)
    return _dataset("copy-memory", copy_memory, lag, options, seed, processor, plain, signature)


def load_adding(
    argument: str, options: DataOptions, seed: int, processor: Processor | None = None
) -> Dataset:
    """``adding``."""
    lag = max(2, options.lag or ADDING_LAG)
    signature = Signature("regression", "series", (lag, 2), 1)
    plain = PlainProcessor("numbers and marks", 2)
    return _dataset("adding", adding, lag, options, seed, processor, plain, signature)
