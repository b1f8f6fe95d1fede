"""Highways: gated shortcuts between the memory cells of neighbouring layers, and in depth within one step."""

import torch
from torch import nn

from anncestry.arrays import Float, Tensor
from anncestry.errors import require
from anncestry.layers.recurrent.cells import Cell, HiddenState, LSTMState
from anncestry.layers.recurrent.projection import ProjectedCell
from anncestry.layers.recurrent.recurrence import recur
from anncestry.layers.recurrent.wirings import Stacked, Unrolled
from anncestry.protocols import State


class OpenLSTMCell(ProjectedCell):
    """An LSTM with peepholes that puts out its memory beside its output: [h; c], N + M features.

    The lowest layer of a highway LSTM. With ``proj_size`` N the output is projected (Sak et al., 1402.1128).

    Args:
        hidden_size: M, memory cells.
        proj_size: N; without a projection M.
        forget_bias: as in `anncestry.layers.recurrent.cells.LSTMCell`.
    """

    num_gates = 4

    def __init__(
        self, input_size: int, hidden_size: int, proj_size: int | None = None, forget_bias: float = 1.0
    ) -> None:
        super().__init__(
            input_size, hidden_size, hidden_size if proj_size is None else proj_size, forget_bias
        )
        self.weight_hh = nn.Parameter(torch.empty(4 * hidden_size, self.proj_size))
        self.weight_p = None if proj_size is None else nn.Parameter(torch.empty(proj_size, hidden_size))
        self.peepholes = nn.Parameter(torch.empty(3, hidden_size))
        self.reset_parameters()

    @property
    def output_size(self) -> int:
        """N + M: the output and the memory."""
        return self.proj_size + self.hidden_size

    def advance(self, projected_t, state):
        M = self.hidden_size
        i, f, g, o = recur(state.h, self.weight_hh, projected_t[:, : 4 * M]).chunk(4, dim=-1)
        i = (i + self.peepholes[0] * state.c).sigmoid()
        f = (f + self.peepholes[1] * state.c).sigmoid()
        c = f * state.c + i * g.tanh()
        below = self.from_below(projected_t[:, 4 * M :], state.c)
        c = c if below is None else c + below
        o = (o + self.peepholes[2] * c).sigmoid()
        h = o * c.tanh()
        h = h if self.weight_p is None else recur(h, self.weight_p)
        return torch.cat([h, c], dim=-1), LSTMState(h, c)

    def from_below(self, projected_t: Tensor, c: Float[Tensor, "B cells"]) -> Tensor | None:
        """What the memory of the layer below adds to this one's."""
        return None


