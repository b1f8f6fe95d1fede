"""Wirings: networks made of any cell.

``Unrolled`` runs one cell over time, ``Stacked`` feeds each layer's outputs to the next,
``Bidirectional`` reads the sequence from both ends. They all share one interface, so they nest:

- ``forward(x, state=None, lengths=None) -> (y, state)`` over a whole batch (B, T, D);
- ``step(x_t, state) -> (y_t, state)`` and ``initial_state(batch_size)``, where the wiring is causal;
- ``input_size`` and ``output_size``.

A wiring is an ``nn.Module`` with these; no type says both, so it is annotated ``Any`` below.

With ``lengths`` (B,), what lies beyond a sequence's end is never read: outputs there are zero and the
returned state is the one after the sequence's own last step.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from anncestry.arrays import Bool, Float, Int, Shaped, Tensor
from anncestry.errors import require
from anncestry.layers.dropout import Dropout
from anncestry.layers.recurrent.cells import Cell
from anncestry.layers.recurrent.recurrence import prepared
from anncestry.layers.scanning import scanned
from anncestry.layers.watching import watched
from anncestry.protocols import State, flatten_state, map_state


def visible_steps(lengths: Int[Tensor, "B"], num_steps: int) -> Bool[Tensor, "B T"]:
    """True where a step lies inside its sequence."""
    return torch.arange(num_steps, device=lengths.device) < lengths.unsqueeze(1)


def check_lengths(lengths: Int[Tensor, "B"], batch_size: int, num_steps: int) -> None:
    """Raise a `UserError` unless there is one length per row, each from 1 to T.

    An empty sequence has no last step, hence no output; whoever has one leaves it out of the batch.
    """
    if torch.compiler.is_compiling():  # their values are not known yet
        return
    values = lengths.tolist()
    require(len(values) == batch_size, "lengths", values, f"must be one per row of the batch ({batch_size})")
    in_range = all(1 <= length <= num_steps for length in values)
    require(in_range, "lengths", values, f"every sequence has at least 1 step and at most T = {num_steps}")


def check_state(state: State, batch_size: int) -> None:
    """Raise a `UserError` unless the state is that of so many rows."""
    if torch.compiler.is_exporting():
        return
    rows = next((part.shape[0] for part in flatten_state(state)), batch_size)
    require(rows == batch_size, "state", f"of {rows} rows", f"must be that of this batch's {batch_size} rows")


def unroll_naive(cell: Cell, x: Float[Tensor, "B T D"], state: State) -> tuple[Float[Tensor, "B T H"], State]:
    """The specification: one ``step`` after another. Everything faster must equal this."""
    outputs = []
    for t in range(x.shape[1]):
        y_t, state = cell.step(x[:, t], state)
        outputs.append(y_t)
    return torch.stack(outputs, dim=1), state


def unroll(
    cell: Cell,
    x: Float[Tensor, "B T D"],
    state: State,
    lengths: Int[Tensor, "B"] | None = None,
    state_dropout: float = 0.0,
) -> tuple[Float[Tensor, "B T H"], State]:
    """Any cell over a sequence, the input product hoisted out of the loop."""
    visible = None if lengths is None else visible_steps(lengths, x.shape[1])
    if visible is not None:  # a NaN in the padding would survive even a multiplication by zero
        x = x.masked_fill(~visible.unsqueeze(2), 0)
    if watched(cell):
        return each_step(cell, x, state, visible)
    return advance_all(cell, cell.project(x), state, visible, state_dropout)


def advance_all(
    cell: Cell,
    projected: Float[Tensor, "B T G"],
    state: State,
    visible: Bool[Tensor, "B T"] | None = None,
    state_dropout: float = 0.0,
) -> tuple[Float[Tensor, "B T H"], State]:
    """The loop over time, from projected inputs.

    Where a step is not visible the output is 0 and the state stays what it was. With ``state_dropout`` some
    features of the state are kept from the recurrent weights, the same ones at every step.
    """
    with prepared(projected.shape[1], state_dropout):
        return each_step(cell.advance, projected, state, visible)


def each_step(
    step: Callable[[Tensor, State], tuple[Tensor, State]],
    x: Shaped[Tensor, "B T ..."],
    state: State,
    visible: Bool[Tensor, "B T"] | None = None,
) -> tuple[Float[Tensor, "B T H"], State]:
    """``step`` over a sequence, one after the other; where a step is not visible the output is 0 and the
    state stays what it was."""
    if torch.compiler.is_exporting():
        return scanned(step, x, state, visible)
    outputs = []
    for t, x_t in enumerate(x.unbind(1)):
        y_t, after = step(x_t, state)
        state, y_t = (after, y_t) if visible is None else _kept_inside(visible[:, t], y_t, after, state)
        outputs.append(y_t)
    return torch.stack(outputs, dim=1), state


def _kept_inside(inside: Bool[Tensor, "B"], y_t: Tensor, after: State, before: State) -> tuple[State, Tensor]:
    """The state and the output of a step that only some rows have."""

    def chosen(new: Tensor, old: Tensor) -> Tensor:
        return torch.where(inside.view(-1, *[1] * (new.dim() - 1)), new, old)

    return map_state(chosen, after, before), y_t.masked_fill(~inside.unsqueeze(1), 0)


class Unrolled(nn.Module):
    """One cell over time: PyTorch's fused kernel where the cell has one, else the hoisted loop.

    Args:
        cell: any cell.
        state_dropout: in training, probability of keeping a feature of the state from the recurrent weights
            at all steps of a call (Gal & Ghahramani, 1512.05287); no kernel does that. ``step`` does not.
    """

    def __init__(self, cell: Cell, state_dropout: float = 0.0) -> None:
        super().__init__()
        self.cell, self.state_dropout = cell, state_dropout
        self.input_size, self.output_size = cell.input_size, cell.output_size

    def initial_state(self, batch_size: int) -> State:
        return self.cell.initial_state(batch_size)

    def step(self, x_t: Tensor, state: State) -> tuple[Tensor, State]:
        return self.cell(x_t, state)

    def forward(
        self, x: Float[Tensor, "B T D"], state: State = None, lengths: Int[Tensor, "B"] | None = None
    ) -> tuple[Float[Tensor, "B T H"], State]:
        require(x.shape[1] >= 1, "x", tuple(x.shape), "a sequence has at least one step")
        if lengths is not None:
            check_lengths(lengths, *x.shape[:2])
        if state is None:
            state = self.initial_state(x.shape[0])
        check_state(state, x.shape[0])
        if torch.compiler.is_exporting() or watched(self.cell):
            return unroll(self.cell, x, state, lengths)
        if self.training and self.state_dropout:
            return unroll(self.cell, x, state, lengths, self.state_dropout)
        fused = self.cell.fused(x, state) if lengths is None else self._fused_packed(x, state, lengths)
        return unroll(self.cell, x, state, lengths) if fused is None else fused

    def _fused_packed(self, x, state, lengths):
        """The fused kernel over the real steps alone; padding is neither read nor multiplied."""
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        by_length, original = packed.sorted_indices, packed.unsorted_indices
        before = map_state(lambda part: part.index_select(0, by_length), state)
        fused = self.cell.fused(packed.data, before, packed.batch_sizes)
        if fused is None:
            return None
        data, after = fused
        y, _ = pad_packed_sequence(packed._replace(data=data), batch_first=True, total_length=x.shape[1])
        return y, map_state(lambda part: part.index_select(0, original), after)


def step_of(wiring: Any, x_t: Tensor, state: State) -> tuple[Tensor, State]:
    """``wiring.step``, by a call that whoever watches the wiring will see."""
    if not watched(wiring):
        return wiring.step(x_t, state)
    y, state = wiring(x_t.unsqueeze(1), state)
    return y.squeeze(1), state


class Stacked(nn.Module):
    """Layers one above the other: each reads the outputs of the one below.

    Args:
        layers: wirings; the input size of each is the output size of the one below.
        dropout: probability of zeroing an output on its way up (never through time: Zaremba et al.,
            1409.2329); not applied above the last layer.
    """

    def __init__(self, layers: Sequence[Any], dropout: float = 0.0) -> None:
        super().__init__()
        self.layers: Any = nn.ModuleList(layers)
        self.dropout = Dropout(dropout)
        self.input_size, self.output_size = layers[0].input_size, layers[-1].output_size

    def initial_state(self, batch_size: int) -> State:
        return tuple(layer.initial_state(batch_size) for layer in self.layers)

    def between(self, x: Tensor) -> Tensor:
        """What becomes of a layer's outputs on their way up to the next."""
        return self.dropout(x)

    def step(self, x_t: Tensor, state: State) -> tuple[Tensor, State]:
        after = []
        for layer, layer_state in zip(self.layers, state, strict=True):
            x_t, layer_state = step_of(layer, self.between(x_t) if after else x_t, layer_state)
            after.append(layer_state)
        return x_t, tuple(after)

    def forward(
        self, x: Float[Tensor, "B T D"], state: State = None, lengths: Int[Tensor, "B"] | None = None
    ) -> tuple[Float[Tensor, "B T H"], State]:
        after = []
        for depth, layer in enumerate(self.layers):
            x = self.between(x) if depth else x
            x, layer_state = layer(x, None if state is None else state[depth], lengths)
            after.append(layer_state)
        return x, tuple(after)


