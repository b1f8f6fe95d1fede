"""What the parts of the house promise each other: cells, sequence models, rules that learn by themselves.

State travels by value: it is a tensor, or a (nested) tuple or NamedTuple of tensors with the batch on
axis 0. Nothing is kept on a module between calls.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

State = Any  # a tensor or a nested (Named)tuple of tensors, batch on axis 0


def map_state(function: Callable[..., Tensor], *states: State) -> State:
    """Apply ``function`` to the tensors at the same place of every state; the nesting is kept.

    Reordering beams is ``map_state(lambda t: t.index_select(0, rows), state)``.
    """
    first = states[0]
    if isinstance(first, Tensor):
        return function(*states)
    parts = [map_state(function, *parts) for parts in zip(*states, strict=True)]
    return type(first)(*parts) if hasattr(first, "_fields") else tuple(parts)


def flatten_state(state: State) -> Iterator[Tensor]:
    """The tensors of a state, outermost first."""
    if isinstance(state, Tensor):
        yield state
    else:
        for part in state:
            yield from flatten_state(part)


def detach_state(state: State) -> State:
    """The same values, cut off from the graph: where truncated back-propagation stops."""
    return map_state(torch.Tensor.detach, state)


@runtime_checkable
class SequenceModel(Protocol):
    """A model whose output at t depends on the inputs up to t through a state.

    ``forward(inputs, state)`` over a whole sequence equals ``step`` over its elements one by one.
    """

    def initial_state(self, batch_size: int) -> State: ...

    def step(self, x_t: Tensor, state: State) -> tuple[Tensor, State]: ...

    def forward(
        self, x: Tensor, state: State = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]: ...


@runtime_checkable
class OwnRule(Protocol):
    """A model that learns by its own rule in place of a gradient: the perceptron and its neighbours."""

    def learn(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Present the examples in order, change the weights, and return the outputs (B, K) that each
        example got *before* it changed anything."""
        ...

    def criterion(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The quantity the rule reduces, summed over the examples (a scalar)."""
        ...

    def converged(self, num_examples: int) -> bool:
        """Whether another pass over ``num_examples`` training examples would change nothing."""
        ...


IGNORED = -100
"""The target of a step that has no answer: padding, or a step that is not asked about. In a frame of real
values it fills the whole frame."""


class Batch(NamedTuple):
    """What one step of training sees.

    Attributes:
        inputs: (B, \\*shape) as the signature says.
        targets: (B,), (B, T), (B, K) or (B, T, K); `IGNORED` where nothing is asked.
        continues: whether each row goes on where the same row of the batch before it ended, so that a
            recurrent state may be carried over.
        lengths: (B,) the steps of each row, where they differ; None where all rows are of full length.
    """

    inputs: Tensor
    targets: Tensor
    continues: bool = False
    lengths: Tensor | None = None


def outputs_of(
    model: nn.Module, inputs: Tensor, state: State = None, lengths: Tensor | None = None
) -> tuple[Tensor, State]:
    """``(outputs, state)`` of any model of the timeline; the state is None for one that has none.

    Only models of sequences are given ``lengths``: no others fit data that have them.
    """
    if lengths is not None:
        result = model(inputs, state, lengths)
    else:
        result = model(inputs) if state is None else model(inputs, state)
    return result if isinstance(result, tuple) else (result, None)
