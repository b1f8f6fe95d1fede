"""What feeds what inside a model: which module's outputs reach which other one, found in one pass.

The model runs once on the meta device, as in `anncestry.inspection.costs`. Every tensor carries the names of
the modules it came from last; what a module is called with, and what it is made of when it returns, says
where its inputs come from. A module whose weights are used without calling it (the cell that a loop unrolls)
counts as called where they are first used. Dropout and identities let everything through.
"""

import itertools
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from anncestry.errors import UserError
from anncestry.inspection.costs import built_without_weights, meta_batch, meta_targets
from anncestry.inspection.tensors import Following, tensors_in
from anncestry.protocols import outputs_of

aten = torch.ops.aten
INPUT, TARGETS = "<input>", "<targets>"
"""Names of what goes into the model."""
_MEETINGS = {aten.add: "add", aten.add_: "add", aten.cat: "concat"}
Names = frozenset[str]


@dataclass(kw_only=True, eq=False)
class Step:
    """A module that took part, or a place where the outputs of several meet.

    Attributes:
        name: where it is in the model, with ``#1`` for a second call where it has no weights; of a meeting,
            the module it happens in and a number.
        kind: ``module``, ``add`` or ``concat``.
        caller: the module it was first called in.
        order: of its first call among all.
        settled: of a module that is never called, how many steps there were when it read its last source.
        calls: how often it was called.
        shape: of its first output tensor; empty where its weights are used without calling it.
        sources: steps whose outputs it reads.
        returned: steps whose outputs it hands on.
    """

    name: str
    kind: str = "module"
    caller: str
    order: int
    settled: int = 0
    calls: int = 0
    shape: tuple[int, ...] = ()
    sources: set[str] = field(default_factory=set)
    returned: set[str] = field(default_factory=set)


@dataclass(frozen=True, kw_only=True)
class Flow:
    """A model without weights, and what happened in it.

    Attributes:
        model: on the meta device.
        steps: by name, in the order of their first call; the model itself has the name "".
        inputs: shapes of what goes in, by `INPUT` and `TARGETS`.
    """

    model: nn.Module
    steps: dict[str, Step]
    inputs: dict[str, tuple[int, ...]]


def data_flow(config: Any) -> Flow:
    """The flow of one example through the model of a config of the timeline.

    Raises:
        UserError: the model cannot be run without weights.
    """
    model = built_without_weights(config).train()  # norms stay by themselves, as nothing is folded
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.eval()  # refuses to train on a single value
    x, targets = meta_batch(model, config.signature, 1), meta_targets(config.signature, 1)
    inputs = {INPUT: x} | ({} if targets is None else {TARGETS: targets})
    recorder = _Recorder(model, inputs)
    try:
        with torch.no_grad(), recorder:
            outputs_of(model, x, targets=targets)
    except (RuntimeError, NotImplementedError) as error:
        rule = f"cannot be run without weights (on the meta device): {error}"
        raise UserError("model", type(model).__name__, rule) from error
    finally:
        recorder.close()
    shapes = {name: tuple(tensor.shape) for name, tensor in inputs.items()}
    return Flow(model=model, steps=recorder.steps, inputs=shapes)


def lets_through(module: nn.Module) -> bool:
    """Whether a module hands on what it gets: dropout in evaluation, and identities."""
    return isinstance(module, nn.Identity) or "Dropout" in type(module).__name__


