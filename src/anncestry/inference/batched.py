"""Many texts of different lengths through a net with one output for each: a class, a value, a vector.

Texts are sorted by length, so that a batch holds similar ones and hardly any padding, and cut into batches
small enough to stay in the processor's caches and large enough that what is done once for each does not
count. On a CPU several batches run side by side, each on one core. The last ones are smaller, so that all
cores are done at about the same time.
"""

import torch
from torch import nn

from anncestry.arrays import Float, Int, Tensor
from anncestry.engine.prediction import Prediction
from anncestry.engine.progress import Counter, Progress
from anncestry.engine.workers import side_by_side
from anncestry.protocols import outputs_of

TOKENS = 1024  # of a batch at most, with padding: twice as many take as long, half as many a little longer
SHARES = 3  # a batch is at most this part of what is left for each core, where that is SMALLEST or more
SMALLEST = 256


def batches_by_length(
    lengths: Int[Tensor, "N"], tokens: int = TOKENS, workers: int = 1
) -> list[Int[Tensor, "M"]]:
    """Rows of each batch: longest texts first, at most ``tokens`` with padding unless one text has more.

    Args:
        workers: how many batches run side by side.
    """
    order = lengths.argsort(descending=True, stable=True)
    sizes = lengths[order].clamp(min=1).tolist()
    batches, first, left = [], 0, sum(sizes)
    while first < len(sizes):
        room = min(tokens, max(SMALLEST, left // (SHARES * workers)))
        last = first + max(1, room // sizes[first])
        batches.append(order[first:last])
        left -= sum(sizes[first:last])
        first = last
    return batches


def encode(
    model: nn.Module,
    inputs: Int[Tensor, "N T"],
    lengths: Int[Tensor, "N"],
    prediction: Prediction | None = None,
    progress: Progress | None = None,
) -> Float[Tensor, "N K"]:
    """What a net puts out for each text, in the order of the texts.

    Args:
        model: in evaluation mode, prepared by ``prediction``; its outputs are (B, K).
        inputs: padded tokens.
        prediction: how it predicts; default: in float32.
        progress: called with how many texts are done, and how many there are.
    """
    prediction = prediction or Prediction()
    device = next(iter(model.parameters())).device
    batches = batches_by_length(lengths, TOKENS, torch.get_num_threads())

    counter = Counter(progress, len(inputs))

    def outputs(rows: Int[Tensor, "M"]) -> Float[Tensor, "M K"]:
        of_rows = lengths[rows]
        tokens = inputs[rows, : int(of_rows[0])].to(device)
        found = outputs_of(model, tokens, lengths=of_rows.to(device))[0].float()
        counter.add(len(rows))
        return found

    with prediction.scope(device):
        parts = side_by_side(outputs, batches, prediction, device)
    whole = parts[0].new_empty(len(inputs), *parts[0].shape[1:])
    for rows, part in zip(batches, parts, strict=True):
        whole[rows] = part
    return whole
