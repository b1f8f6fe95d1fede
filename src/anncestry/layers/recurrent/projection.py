"""Memory cells with a projection: many cells that remember, fewer units that are put out and fed back."""

import torch
from torch import nn

from anncestry.errors import require
from anncestry.layers.recurrent.cells import Cell, LSTMState
from anncestry.layers.recurrent.recurrence import recur


class ProjectedCell(Cell):
    """A cell with a forget gate that keeps M memory cells and puts out N units.

    Rows of its gates begin with i and f, of M each.

    Args:
        hidden_size: M, memory cells.
        proj_size: N, what is put out and what recurs.
        forget_bias: as in `anncestry.layers.recurrent.cells.LSTMCell`.
    """

    def __init__(self, input_size: int, hidden_size: int, proj_size: int, forget_bias: float) -> None:
        require(proj_size >= 1, "proj_size", proj_size, "must be at least 1")
        self.proj_size, self.forget_bias = proj_size, forget_bias
        super().__init__(input_size, hidden_size)

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


class LSTMPCell(ProjectedCell):
    r"""An LSTM whose output is projected to fewer units, which recur and feed the next layer.

    .. math:: m_t = o_t \tanh(c_t), \qquad h_t = W_p m_t

    Source: Sak, Senior & Beaufays, 1402.1128, equations 7 to 9 (without the peepholes of that paper, as in
    PyTorch). ``weight_hh`` is (4 M, N), ``weight_p`` (N, M).

    Args:
        hidden_size: M, memory cells.
        proj_size: N, what is put out; half of M unless given.
        forget_bias: as in `anncestry.layers.recurrent.cells.LSTMCell`.
    """

    num_gates = 4

    def __init__(
        self, input_size: int, hidden_size: int, proj_size: int | None = None, forget_bias: float = 1.0
    ) -> None:
        N = max(1, hidden_size // 2) if proj_size is None else proj_size
        super().__init__(input_size, hidden_size, N, forget_bias)
        self.weight_hh = nn.Parameter(torch.empty(4 * hidden_size, N))
        self.weight_p = nn.Parameter(torch.empty(N, hidden_size))
        self.reset_parameters()

    def advance(self, projected_t, state):
        i, f, g, o = recur(state.h, self.weight_hh, projected_t).chunk(4, dim=-1)
        c = f.sigmoid() * state.c + i.sigmoid() * g.tanh()
        h = recur(o.sigmoid() * c.tanh(), self.weight_p)
        return h, LSTMState(h, c)

    def fused(self, x, state, batch_sizes=None):
        if x.device.type != "cuda":  # elsewhere PyTorch has a loop of its own for projections, no kernel
            return None
        hidden = (state.h.unsqueeze(0), state.c.unsqueeze(0))
        weights = [self.weight_ih, self.weight_hh, self.bias, self.no_bias(), self.weight_p]
        training = torch.is_grad_enabled()
        if batch_sizes is None:
            y, h, c = torch.lstm(x, hidden, weights, True, 1, 0.0, training, False, True)
        else:
            y, h, c = torch.lstm(x, batch_sizes, hidden, weights, True, 1, 0.0, training, False)
        return y, LSTMState(h.squeeze(0), c.squeeze(0))