class HighwayLSTMCell(OpenLSTMCell):
    r"""An LSTM into whose memory flows that of the layer below, through a gate of its own.

    .. math::
        d_t &= \sigma(W_{xd} x_t^l + w_{d1} * c_{t-1}^l + w_{d2} * c_t^{l-1} + b_d) \\
        c_t^l &= d_t c_t^{l-1} + f_t c_{t-1}^l + i_t \tanh(\ldots)

    It reads [h; c] of the layer below, whose M memory cells are the last features.

    Source: Zhang et al., 1510.08983, equations 7 to 12. Everything else is an LSTM with peepholes.
    """

    def __init__(
        self, input_size: int, hidden_size: int, proj_size: int | None = None, forget_bias: float = 1.0
    ) -> None:
        rule = f"must hold the {hidden_size} memory cells of the layer below and something beside"
        require(input_size > hidden_size, "input_size", input_size, rule)
        super().__init__(input_size, hidden_size, proj_size, forget_bias)
        below = input_size - hidden_size
        self.weight_ih = nn.Parameter(torch.empty(5 * hidden_size, below))  # i, f, g, o, d
        self.bias = nn.Parameter(torch.empty(5 * hidden_size))
        self.depth_peepholes = nn.Parameter(torch.empty(2, hidden_size))
        self.reset_parameters()

    def project(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B G"]:
        """What the five gates get of the layer below, and behind it its memory: 6 M features."""
        M = self.hidden_size
        h, c = x.split([x.shape[-1] - M, M], dim=-1)
        gates = nn.functional.linear(h, self.weight_ih, self.bias)
        d = gates[..., 4 * M :] + self.depth_peepholes[1] * c
        return torch.cat([gates[..., : 4 * M], d, c], dim=-1)

    def from_below(self, projected_t, c):
        d, c_below = projected_t.chunk(2, dim=-1)
        return (d + self.depth_peepholes[0] * c).sigmoid() * c_below


class HighwayStack(Stacked):
    """An open LSTM below highway LSTMs. Dropout acts on what goes up as h, never on the highway of c."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        proj_size: int | None = None,
        dropout: float = 0.0,
    ) -> None:
        layers = [Unrolled(OpenLSTMCell(input_size, hidden_size, proj_size))]
        while len(layers) < num_layers:
            layers.append(Unrolled(HighwayLSTMCell(layers[-1].output_size, hidden_size, proj_size)))
        super().__init__(layers, dropout)
        self.output_size = layers[-1].output_size - hidden_size

    def between(self, x: Float[Tensor, "... H"]) -> Float[Tensor, "... H"]:
        h, c = x.split([self.output_size, x.shape[-1] - self.output_size], dim=-1)
        return torch.cat([self.dropout(h), c], dim=-1)

    def step(self, x_t: Tensor, state: State) -> tuple[Tensor, State]:
        y_t, state = super().step(x_t, state)
        return y_t[..., : self.output_size], state

    def forward(self, x: Tensor, state: State = None, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        y, state = super().forward(x, state, lengths)
        return y[..., : self.output_size], state


class RHNCell(Cell):
    r"""The recurrent highway network: L highway layers within one step of time.

    .. math::
        s_0 &= y_{t-1} \\
        h_l &= \tanh(W_H x_t [l = 1] + R_{Hl} s_{l-1} + b_{Hl}) \\
        t_l &= \sigma(W_T x_t [l = 1] + R_{Tl} s_{l-1} + b_{Tl}) \\
        s_l &= s_{l-1} + (h_l - s_{l-1})\, t_l, \qquad y_t = s_L

    Source: Zilly et al., 1607.03474, equations 7 to 9 with the carry gate coupled to 1 - t. Rows: h, t.

    Args:
        depth: L.
        transform_bias: added to b_T at the start; negative, so that a layer begins by carrying s on.
    """

    num_gates = 2

    def __init__(
        self, input_size: int, hidden_size: int, depth: int = 5, transform_bias: float = -2.0
    ) -> None:
        require(depth >= 1, "depth", depth, "must be at least 1")
        self.depth, self.transform_bias = depth, transform_bias
        super().__init__(input_size, hidden_size)
        self.weight_depth = nn.ParameterList(
            torch.empty(2 * hidden_size, hidden_size) for _ in range(depth - 1)
        )
        self.bias_depth = nn.ParameterList(torch.empty(2 * hidden_size) for _ in range(depth - 1))
        self.reset_parameters()

    def shift_biases(self) -> None:
        with torch.no_grad():
            for bias in (self.bias, *getattr(self, "bias_depth", ())):
                bias[self.hidden_size :] += self.transform_bias

    def advance(self, projected_t, state):
        s = self._highway(state.h, recur(state.h, self.weight_hh, projected_t))
        for weight, bias in zip(self.weight_depth, self.bias_depth, strict=True):
            s = self._highway(s, recur(s, weight, bias))
        return s, HiddenState(s)

    @staticmethod
    def _highway(s: Float[Tensor, "B H"], sums: Float[Tensor, "B H2"]) -> Float[Tensor, "B H"]:
        h, t = sums.chunk(2, dim=-1)
        return s + (h.tanh() - s) * t.sigmoid()
