"""A model under examination: copies of it, examples for it, and what counts as equal."""

import copy
import inspect
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from anncestry.inspection.tensors import tensors_in
from anncestry.objectives import objective_for
from anncestry.protocols import EncoderDecoder, OwnRule, SequenceModel, State, flatten_state, outputs_of
from anncestry.signature import Signature

MAX_STEPS = 8  # of the sequences that a model of any length is checked with


class Broken(Exception):
    """A promise is not kept: what was measured, against what was expected."""


class NotApplicable(Exception):
    """There is nothing to check, and why."""


class Subject:
    """A model under examination. Every check works on copies; the model itself is never run.

    Copies are in double precision where the model runs in it, so that rounding excuses little: results
    may differ by 1e-9 of the largest output (by 1e-4 in the model's own precision, where it does not run in
    double precision or has outputs in another all the same). Weights that are all
    zero get small random values, and a model with a rule of its own learns a few examples first; else a
    model whose outputs are still all zero would keep any promise.

    Raises:
        Exception: whatever the model raises when it is run on an example.
    """

    def __init__(self, model: nn.Module, signature: Signature) -> None:
        self.model = model
        self.own_rule = isinstance(model, OwnRule)
        self.has_step = isinstance(model, SequenceModel)
        lengths = inspect.signature(model.forward).parameters.get("lengths")
        self.takes_lengths = lengths is not None
        generates = isinstance(model, EncoderDecoder)
        self.needs_lengths = lengths is not None and lengths.default is lengths.empty and not generates
        if signature.inputs in ("series", "tokens", "characters") and (self.has_step or self.takes_lengths):
            steps = min(signature.shape[0], MAX_STEPS)
            signature = replace(signature, shape=(steps, *signature.shape[1:]))
        if signature.target_len > MAX_STEPS:
            signature = replace(signature, target_len=MAX_STEPS)
        self.signature = signature
        self.objective = objective_for(signature)
        weights = [parameter for parameter in model.parameters() if parameter.is_floating_point()]
        self.device = weights[0].device if weights else torch.device("cpu")
        self.own_dtype = weights[0].dtype if weights else torch.float32
        self.dtype, self.tolerance = torch.float64, 1e-9
        try:
            in_double = self.run(self.copy(), *self.batch(2)).dtype == torch.float64
        except (RuntimeError, TypeError):
            in_double = False
        if not in_double:
            self.dtype, self.tolerance = self.own_dtype, 1e-4
            self.run(self.copy(), *self.batch(2))

    def raw(self) -> Any:
        """A copy as the model is, in evaluation mode, without gradients."""
        computed: dict[int, Any] = {}  # results kept on the model carry graphs, which cannot be copied
        for module in self.model.modules():
            for tensor in tensors_in(vars(module)):
                if not tensor.is_leaf:
                    computed[id(tensor)] = tensor.detach().clone()
        model = copy.deepcopy(self.model, computed)
        model.zero_grad(set_to_none=True)
        return model.eval()

    def copy(self) -> Any:
        """A copy that is ready to be examined, in evaluation mode."""
        model = self.raw().to(self.dtype)
        random = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.requires_grad and parameter.is_floating_point() and not parameter.any():
                    parameter += 0.1 * torch.randn(parameter.shape, generator=random).to(parameter)
        if self.own_rule:
            model.learn(*self.batch(16, seed=1))
        return model

    def rebuilt(self) -> Any:
        """A new model of the same config, or of a class that takes nothing; None where more would be needed
        to make one."""
        kind: Any = type(self.model)
        try:
            if hasattr(self.model, "config"):
                new = kind(self.model.config)
            elif not inspect.signature(kind).parameters:
                new = kind()
                if _shapes(new) != _shapes(self.model):  # it was changed after it was made
                    return None
            else:
                return None
        except (AttributeError, TypeError):
            return None
        frozen = {name for name, parameter in self.model.named_parameters() if not parameter.requires_grad}
        for name, parameter in new.named_parameters():
            if name in frozen:
                parameter.requires_grad_(False)
        return new.to(self.device, self.dtype)

    def batch(self, size: int, seed: int = 0, at_least: int = 1) -> tuple[Tensor, Tensor]:
        """Random inputs and targets, where and in the precision that the copies are.

        Args:
            at_least: steps that each sequence has, where the model reads sequences of any length.
        """
        signature, axis = self.signature, 1 if self.signature.inputs == "image" else 0
        if self.has_step:
            shape = list(signature.shape)
            longest = getattr(getattr(self.model, "config", None), "num_positions", at_least)
            shape[axis] = max(shape[axis], min(at_least, longest))
            signature = replace(signature, shape=tuple(shape))
        inputs, targets = signature.example(size, seed)
        inputs = inputs.to(self.device, self.dtype if inputs.is_floating_point() else inputs.dtype)
        return inputs, targets.to(self.device, self.dtype if targets.is_floating_point() else targets.dtype)

    def outputs(
        self, model: nn.Module, inputs: Tensor, state: State = None, **given: Any
    ) -> tuple[Any, State]:
        """As `outputs_of`; a model that cannot do without ``lengths`` is given those of whole rows."""
        if self.needs_lengths and given.get("lengths") is None:
            given["lengths"] = torch.full((len(inputs),), inputs.shape[1], device=self.device)
        return outputs_of(model, inputs, state, **given)

    def run(self, model: nn.Module, inputs: Tensor, targets: Tensor | None = None) -> Tensor:
        """The outputs alone, without a graph; only an encoder-decoder reads the targets."""
        with torch.no_grad():
            return self.outputs(model, inputs, targets=targets)[0]

    def mean_loss(
        self, model: nn.Module, inputs: Tensor, targets: Tensor, asked_only: bool = False
    ) -> Tensor:
        """The loss per target, differentiable.

        Args:
            asked_only: as for `outputs_of`: of all that training asks for, where a model that fills in words
                learns more beside.
        """
        outputs, _ = self.outputs(model, inputs, targets=targets, asked_only=asked_only)
        return self.objective.loss(outputs, targets) / self.objective.count(targets)

    def require_equal(self, got: Tensor, expected: Tensor, what: str) -> None:
        """Raise `Broken` where two results differ by more than rounding."""
        if got.shape != expected.shape:
            raise Broken(f"{what}: the shape is {tuple(got.shape)}, expected {tuple(expected.shape)}")
        difference = distance(got, expected)
        if not difference <= self.tolerance:
            raise Broken(f"{what}: they differ by {difference:.2g}, expected at most {self.tolerance:.0e}")

    def require_equal_states(self, got: State, expected: State, what: str) -> None:
        """Raise `Broken` where a tensor of two states differs by more than rounding."""
        parts, others = list(flatten_state(got)), list(flatten_state(expected))
        if len(parts) != len(others):
            raise Broken(f"{what}: {len(parts)} tensors, expected {len(others)}")
        for part, other in zip(parts, others, strict=True):
            self.require_equal(part, other, what)


def _shapes(model: nn.Module) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in model.state_dict().items()}


def distance(a: Tensor, b: Tensor) -> float:
    """The largest difference, in units of the largest value where that is above 1; NaN where one is NaN."""
    if a.numel() == 0:
        return 0.0
    return ((a - b).abs().max() / b.abs().max().clamp(min=1)).item()
