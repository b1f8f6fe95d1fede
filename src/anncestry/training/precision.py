"""The precision of a new run, where nobody says: bfloat16 where it is faster for this net on this machine."""

import copy
import dataclasses
import time

import torch
from torch import nn

from anncestry.data.splits.dataset import Dataset
from anncestry.engine.prediction import bfloat16_is_faster
from anncestry.objectives import objective_of
from anncestry.protocols import OwnRule
from anncestry.training.optimizers import Position
from anncestry.training.processes import make_fabric
from anncestry.training.settings import TrainingSettings
from anncestry.training.steps import GradientStep

EXACT = ("regression", "forecasting", "reconstruction")
"""Tasks whose outputs are numbers: bfloat16 has two to three digits of them."""
SMALLEST = 10**6  # weights, below which a step is over before its products count
CLEARLY = 0.85  # of the time in float32
TRIED = 3  # steps in each precision, of which the first is not counted


def settle_precision(
    model: nn.Module, dataset: Dataset, settings: TrainingSettings, teacher: nn.Module | None = None
) -> tuple[TrainingSettings, str]:
    """The settings with a precision that is none to be chosen, and in words why, where that is no `32`.

    bfloat16 is taken where steps with it are clearly faster: measured with copies of the model on its first
    batch, as no rule by kind of net held (recurrent nets and DenseNets were slower, Transformers faster). Not
    for tasks whose answers are numbers, small nets, several processes, or a net that learns from another.
    """
    if settings.precision != "auto":
        return settings, ""
    exact = dataclasses.replace(settings, precision="32")
    apt = dataset.signature.task not in EXACT and settings.devices == 1 and teacher is None
    large = sum(weight.numel() for weight in model.parameters()) >= SMALLEST
    if isinstance(model, OwnRule) or not (apt and large and _has_bfloat16(settings)):
        return exact, ""
    rounded = dataclasses.replace(settings, precision="bf16")
    before = seconds_of_a_step(model, dataset, exact)
    after = seconds_of_a_step(model, dataset, rounded)
    if after is None or before is None or after > CLEARLY * before:
        return exact, ""
    return rounded, f"bf16, {before / after:.1f} times as fast here as 32 (--precision 32 undoes it)"


def _has_bfloat16(settings: TrainingSettings) -> bool:
    if make_fabric(settings).device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return bfloat16_is_faster()


def seconds_of_a_step(model: nn.Module, dataset: Dataset, settings: TrainingSettings) -> float | None:
    """Of a copy of the model on the first batch; None where it cannot be trained so. Nothing random moves."""
    settings = dataclasses.replace(settings, compile=False)
    objective = objective_of(dataset, settings.label_smoothing, settings.select)
    fabric, times = make_fabric(settings), []
    with torch.random.fork_rng():
        learn = GradientStep(copy.deepcopy(model).train(), objective, settings, fabric)
        batch = next(iter(dataset.train.batches(settings.batch_size)))
        try:
            for _ in range(TRIED):
                begun = time.perf_counter()
                learn(batch, None, Position(0, 0.0, 0))  # reads the loss, so that a GPU is done
                times.append(time.perf_counter() - begun)
        except (RuntimeError, NotImplementedError):  # an operator that knows no bfloat16
            return None
    return min(times[1:])
