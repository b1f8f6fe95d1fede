"""Scoring a model on a split."""

from torch import nn

from anncestry.engine.prediction import inference
from anncestry.objectives.objective import Objective
from anncestry.protocols import outputs_of


def tally_split(model: nn.Module, split, objective: Objective, batch_size: int, part: slice | None = None):
    """The objective's sums over a whole split, without gradients and in evaluation mode.

    A text is read with the state carried from window to window, unless the model reads each by itself. The
    module's mode is put back.
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
    model.train(was_training)
    assert sums is not None, "an empty split cannot be scored"
    return sums


def evaluate(
    model: nn.Module, split, objective: Objective, batch_size: int | None = None
) -> dict[str, float]:
    """Metrics of ``model`` over a split of a data set (`anncestry.data.Split`).

    Args:
        batch_size: the split's own choice unless given. For a text it is the number of streams that it is
            read in, each of which begins without a context.
    """
    return objective.metrics(tally_split(model, split, objective, batch_size or split.scored_batch))
