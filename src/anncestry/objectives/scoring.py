"""Scoring a model on a split."""

from collections.abc import Sequence

import torch
from torch import nn

from anncestry.arrays import Tensor
from anncestry.engine.prediction import inference
from anncestry.engine.progress import Counter, Progress
from anncestry.objectives.base import Objective
from anncestry.protocols import outputs_of

MOST_KEPT = 2**25
"""Outputs that are kept to score them all at once; of more, those figures are left out."""


def tally_split(
    model: nn.Module,
    split,
    objective: Objective,
    batch_size: int,
    part: slice | None = None,
    kept: list[tuple[Tensor, Tensor]] | None = None,
    counter: Counter | None = None,
) -> Tensor:
    """The objective's sums over a whole split, without gradients and in evaluation mode.

    A text is read with the state carried from window to window, unless the model reads each by itself. The
    module's mode is put back.

    Args:
        kept: gets the outputs and targets of every batch, as long as they are not too many.
        counter: counts the batches.
    """
    device = next(iter(model.parameters())).device
    was_training = model.training
    model.eval()
    sums, state, carries = None, None, not getattr(model, "reads_windows_apart", False)
    with inference(device):
        for batch in split.batches(batch_size, part=part):
            inputs, targets = batch.inputs.to(device), batch.targets.to(device)
            lengths = None if batch.lengths is None else batch.lengths.to(device)
            before = state if batch.continues and carries else None
            outputs, state = outputs_of(model, inputs, before, lengths, targets, asked_only=True)
            tally = objective.tally(outputs, targets)
            sums = tally if sums is None else sums + tally
            if kept is not None:
                kept.append((outputs.float().cpu(), batch.targets))
            if counter is not None:
                counter.add()
    model.train(was_training)
    assert sums is not None, "an empty split cannot be scored"
    return sums


def score(
    model: nn.Module,
    parts: Sequence,
    objective: Objective,
    batch_size: int | None = None,
    whole: bool = True,
    counts: dict[str, list[int]] | None = None,
    progress: Progress | None = None,
) -> dict[str, float]:
    """The figures of ``model`` over one or several splits together.

    Args:
        batch_size: each split's own choice unless given. For a text it is the number of streams that it is
            read in, each of which begins without a context.
        whole: whether to give the figures as well that need all outputs at once.
        counts: gets `Objective.by_class`.
        progress: called with how many batches are done, and how many there are.
    """
    few = sum(map(len, parts)) * objective.width <= MOST_KEPT
    kept = [] if whole and objective.whole_figures and few else None
    sizes = [batch_size or part.scored_batch for part in parts]
    counter = Counter(
        progress,
        sum(part.num_batches(size) for part, size in zip(parts, sizes, strict=True)) if progress else 0,
    )
    sums = [
        tally_split(model, part, objective, size, kept=kept, counter=counter)
        for part, size in zip(parts, sizes, strict=True)
    ]
    total = torch.stack(sums).sum(0)
    figures = objective.metrics(total)
    if counts is not None:
        counts |= objective.by_class(total)
    if kept:
        outputs, targets = zip(*kept, strict=True)
        figures |= objective.of_whole(torch.cat(outputs), torch.cat(targets))
    return figures


def evaluate(
    model: nn.Module, split, objective: Objective, batch_size: int | None = None
) -> dict[str, float]:
    """Every figure of ``model`` over a split of a data set (`anncestry.data.Split`); see `score`."""
    return score(model, [split], objective, batch_size)