class _Recorder(Following):
    """Follows the names that tensors carry, by their memory: views carry the same."""

    def __init__(self, model: nn.Module, inputs: dict[str, Tensor]) -> None:
        super().__init__()
        self.steps: dict[str, Step] = {}
        self.stack: list[str] = []
        self.read: set[str] = set()
        self.names: dict[int, tuple[torch.UntypedStorage, Names]] = {}
        self.owners: dict[
            int, tuple[torch.UntypedStorage, Names]
        ] = {}  # of weights, and what is made of them
        self.discrete = {name for name, tensor in inputs.items() if not tensor.is_floating_point()}
        for name, tensor in inputs.items():
            self._set(self.names, tensor, frozenset([name]))
        for path, weight in model.named_parameters():
            self._set(self.owners, weight, frozenset([path.rpartition(".")[0]]))
        self.handles = []
        for name, module in model.named_modules():
            if not lets_through(module):
                self._listen(name, module)

    def _listen(self, name: str, module: nn.Module) -> None:
        # What has no weights is the same function wherever it is called: each call is a step.
        single = not any(True for _ in module.parameters()) and not any(True for _ in module.children())
        calls = itertools.count()

        def enter(_: nn.Module, args: Any, kwargs: Any) -> None:
            call = next(calls)
            step = self._step(f"{name}#{call}" if single and call else name)
            step.calls += 1
            if step.calls == 1:  # a layer that is called again reads itself
                self._read(step, self._names_in((args, kwargs)))
            self.stack.append(step.name)

        def leave(_: nn.Module, args: Any, output: Any) -> None:
            step = self.steps[self.stack.pop()]
            for place, tensor in enumerate(tensors_in(output)):
                if place == 0:  # what follows is state
                    step.shape = step.shape or tuple(tensor.shape)
                    step.returned |= self._get(self.names, tensor) if step.calls == 1 else set()
                self._set(self.names, tensor, frozenset([step.name]))

        self.handles.append(module.register_forward_pre_hook(enter, with_kwargs=True))
        self.handles.append(module.register_forward_hook(leave))

    def close(self) -> None:
        for handle in self.handles:
            handle.remove()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        operands = list(tensors_in((args, kwargs)))
        weights = [tensor for tensor in operands if not self._get(self.names, tensor)]
        owners = frozenset().union(*(self._get(self.owners, tensor) for tensor in weights))
        names = self._names_in(operands)
        if not names:
            for tensor in tensors_in(result):
                self._set(self.owners, tensor, owners)
            return result
        used = [o for o in owners if o not in self.stack and not (o in self.steps and self.steps[o].calls)]
        if used and self.stack:
            for owner in used:
                self._read(self._step(owner), names - {owner})
            names = frozenset(used)
        elif kind := _MEETINGS.get(func._overloadpacket):
            names = self._meeting(kind, operands, result) or names
        for tensor in tensors_in(result):
            self._set(self.names, tensor, names)
        return result

    def _meeting(self, kind: str, operands: list[Tensor], result: Any) -> Names:
        """The name of the step in which outputs of different modules meet; empty where they do not."""
        together = {self._get(self.names, tensor) for tensor in operands if tensor.dim()}
        alike = kind == "concat" or _alike([tuple(t.shape) for t in operands if t.dim()])
        if len(together) < 2 or not alike or any(len(names) != 1 for names in together) or not self.stack:
            return frozenset()
        if self.steps[self.stack[-1]].calls > 1:
            return frozenset()
        sources = set().union(*together)
        if sources & self.discrete or not result.is_floating_point():
            return frozenset()
        place = self.stack[-1]
        there = [s for s in self.steps.values() if s.kind != "module" and s.caller == place]
        for step in there:
            if step.kind == kind and step.sources == sources:
                return frozenset([step.name])
        step = self._step(f"{place}.{kind}{len(there)}")
        step.kind, step.sources, step.shape = kind, sources, tuple(result.shape)
        return frozenset([step.name])

    def _read(self, step: Step, names: Names) -> None:
        if not names <= step.sources:
            step.sources |= names
            if step.name not in self.read:  # what it reads after that goes around a loop
                step.settled = len(self.steps)
        self.read |= names - {step.name}

    def _step(self, name: str) -> Step:
        if name not in self.steps:
            caller = self.stack[-1] if self.stack else ""
            self.steps[name] = Step(name=name, caller=caller, order=len(self.steps))
        return self.steps[name]

    def _names_in(self, tree: Any) -> Names:
        return frozenset().union(*(self._get(self.names, tensor) for tensor in tensors_in(tree)))

    def _get(self, known: dict[int, tuple[torch.UntypedStorage, Names]], tensor: Tensor) -> Names:
        return known.get(tensor.untyped_storage()._cdata, (None, frozenset()))[1]

    def _set(
        self, known: dict[int, tuple[torch.UntypedStorage, Names]], tensor: Tensor, names: Names
    ) -> None:
        storage = tensor.untyped_storage()
        known[storage._cdata] = (
            storage,
            names,
        )  # holding the storage keeps its address from being used again


def _alike(shapes: list[tuple[int, ...]]) -> bool:
    """Whether shapes are the same but for leading ones, and hold more than one axis."""
    longest = max(shapes, key=len)
    return len(longest) > 1 and all(longest[len(longest) - len(s) :] == s and len(s) > 1 for s in shapes)
