"""Wirings that reach back further than one step: dilated layers, skip connections, and what fuses them.

    dilated   c_t = f(x_t, c_{t-d})               d chains that know nothing of each other, side by side
    skip      c_t = f(x_t, c_{t-1}, c_{t-d})      the usual chain, and a second way back over d steps

Source: S. Chang et al., "Dilated recurrent neural networks", 1710.02224 (2017), equations 1 and 2.

Both are wirings like those of ``wirings.py`` and work with any cell.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import nn

from anncestry.arrays import Float, Int, Tensor
from anncestry.errors import require
from anncestry.layers.recurrent.cells import Cell
from anncestry.layers.recurrent.temporal import causal_convolution
from anncestry.layers.recurrent.wirings import (
    Unrolled,
    advance_all,
    check_lengths,
    check_state,
    each_step,
    step_of,
    visible_steps,
)
from anncestry.protocols import State, map_state


class Dilated(nn.Module):
    """A cell whose state comes from d steps ago.

    The d chains run side by side as d times as many rows: T / d steps one after the other, in one call of
    the cell's fused kernel. What is left over (T mod d steps) is one more step of the first chains.

    The state is that of the cell with an axis of d behind the batch: the last d states, the oldest first.

    Args:
        cell: any cell.
        dilation: d.
    """

    def __init__(self, cell: Cell, dilation: int) -> None:
        super().__init__()
        require(dilation >= 1, "dilation", dilation, "must be at least 1")
        self.chain = Unrolled(cell)
        self.dilation = dilation
        self.input_size, self.output_size = cell.input_size, cell.output_size

    def initial_state(self, batch_size: int) -> State:
        """d states of zeros."""
        return map_state(
            lambda part: part.unflatten(0, (batch_size, self.dilation)),
            self.chain.initial_state(batch_size * self.dilation),
        )

    def step(self, x_t: Float[Tensor, "B D"], state: State) -> tuple[Float[Tensor, "B H"], State]:
        """The definition: the oldest state makes the newest."""
        y_t, new = step_of(self.chain, x_t, map_state(lambda part: part[:, 0], state))
        return y_t, map_state(lambda old, part: torch.cat([old[:, 1:], part[:, None]], 1), state, new)

    def forward(
        self, x: Float[Tensor, "B T D"], state: State = None, lengths: Int[Tensor, "B"] | None = None
    ) -> tuple[Float[Tensor, "B T H"], State]:
        require(x.shape[1] >= 1, "x", tuple(x.shape), "a sequence has at least one step")
        if state is None:
            state = self.initial_state(x.shape[0])
        check_state(state, x.shape[0])
        if torch.compiler.is_exporting():
            return self._in_a_loop(x, state, lengths)
        if lengths is not None:
            check_lengths(lengths, *x.shape[:2])
            return self._forward_padded(x, state, lengths)
        batch_size, num_steps, _ = x.shape
        chains = map_state(lambda part: part.transpose(0, 1).flatten(0, 1), state)  # (d B, H), chain by chain
        over = num_steps % self.dilation
        steps = x.transpose(0, 1)  # time first, so that folding is a view
        outputs = []
        if num_steps > over:
            y, chains = self.chain(self._fold(steps[: num_steps - over]), chains)
            outputs.append(self._unfold(y, batch_size))
        if over:
            rows = over * batch_size
            last = steps[num_steps - over :].flatten(0, 1)
            y, first = step_of(self.chain, last, map_state(lambda part: part[:rows], chains))
            outputs.append(y.unflatten(0, (over, batch_size)))
            # The next step is that of the first chain that had none left over.
            chains = map_state(lambda part, new: torch.cat([part[rows:], new]), chains, first)
        y = outputs[0] if len(outputs) == 1 else torch.cat(outputs)
        after = map_state(lambda part: part.unflatten(0, (-1, batch_size)).transpose(0, 1), chains)
        return y.transpose(0, 1), after

    def _in_a_loop(self, x: Tensor, state: State, lengths: Tensor | None) -> tuple[Tensor, State]:
        """By the definition, for a number of steps that is not known yet."""
        visible = None if lengths is None else visible_steps(lengths, x.shape[1])
        return each_step(self.step, x, state, visible)

    def _fold(self, steps: Float[Tensor, "T B D"]) -> Float[Tensor, "chains steps D"]:
        """Row (j, b) holds the steps j, j + d, ... of row b."""
        groups = steps.reshape(-1, self.dilation * steps.shape[1], steps.shape[2])
        return groups.transpose(0, 1)

    def _unfold(self, y: Float[Tensor, "chains steps H"], batch_size: int) -> Float[Tensor, "T B H"]:
        return y.transpose(0, 1).reshape(-1, batch_size, y.shape[2])

    def _forward_padded(self, x: Tensor, state: State, lengths: Tensor) -> tuple[Tensor, State]:
        """Rows of their own lengths: so are the chains, of which some may have no step at all."""
        d, (batch_size, num_steps, _) = self.dilation, x.shape
        visible = visible_steps(lengths, num_steps).unsqueeze(2)
        x = nn.functional.pad(x.masked_fill(~visible, 0), (0, 0, 0, -num_steps % d))
        chain = torch.arange(d, device=x.device).unsqueeze(1)
        of_chain = ((lengths - chain + d - 1) // d).flatten()  # (d B,) steps of each chain
        before = map_state(lambda part: part.transpose(0, 1).flatten(0, 1), state)
        # A chain without a step is given one, whose results are thrown away.
        y, chains = self.chain(self._fold(x.transpose(0, 1)), before, of_chain.clamp(min=1))
        stepped = (of_chain > 0).unsqueeze(1)
        chains = map_state(lambda new, old: torch.where(stepped, new, old), chains, before)
        y = self._unfold(y, batch_size)[:num_steps].transpose(0, 1).masked_fill(~visible, 0)
        oldest = (lengths.unsqueeze(1) + torch.arange(d, device=x.device)) % d  # (B, d): in the order of age

        def by_age(part: Tensor) -> Tensor:
            part = part.unflatten(0, (d, batch_size)).transpose(0, 1)
            return part.gather(1, oldest.unsqueeze(2).expand_as(part))

        return y, map_state(by_age, chains)


class SkipState(NamedTuple):
    """The state of the cell, and its last d outputs, the oldest first."""

    cell: Any
    past: Float[Tensor, "B delay H"]


class Skip(nn.Module):
    r"""A cell that also sees its own output of d steps ago, through a second recurrent matrix V.

    .. math:: c_t = f(W x_t + V h_{t-d} + b,\; c_{t-1})

    V h_{t-d} is added to what every gate gets. It is known d steps ahead, so that d steps at a time share
    one product.

    Args:
        cell: any cell.
        distance: d.
    """

    def __init__(self, cell: Cell, distance: int) -> None:
        super().__init__()
        require(distance >= 1, "distance", distance, "must be at least 1")
        self.cell, self.distance = cell, distance
        self.weight_skip = nn.Parameter(torch.empty(cell.weight_hh.shape[0], cell.output_size))
        bound = 1 / math.sqrt(cell.hidden_size)
        nn.init.uniform_(self.weight_skip, -bound, bound)
        self.input_size, self.output_size = cell.input_size, cell.output_size

    def initial_state(self, batch_size: int) -> SkipState:
        past = self.weight_skip.new_zeros(batch_size, self.distance, self.output_size)
        return SkipState(self.cell.initial_state(batch_size), past)

    def step(self, x_t: Float[Tensor, "B D"], state: SkipState) -> tuple[Float[Tensor, "B H"], SkipState]:
        """The definition."""
        projected = self._with_past(self.cell.project(x_t), state.past[:, 0])
        y_t, after = self.cell.advance(projected, state.cell)
        return y_t, SkipState(after, torch.cat([state.past[:, 1:], y_t[:, None]], dim=1))

    def _with_past(self, projected: Float[Tensor, "... G"], past: Float[Tensor, "... H"]) -> Tensor:
        """``projected`` with V h_{t-d} in it; what a cell has behind its gates stays as it is."""
        more = past @ self.weight_skip.t()
        return projected + nn.functional.pad(more, (0, projected.shape[-1] - more.shape[-1]))

    def forward(
        self,
        x: Float[Tensor, "B T D"],
        state: SkipState | None = None,
        lengths: Int[Tensor, "B"] | None = None,
    ) -> tuple[Float[Tensor, "B T H"], SkipState]:
        require(x.shape[1] >= 1, "x", tuple(x.shape), "a sequence has at least one step")
        if state is None:
            state = self.initial_state(x.shape[0])
        check_state(state, x.shape[0])
        visible = None
        if lengths is not None:
            check_lengths(lengths, *x.shape[:2])
            visible = visible_steps(lengths, x.shape[1])
            x = x.masked_fill(~visible.unsqueeze(2), 0)
        if torch.compiler.is_exporting():
            return each_step(self.step, x, state, visible)
        cell_state, past = state
        projected, outputs = self.cell.project(x), [past]
        for first in range(0, x.shape[1], self.distance):
            block = projected[:, first : first + self.distance]
            seen = None if visible is None else visible[:, first : first + self.distance]
            block = self._with_past(block, outputs[-1][:, : block.shape[1]])
            y, cell_state = advance_all(self.cell, block, cell_state, seen)
            outputs.append(y)
        every = torch.cat(outputs, dim=1)  # (B, d + T, H)
        if lengths is None:
            return every[:, self.distance :], SkipState(cell_state, every[:, -self.distance :])
        last = lengths.unsqueeze(1) + torch.arange(self.distance, device=x.device)
        past = every.gather(1, last.unsqueeze(2).expand(-1, -1, every.shape[2]))
        return every[:, self.distance :], SkipState(cell_state, past)


class Fusing(nn.Module):
    r"""The 1-by-M convolution over the top outputs of a net whose first dilation is M > 1.

    .. math:: o_t = \sum_{j<M} A_j h_{t-j}

    Without it an output would see every M-th input alone. The state is the last M - 1 inputs.
    Source: 1710.02224, equation 7.
    """

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(size, size, width))
        bound = 1 / math.sqrt(size * width)
        nn.init.uniform_(self.weight, -bound, bound)
        self.input_size = self.output_size = size

    def initial_state(self, batch_size: int) -> Float[Tensor, "B H past"]:
        size, _, width = self.weight.shape
        return self.weight.new_zeros(batch_size, size, width - 1)

    def step(self, x_t: Float[Tensor, "B H"], state: Tensor) -> tuple[Float[Tensor, "B H"], Tensor]:
        y, state = self(x_t.unsqueeze(1), state)
        return y.squeeze(1), state

    def forward(
        self, x: Float[Tensor, "B T H"], state: Tensor | None = None, lengths: Int[Tensor, "B"] | None = None
    ) -> tuple[Float[Tensor, "B T H"], Tensor]:
        state = self.initial_state(x.shape[0]) if state is None else state
        y, after = causal_convolution(x.transpose(1, 2), self.weight, None, state, lengths)
        y = y.transpose(1, 2)
        if lengths is not None:
            y = y.masked_fill(~visible_steps(lengths, x.shape[1]).unsqueeze(2), 0)
        return y, after


def exponential(num_layers: int, base: int, first: int) -> Sequence[int]:
    """The dilations of the paper: ``first * base^l`` for layer l = 0, 1, ..."""
    return [first * base**layer for layer in range(num_layers)]
