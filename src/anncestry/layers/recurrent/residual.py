"""Shortcuts of recurrent layers: inside the cell (residual LSTM), and around the layer (residual stack)."""

from typing import Any

import torch
from torch import nn

from anncestry.arrays import Float, Int, Tensor
from anncestry.errors import require
from anncestry.layers.dropout import Dropout
from anncestry.layers.recurrent.cells import LSTMState
from anncestry.layers.recurrent.projection import ProjectedCell
from anncestry.layers.recurrent.recurrence import recur
from anncestry.layers.recurrent.wirings import step_of
from anncestry.protocols import State


class ResidualLSTMCell(ProjectedCell):
    r"""The residual LSTM: the input joins the projected output, before the output gate.

    .. math::
        i_t &= \sigma(W_{xi} x_t + W_{hi} h_{t-1} + w_{ci} * c_{t-1} + b_i) \qquad \text{f alike} \\
        c_t &= f_t c_{t-1} + i_t \tanh(W_{xc} x_t + W_{hc} h_{t-1} + b_c) \\
        o_t &= \sigma(W_{xo} x_t + W_{ho} h_{t-1} + W_{co} c_t + b_o) \\
        h_t &= o_t * (W_p \tanh(c_t) + W_h x_t)

    The output gate has the width N of the projection, which it gates, so that W_co is an N x M matrix. W_h
    is the identity, and no parameter, where the input has N features.

    Source: Kim, El-Khamy & Lee, 1701.03360, section 3. Rows of ``weight_ih``, ``weight_hh`` and ``bias``:
    i, f, g (M each), o (N).

    Args:
        hidden_size: M, memory cells.
        proj_size: N, what is put out; M unless given.
        forget_bias: as in `anncestry.layers.recurrent.cells.LSTMCell`.
    """

    def __init__(
        self, input_size: int, hidden_size: int, proj_size: int | None = None, forget_bias: float = 1.0
    ) -> None:
        super().__init__(
            input_size, hidden_size, hidden_size if proj_size is None else proj_size, forget_bias
        )
        M, N = hidden_size, self.proj_size
        rows = 3 * M + N
        self.weight_ih = nn.Parameter(torch.empty(rows, input_size))
        self.weight_hh = nn.Parameter(torch.empty(rows, N))
        self.bias = nn.Parameter(torch.empty(rows))
        self.weight_co = nn.Parameter(torch.empty(N, M))
        self.weight_p = nn.Parameter(torch.empty(N, M))
        self.weight_shortcut = None if input_size == N else nn.Parameter(torch.empty(N, input_size))
        self.peepholes = nn.Parameter(torch.empty(2, M))
        self.reset_parameters()

    def project(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B G"]:
        """What the gates get of the input, and behind it the shortcut W_h x: 3 M + 2 N features."""
        shortcut = x if self.weight_shortcut is None else nn.functional.linear(x, self.weight_shortcut)
        return torch.cat([super().project(x), shortcut], dim=-1)

    def advance(self, projected_t, state):
        M, N = self.hidden_size, self.proj_size
        gates, shortcut = projected_t.split([3 * M + N, N], dim=-1)
        i, f, g, o = recur(state.h, self.weight_hh, gates).split([M, M, M, N], dim=-1)
        i = (i + self.peepholes[0] * state.c).sigmoid()
        f = (f + self.peepholes[1] * state.c).sigmoid()
        c = f * state.c + i * g.tanh()
        o = recur(c, self.weight_co, o).sigmoid()
        h = o * recur(c.tanh(), self.weight_p, shortcut)
        return h, LSTMState(h, c)


class Residual(nn.Module):
    """A shortcut around any wiring: what goes up is y + x; what recurs inside is y alone.

    The wiring puts out as many features as it reads. Dropout acts on the wiring's input, not on the shortcut.
    Sources: Prakash et al., 1610.03098; Wu et al. (GNMT), 1609.08144, equation 6.
    """

    def __init__(self, wiring: Any, dropout: float = 0.0) -> None:
        super().__init__()
        sizes = (wiring.input_size, wiring.output_size)
        require(sizes[0] == sizes[1], "sizes", sizes, "a shortcut needs as many features out as in")
        self.wiring: Any = wiring
        self.dropout = Dropout(dropout)
        self.input_size = self.output_size = wiring.output_size

    def initial_state(self, batch_size: int) -> State:
        return self.wiring.initial_state(batch_size)

    def step(self, x_t: Tensor, state: State) -> tuple[Tensor, State]:
        y_t, state = step_of(self.wiring, self.dropout(x_t), state)
        return y_t + x_t, state

    def forward(
        self, x: Float[Tensor, "B T H"], state: State = None, lengths: Int[Tensor, "B"] | None = None
    ) -> tuple[Float[Tensor, "B T H"], State]:
        y, state = self.wiring(self.dropout(x), state, lengths)
        return y + x, state
