"""Optimizers and what happens to the learning rate."""

import math
from typing import NamedTuple

import torch
from torch import nn

from anncestry.training.settings import TrainingSettings


def make_optimizer(model: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    """The optimizer of the settings over every parameter that learns.

    The Adam family runs fused: one kernel for all parameters.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    rate, decay = settings.learning_rate, settings.weight_decay
    if settings.optimizer in ("adam", "adamw"):
        kind = torch.optim.Adam if settings.optimizer == "adam" else torch.optim.AdamW
        betas = (0.9, settings.beta2)
        return kind(parameters, rate, betas, settings.epsilon, weight_decay=decay, fused=True)
    if settings.optimizer == "sgd":
        return torch.optim.SGD(
            parameters,
            lr=rate,
            momentum=settings.momentum,
            nesterov=settings.nesterov,
            weight_decay=decay,
            fused=True,
        )
    return torch.optim.RMSprop(parameters, lr=rate, alpha=0.95, weight_decay=decay)


class Place(NamedTuple):
    """How far training has come.

    Attributes:
        step: steps done so far.
        fraction: 0 at the start of the budget (steps, epochs or seconds), 1 at its end.
        epoch: whole passes done so far.
    """

    step: int
    fraction: float
    epoch: int


def rate_factor(settings: TrainingSettings, place: Place) -> float:
    """What the learning rate is multiplied by."""
    factor = min(1.0, (place.step + 1) / settings.warmup_steps) if settings.warmup_steps else 1.0
    factor *= settings.decay ** max(0, place.epoch - settings.decay_after + 1)
    if settings.schedule == "cosine":
        return factor * 0.5 * (1 + math.cos(math.pi * min(1.0, place.fraction)))
    if settings.schedule == "linear":
        return factor * max(0.0, 1 - place.fraction)
    if settings.schedule == "inverse-sqrt":
        return factor * min(1.0, (settings.warmup_steps / (place.step + 1)) ** 0.5)
    if settings.schedule == "steps":
        return factor * (1.0 if place.fraction < 0.5 else 0.1 if place.fraction < 0.75 else 0.01)
    return factor


def clip_gradients(model: nn.Module, settings: TrainingSettings) -> None:
    """Limit the gradients as the settings say: the joint norm (Pascanu et al., 1211.5063), or each entry."""
    if settings.clip_norm:
        nn.utils.clip_grad_norm_(model.parameters(), settings.clip_norm)
    if settings.clip_value:
        nn.utils.clip_grad_value_(model.parameters(), settings.clip_value)
