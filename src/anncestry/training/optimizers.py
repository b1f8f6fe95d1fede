"""Optimizers and what happens to the learning rate."""

import inspect
import math
from typing import Any, NamedTuple

import torch
from torch import nn

from anncestry.arrays import Tensor
from anncestry.training.settings import TrainingSettings

LATE = 2.0**40  # steps after which no correction for bias is left of Adam, whatever beta2


def _plain(kind: type[torch.optim.Optimizer]) -> Any:
    """An optimizer of PyTorch's whose step does not load the compiler, as its wrappers do: a second."""
    return type(kind.__name__, (kind,), {"step": torch.no_grad()(inspect.unwrap(kind.step))})


Adam, AdamW, SGD, RMSprop = map(
    _plain, (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD, torch.optim.RMSprop)
)


class BertAdam(AdamW):
    """AdamW without its correction for bias, as BERT was trained (Devlin et al., 1810.04805; their code).

        m = b1 m + (1 - b1) g;   v = b2 v + (1 - b2) g^2;   p = p - lr (m / (sqrt(v) + eps) + decay p)

    The first step is (1 - b1) / sqrt(1 - b2) times Adam's, 3.16 with the usual constants; after a few
    thousand steps the two are the same. AdamW's correction is gone late in a run: steps are counted from
    then.
    """

    def __init__(
        self, params, lr: float, betas: tuple[float, float], eps: float, weight_decay: float
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay=weight_decay, fused=True)
        for group in self.param_groups:
            for p in group["params"]:
                step = torch.tensor(LATE, device=p.device)
                moments = {name: torch.zeros_like(p) for name in ("exp_avg", "exp_avg_sq")}
                self.state[p] = {"step": step, **moments}


class Lamb(torch.optim.Optimizer):
    """Adam's step, as long for each tensor as the tensor is (You et al., 1904.00962, algorithm 2).

        r = m^ / (sqrt(v^) + eps) + decay p;   p = p - lr (|p| / |r|) r

    m^ and v^ are Adam's corrected means. What weight decay would spare (a bias, the gain of a normalisation)
    takes Adam's own step, as a tensor that is all zeros does.
    """

    def __init__(
        self, params, lr: float, betas: tuple[float, float], eps: float, weight_decay: float
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """One step from the gradients; parameters without one stay."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self._move(p, p.grad, group)

    def _move(self, p: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        slots = self.state[p]
        if not slots:
            slots |= {"step": torch.zeros(())} | {
                name: torch.zeros_like(p) for name in ("exp_avg", "exp_avg_sq")
            }
        slots["step"] += 1
        count, mean, square = slots["step"].item(), slots["exp_avg"], slots["exp_avg_sq"]
        beta1, beta2 = group["betas"]
        mean.lerp_(gradient, 1 - beta1)
        square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        root = (square / (1 - beta2**count)).sqrt_().add_(group["eps"])
        update = (mean / (1 - beta1**count)).div_(root).add_(p, alpha=group["weight_decay"])
        ratio = p.norm() / update.norm() if p.dim() > 1 else p.new_ones(())
        ratio = torch.where(ratio.isfinite() & (ratio > 0), ratio, 1.0)
        p.sub_(update.mul_(ratio * group["lr"]))


_OWN = {"bert-adam": BertAdam, "lamb": Lamb}
_ADAMS = {"adam": Adam, "adamw": AdamW, **_OWN}


def make_optimizer(model: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    """The optimizer of the settings over every parameter that learns.

    PyTorch's Adams run fused: one kernel for all parameters.
    """
    parameters = _decayed(model, settings)
    rate, decay = settings.learning_rate, settings.weight_decay
    if settings.optimizer in _ADAMS:
        betas, fused = (0.9, settings.beta2), {} if settings.optimizer in _OWN else {"fused": True}
        kind = _ADAMS[settings.optimizer]
        return kind(parameters, rate, betas, settings.epsilon, weight_decay=decay, **fused)
    if settings.optimizer == "sgd":
        return SGD(
            parameters,
            lr=rate,
            momentum=settings.momentum,
            nesterov=settings.nesterov,
            weight_decay=decay,
            fused=True,
        )
    return RMSprop(parameters, lr=rate, alpha=0.95, weight_decay=decay)


def _decayed(model: nn.Module, settings: TrainingSettings) -> list[Any]:
    """All parameters; or two groups of them, of which the second is spared from weight decay."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    if settings.decay_on == "all" or not settings.weight_decay:
        return parameters
    matrices = {"params": [p for p in parameters if p.dim() > 1]}
    others = {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0}
    return [group for group in (matrices, others) if group["params"]]


class Position(NamedTuple):
    """How far training has come.

    Attributes:
        step: steps done so far.
        fraction: 0 at the start of the budget (steps, epochs or seconds), 1 at its end.
        epoch: whole passes done so far.
    """

    step: int
    fraction: float
    epoch: int


def rate_factor(settings: TrainingSettings, position: Position) -> float:
    """What the learning rate is multiplied by."""
    factor = 1.0
    if settings.warmup_steps:
        factor = min(1.0, (position.step + 1) / settings.warmup_steps)
    elif settings.warmup:
        factor = min(1.0, position.fraction / settings.warmup)
    factor *= settings.decay ** max(0, position.epoch - settings.decay_after + 1)
    if settings.schedule == "cosine":
        return factor * 0.5 * (1 + math.cos(math.pi * min(1.0, position.fraction)))
    if settings.schedule == "linear":
        return factor * max(0.0, 1 - position.fraction)
    if settings.schedule == "inverse-sqrt":
        return factor * min(1.0, (settings.warmup_steps / (position.step + 1)) ** 0.5)
    if settings.schedule == "steps":
        return factor * (1.0 if position.fraction < 0.5 else 0.1 if position.fraction < 0.75 else 0.01)
    return factor


def clip_gradients(model: nn.Module, settings: TrainingSettings) -> None:
    """Limit the gradients as the settings say: the joint norm (Pascanu et al., 1211.5063), or each entry."""
    if settings.clip_norm:
        nn.utils.clip_grad_norm_(model.parameters(), settings.clip_norm)
    if settings.clip_value:
        nn.utils.clip_grad_value_(model.parameters(), settings.clip_value)
