"""Jordan's recurrence: what is fed back is the output, not the hidden state."""

from typing import NamedTuple

import torch
from torch import nn

from anncestry.arrays import Float, Tensor
from anncestry.errors import require
from anncestry.layers.recurrent.cells import Cell
from anncestry.layers.recurrent.recurrence import recur


class ContextState(NamedTuple):
    """The context: past outputs, squashed, the older the fainter."""

    context: Float[Tensor, "B K"]


class JordanCell(Cell):
    r"""A hidden layer that reads the input and the outputs so far.

    .. math::
        s_t &= \mu s_{t-1} + \sigma(y_{t-1}) \\
        h_t &= \tanh(W x_t + U s_t + b), \qquad y_t = V h_t + c

    It puts out y (B, K) itself; what goes back is squashed, so that it stays bounded.
    Source: Jordan, "Serial order: a parallel distributed processing approach", ICS report 8604 (1986).

    Args:
        hidden_size: H.
        output_size: K, the outputs that are fed back; H unless given.
        memory: mu, how much of the old context stays.
    """

    def __init__(
        self, input_size: int, hidden_size: int, output_size: int | None = None, memory: float = 0.5
    ) -> None:
        require(0 <= memory < 1, "memory", memory, "must be at least 0 and below 1")
        self.num_answers, self.memory = output_size or hidden_size, memory
        super().__init__(input_size, hidden_size)
        self.weight_hh = nn.Parameter(torch.empty(hidden_size, self.num_answers))
        self.weight_answer = nn.Parameter(torch.empty(self.num_answers, hidden_size))
        self.bias_answer = nn.Parameter(torch.empty(self.num_answers))
        self.reset_parameters()

    @property
    def output_size(self) -> int:
        """K, the outputs."""
        return self.num_answers

    def initial_state(self, batch_size: int) -> ContextState:
        return ContextState(self.weight_hh.new_zeros(batch_size, self.num_answers))

    def advance(self, projected_t, state):
        h = recur(state.context, self.weight_hh, projected_t).tanh()
        y = recur(h, self.weight_answer, self.bias_answer)
        return y, ContextState(self.memory * state.context + y.sigmoid())