def stack(
    make_layer: Callable[[int], Any], input_size: int, num_layers: int, dropout: float = 0.0
) -> Stacked:
    """``num_layers`` equal layers; ``make_layer`` gets the size of what each one reads."""
    layers: list[Any] = []
    for _ in range(num_layers):
        layers.append(make_layer(input_size))
        input_size = layers[-1].output_size
    return Stacked(layers, dropout)


def reverse(x: Shaped[Tensor, "B T D"], lengths: Int[Tensor, "B"] | None = None) -> Shaped[Tensor, "B T D"]:
    """Every sequence back to front; with lengths, each within its own length, the padding left in place."""
    if lengths is None:
        return x.flip(1)
    steps = torch.arange(x.shape[1], device=x.device).unsqueeze(0)
    mirrored = torch.where(steps < lengths.unsqueeze(1), lengths.unsqueeze(1) - 1 - steps, steps)
    return x.gather(1, mirrored.unsqueeze(2).expand_as(x))


class Bidirectional(nn.Module):
    """Two independent wirings, one from each end; their outputs are concatenated [forward; backward].

    The backward half's final state belongs to t = 0. Not causal, so there is no ``step``.
    Source: Schuster & Paliwal, IEEE Transactions on Signal Processing 45 (1997).
    """

    def __init__(self, ahead: Any, back: Any) -> None:
        super().__init__()
        self.ahead, self.back = ahead, back
        self.input_size, self.output_size = ahead.input_size, ahead.output_size + back.output_size

    def forward(
        self, x: Float[Tensor, "B T D"], state: State = None, lengths: Int[Tensor, "B"] | None = None
    ) -> tuple[Float[Tensor, "B T H"], State]:
        ahead_state, back_state = (None, None) if state is None else state
        y_ahead, ahead_state = self.ahead(x, ahead_state, lengths)
        y_back, back_state = self.back(reverse(x, lengths), back_state, lengths)
        return torch.cat([y_ahead, reverse(y_back, lengths)], dim=2), (ahead_state, back_state)
