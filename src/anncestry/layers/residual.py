"""Shortcuts of recurrent layers: inside the cell (residual LSTM), and around the layer (residual stack)."""

from typing import Any

import torch
from torch import nn

from anncestry.arrays import Float, Int, Tensor
from anncestry.errors import require
from anncestry.layers.cells import Cell, LSTMState
from anncestry.layers.recurrence import recur
from anncestry.protocols import State


class LSTMPCell(Cell):
    r"""An LSTM whose output is projected to fewer units, which recur and feed the next layer.

    .. math:: m_t = o_t \tanh(c_t), \qquad h_t = W_p m_t

    Source: Sak, Senior & Beaufays, 1402.1128, equations 7 to 9 (without the peepholes of that paper, as in
    PyTorch). ``weight_hh`` is (4 M, N), ``weight_p`` (N, M).

    Args:
        hidden_size: M, memory cells.
        proj_size: N, what is put out; half of M unless given.
        forget_bias: as in `anncestry.layers.cells.LSTMCell`.
    """

    num_gates = 4

    def __init__(
        self, input_size: int, hidden_size: int, proj_size: int | None = None, forget_bias: float = 1.0
    ) -> None:
        self.proj_size = max(1, hidden_size // 2) if proj_size is None else proj_size
        require(self.proj_size >= 1, "proj_size", self.proj_size, "must be at least 1")
        self.forget_bias = forget_bias
        super().__init__(input_size, hidden_size)
        self.weight_hh = nn.Parameter(torch.empty(4 * hidden_size, self.proj_size))
        self.weight_p = nn.Parameter(torch.empty(self.proj_size, hidden_size))
        self.reset_parameters()

    @property
    def output_size(self) -> int:
        """N, the projected units."""
        return self.proj_size

    def shift_biases(self) -> None:
        with torch.no_grad():
            self.bias[self.hidden_size : 2 * self.hidden_size] += self.forget_bias

    def initial_state(self, batch_size: int) -> LSTMState:
        zeros = self.weight_hh.new_zeros
        return LSTMState(zeros(batch_size, self.proj_size), zeros(batch_size, self.hidden_size))

    def advance(self, projected_t, state):
        i, f, g, o = recur(state.h, self.weight_hh, projected_t).chunk(4, dim=-1)
        c = f.sigmoid() * state.c + i.sigmoid() * g.tanh()
        h = recur(o.sigmoid() * c.tanh(), self.weight_p)
        return h, LSTMState(h, c)

    def fused(self, x, state, batch_sizes=None):
        if x.device.type != "cuda":  # elsewhere PyTorch has a loop of its own for projections, no kernel
            return None
        hidden = (state.h.unsqueeze(0), state.c.unsqueeze(0))
        weights = [self.weight_ih, self.weight_hh, self.bias, self.no_bias, self.weight_p]
        training = torch.is_grad_enabled()
        if batch_sizes is None:
            y, h, c = torch.lstm(x, hidden, weights, True, 1, 0.0, training, False, True)
        else:
            y, h, c = torch.lstm(x, batch_sizes, hidden, weights, True, 1, 0.0, training, False)
        return y, LSTMState(h.squeeze(0), c.squeeze(0))


class ResidualLSTMCell(Cell):
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
        forget_bias: as in `anncestry.layers.cells.LSTMCell`.
    """

    def __init__(
        self, input_size: int, hidden_size: int, proj_size: int | None = None, forget_bias: float = 1.0
    ) -> None:
        N = hidden_size if proj_size is None else proj_size
        require(N >= 1, "proj_size", N, "must be at least 1")
        self.proj_size, self.forget_bias = N, forget_bias
        super().__init__(input_size, hidden_size)
        M, rows = hidden_size, 3 * hidden_size + N
        self.weight_ih = nn.Parameter(torch.empty(rows, input_size))
        self.weight_hh = nn.Parameter(torch.empty(rows, N))
        self.bias = nn.Parameter(torch.empty(rows))
        self.weight_co = nn.Parameter(torch.empty(N, M))
        self.weight_p = nn.Parameter(torch.empty(N, M))
        self.weight_shortcut = None if input_size == N else nn.Parameter(torch.empty(N, input_size))
        self.peepholes = nn.Parameter(torch.empty(2, M))
        self.reset_parameters()

    @property
    def output_size(self) -> int:
        """N, the projected units."""
        return self.proj_size

    def shift_biases(self) -> None:
        with torch.no_grad():
            self.bias[self.hidden_size : 2 * self.hidden_size] += self.forget_bias

    def initial_state(self, batch_size: int) -> LSTMState:
        zeros = self.weight_hh.new_zeros
        return LSTMState(zeros(batch_size, self.proj_size), zeros(batch_size, self.hidden_size))

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
        self.dropout = nn.Dropout(dropout)
        self.input_size = self.output_size = wiring.output_size

    def initial_state(self, batch_size: int) -> State:
        return self.wiring.initial_state(batch_size)

    def step(self, x_t: Tensor, state: State) -> tuple[Tensor, State]:
        y_t, state = self.wiring.step(self.dropout(x_t), state)
        return y_t + x_t, state

    def forward(
        self, x: Float[Tensor, "B T H"], state: State = None, lengths: Int[Tensor, "B"] | None = None
    ) -> tuple[Float[Tensor, "B T H"], State]:
        y, state = self.wiring(self.dropout(x), state, lengths)
        return y + x, state
