"""Random strings, a short training and the accuracy of generation, for claims about sequence-to-sequence."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

import torch
from torch import nn

from anncestry.data.splits.dataset import Split
from anncestry.decoding import Search
from anncestry.inference.generation import generate
from anncestry.models.create import create
from anncestry.models.transformer import Transformer
from anncestry.protocols import IGNORED, Batch
from anncestry.signature import END

SYMBOLS = 10
VOCABULARY = END + 1 + SYMBOLS
BATCH = 64


def build(name: str, longest: int, **sizes: Any) -> nn.Module:
    """A new sequence-to-sequence model of strings; ``longest`` is of those it is trained on."""
    lengths = {"seq_len": longest, "target_len": longest + 1}
    return create(name, input_size=VOCABULARY, output_size=VOCABULARY, **lengths, **sizes)


def strings(count: int, length: int, task: str, random: torch.Generator) -> Batch:
    """Strings of one length, of ten symbols that are equally likely, and their copy or their reverse."""
    source = torch.randint(END + 1, VOCABULARY, (count, length), generator=random)
    wanted = source if task == "copy" else source.flip(1)
    targets = torch.cat([wanted, torch.full((count, 1), END)], dim=1)
    return Batch(source, targets, lengths=torch.full((count,), length))


def new_strings(longest: int, task: str, seed: int) -> Iterator[Batch]:
    """Batches without end, each of new strings of one length, which is drawn from 1 to ``longest``."""
    random = torch.Generator().manual_seed(seed)
    while True:
        length = int(torch.randint(1, longest + 1, (), generator=random))
        yield strings(BATCH, length, task, random)


def strings_of(length: int, task: str, seed: int, count: int = BATCH) -> Iterator[Batch]:
    """Batches without end, each of new strings, all of one length."""
    random = torch.Generator().manual_seed(seed)
    while True:
        yield strings(count, length, task, random)


def transformer(longest: int, seed: int, **sizes: Any) -> Transformer:
    """A new small Transformer without dropout, for strings."""
    torch.manual_seed(seed)
    small = {"hidden_size": 32, "num_layers": 2, "num_heads": 4, "dropout": 0.0}
    return cast(Transformer, build("transformer", longest, **{**small, **sizes}))


def passes(split: Split, seed: int) -> Iterator[Batch]:
    """The batches of one pass after the other over a split, without end."""
    random = torch.Generator().manual_seed(seed)
    while True:
        yield from split.batches(BATCH, random)


def train(
    model: nn.Module,
    batches: Iterator[Batch],
    num_steps: int,
    learning_rate: float,
    factor: Callable[[int], float] | None = None,
) -> list[float]:
    """So many steps of Adam, gradients clipped at norm 1; the loss at each step.

    Args:
        factor: of the learning rate, for each step from 0 on; default: a cosine down to 0.
    """
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    if factor is None:
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, num_steps)
    else:
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    losses = []
    model.train()
    for _ in range(num_steps):
        batch = next(batches)
        logits = model(batch.inputs, batch.targets, batch.lengths)
        loss = nn.functional.cross_entropy(
            logits.flatten(0, 1), batch.targets.flatten(), ignore_index=IGNORED
        )
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    model.eval()
    return losses


def share_right(model: nn.Module, batch: Batch) -> float:
    """The share of the symbols that greedy search generates at the right position.

    Args:
        batch: strings of one length.
    """
    wanted = batch.targets[:, :-1].tolist()
    length = len(wanted[0])
    found = generate(model, batch.inputs, batch.lengths, Search(max_length=length + 1))
    generated = [hypotheses[0].tokens for hypotheses in found]
    right = sum(
        x == y for row, text in zip(wanted, generated, strict=True) for x, y in zip(row, text, strict=False)
    )
    return right / (len(wanted) * length)


def curve(model: nn.Module, task: str, lengths: Iterable[int], count: int, seed: int) -> dict[int, float]:
    """`share_right` of so many unseen strings of each length."""
    random = torch.Generator().manual_seed(1000 + seed)
    return {length: share_right(model, strings(count, length, task, random)) for length in lengths}


def num_parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())
