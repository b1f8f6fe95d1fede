"""What one batch does to a model: a gradient step, or a step of the model's own rule."""

from contextlib import nullcontext
from typing import TYPE_CHECKING, Protocol

import torch
from torch import nn

from anncestry.arrays import Tensor
from anncestry.engine.layout import lay_out
from anncestry.errors import require
from anncestry.objectives import Objective
from anncestry.objectives.auxiliary_lm import loss_of
from anncestry.protocols import Batch, OwnRule, State, detach_state, map_state, outputs_of
from anncestry.training.augment import augment
from anncestry.training.lone_rows import seen_statistics_for
from anncestry.training.optimizers import Position, clip_gradients, make_optimizer, rate_factor
from anncestry.training.processes import OneProcess
from anncestry.training.settings import TrainingSettings

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class Step(Protocol):
    """Learn from a batch; return the loss summed over it, the targets counted, and the state to carry on."""

    @property
    def optimizer(self) -> torch.optim.Optimizer | None: ...

    def __call__(self, batch: Batch, state: State, position: Position) -> tuple[float, int, State]: ...


class GradientStep:
    """Back-propagate the mean loss of the global batch, clip, and let the optimizer move."""

    def __init__(
        self,
        model: nn.Module,
        objective: Objective,
        settings: TrainingSettings,
        fabric: "Fabric | OneProcess",
    ) -> None:
        self.objective, self.settings, self.fabric = objective, settings, fabric
        self.augmentations = settings.augmentations()
        self.optimizer = make_optimizer(lay_out(model.to(fabric.device)), settings)
        model = torch.compile(model) if settings.compile else model  # pyright: ignore[reportAssignmentType]
        self.model, self.backward = model, torch.Tensor.backward
        # On one device in float32 Fabric's wrappers would do nothing, at a tenth of a small model's step.
        self.wrapped = fabric.world_size > 1 or settings.precision == "bf16"
        if self.wrapped:
            self.model, self.optimizer = fabric.setup(model, self.optimizer)
            self.backward = fabric.backward

    def __call__(self, batch: Batch, state: State, position: Position) -> tuple[float, int, State]:
        rate = self.settings.learning_rate * rate_factor(self.settings, position)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        inputs, targets = batch.inputs.to(self.fabric.device), batch.targets.to(self.fabric.device)
        if self.augmentations:
            seed = (self.settings.seed * 1_000_003 + position.step) * 1009 + self.fabric.global_rank
            inputs = augment(inputs, self.augmentations, torch.Generator().manual_seed(seed))
        count = self.objective.count(targets)
        # DDP takes the mean over processes of what has to be their sum.
        share = count if self.fabric.world_size == 1 else self._total(count) / self.fabric.world_size
        lengths = None if batch.lengths is None else batch.lengths.to(self.fabric.device)
        if self.settings.accumulate == 1:
            loss, state = self._backward(inputs, targets, lengths, state, share)
        else:
            loss, state = self._backward_in_parts(inputs, targets, lengths, state, share)
        clip_gradients(self.model, self.settings)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return loss, count, state

    def _backward(
        self, inputs: Tensor, targets: Tensor, lengths: Tensor | None, state: State, share: float
    ) -> tuple[float, State]:
        with seen_statistics_for(len(inputs), self.model):
            outputs, state = outputs_of(self.model, inputs, state, lengths, targets, asked_only=True)
        loss = loss_of(self.objective, outputs, targets)
        self.backward(loss / share)
        return loss.item(), None if state is None else detach_state(state)

    def _backward_in_parts(
        self, inputs: Tensor, targets: Tensor, lengths: Tensor | None, state: State, share: float
    ) -> tuple[float, State]:
        """The same gradient in less memory: the parts' gradients add up."""
        total, states, first = 0.0, [], 0
        parts = list(
            zip(inputs.chunk(self.settings.accumulate), targets.chunk(self.settings.accumulate), strict=True)
        )
        for index, (x, y) in enumerate(parts):
            rows = slice(first, first + x.shape[0])
            first += x.shape[0]
            before = None if state is None else map_state(lambda tensor, rows=rows: tensor[rows], state)
            of_part = None if lengths is None else lengths[rows]
            with self._without_sync(index + 1 < len(parts)):
                loss, after = self._backward(x, y, of_part, before, share)
            total += loss
            states.append(after)
        joined = None if states[0] is None else map_state(lambda *rows: torch.cat(rows), *states)
        return total, joined

    def _without_sync(self, wanted: bool):
        """The context in which processes do not add their gradients up yet."""
        if not (wanted and self.wrapped):
            return nullcontext()
        return self.fabric.no_backward_sync(self.model)  # pyright: ignore[reportArgumentType]

    def _total(self, count: int) -> float:
        return self.fabric.all_reduce(torch.tensor(float(count)), reduce_op="sum").item()  # pyright: ignore


def check_devices(model: object, settings: TrainingSettings) -> None:
    """Raise a `UserError` where a model that learns by its own rule is to be shared out, or given settings of
    gradient descent."""
    if isinstance(model, OwnRule):
        rule = "this model learns from one example after the other, on 1 device"
        require(settings.devices == 1, "devices", settings.devices, rule)
        settings.check_own_rule(type(model).__name__)


class RuleStep:
    """Hand the batch to a model that learns by its own rule."""

    optimizer = None

    def __init__(self, model: OwnRule, settings: TrainingSettings, fabric: "Fabric | OneProcess") -> None:
        check_devices(model, settings)
        self.rule, self.fabric = model, fabric

    def __call__(self, batch: Batch, state: State, position: Position) -> tuple[float, int, State]:
        inputs, targets = self.fabric.to_device((batch.inputs, batch.targets))
        outputs = self.rule.learn(inputs, targets)
        return self.rule.criterion(outputs, targets).item(), targets.shape[0], None
