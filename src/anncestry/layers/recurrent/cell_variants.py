"""Cells that differ from the LSTM or the GRU by one change: the vanilla LSTM with peepholes and its eight
variants, the LSTM of 1997, and the GRU of its paper.

The names and equations of the variants are those of Greff et al., "LSTM: A search space odyssey",
1503.04069. With M inputs and N cells the vanilla LSTM has 4 N (M + N + 1) + 3 N parameters:

    i = sigma(W_i x + R_i y + p_i * c_prev + b_i)         f likewise
    g = tanh(W_g x + R_g y + b_g)
    c = f * c_prev + i * g
    o = sigma(W_o x + R_o y + p_o * c + b_o)              the peephole sees the new cell
    y = o * tanh(c)

None has a fused kernel; they run in the hoisted loop.
"""

from typing import ClassVar, NamedTuple

import torch
from torch import nn

from anncestry.arrays import Float, Tensor
from anncestry.layers.recurrent.cells import Cell, HiddenState, LSTMState
from anncestry.layers.recurrent.recurrence import recur


class PeepholeLSTMCell(Cell):
    """The vanilla LSTM of Greff et al.: forget gate, and gates that see their own cell.

    ``peepholes`` (P, H) holds one row for each gate of ``peeping``. They start at zero.

    Sources: Gers & Schmidhuber, IJCNN 2000, for the peepholes; Greff et al., section 2, for the whole.

    Args:
        forget_bias: as in `anncestry.layers.recurrent.cells.LSTMCell`; without effect without a forget gate.
    """

    gates: ClassVar[str] = "ifgo"  # those that have weights, in the order of the rows
    peeping: ClassVar[str] = "ifo"  # those that see the cell

    def __init__(self, input_size: int, hidden_size: int, forget_bias: float = 1.0) -> None:
        self.forget_bias, self.num_gates = forget_bias, len(self.gates)
        super().__init__(input_size, hidden_size)
        self.peepholes = nn.Parameter(torch.zeros(len(self.peeping), hidden_size)) if self.peeping else None

    def shift_biases(self) -> None:
        if "f" in self.gates:
            first = self.gates.index("f") * self.hidden_size
            with torch.no_grad():
                self.bias[first : first + self.hidden_size] += self.forget_bias

    def initial_state(self, batch_size: int) -> tuple[Tensor, ...]:
        zeros = self.weight_hh.new_zeros(batch_size, self.hidden_size)
        return LSTMState(zeros, zeros)

    def advance(self, projected_t, state):
        sums = recur(state.h, self.weight_hh, projected_t).chunk(len(self.gates), dim=-1)
        before = dict(zip(self.gates, sums, strict=True))  # what each gate gets before it is squashed
        i = self.gate("i", before, state.c)
        f = self.forget(i, before, state.c)
        c = f * state.c + i * self.squash_input(before["g"])
        o = self.gate("o", before, c)
        h = o * self.squash_output(c)
        return h, LSTMState(h, c)

    def gate(self, name: str, before: dict[str, Tensor], c: Float[Tensor, "B H"]) -> Tensor:
        """A gate's opening; 1 for one that this variant does without."""
        if name not in before:
            return c.new_ones(())
        if self.peepholes is not None and name in self.peeping:
            return (before[name] + self.peepholes[self.peeping.index(name)] * c).sigmoid()
        return before[name].sigmoid()

    def forget(self, i: Tensor, before: dict[str, Tensor], c: Float[Tensor, "B H"]) -> Tensor:
        """The forget gate; ``i`` is the input gate of the same step."""
        return self.gate("f", before, c)

    def squash_input(self, x: Float[Tensor, "B H"]) -> Float[Tensor, "B H"]:
        return x.tanh()

    def squash_output(self, c: Float[Tensor, "B H"]) -> Float[Tensor, "B H"]:
        return c.tanh()


class NIGCell(PeepholeLSTMCell):
    """No input gate: i = 1."""

    gates, peeping = "fgo", "fo"


class NFGCell(PeepholeLSTMCell):
    """No forget gate: f = 1."""

    gates, peeping = "igo", "io"


class NOGCell(PeepholeLSTMCell):
    """No output gate: o = 1."""

    gates, peeping = "ifg", "if"


class NIAFCell(PeepholeLSTMCell):
    """No input activation function: g is linear."""

    def squash_input(self, x):
        return x


class NOAFCell(PeepholeLSTMCell):
    """No output activation function: y = o * c."""

    def squash_output(self, c):
        return c


class CIFGCell(PeepholeLSTMCell):
    """Coupled input and forget gate: f = 1 - i."""

    gates, peeping = "igo", "io"

    def forget(self, i, before, c):
        return 1 - i


class NPCell(PeepholeLSTMCell):
    """No peepholes: the function of `anncestry.layers.recurrent.cells.LSTMCell`, which has a fused kernel."""

    peeping = ""


class GatedState(NamedTuple):
    """Output, memory, and the three gates of the last step."""

    h: Float[Tensor, "B H"]
    c: Float[Tensor, "B H"]
    gates: Float[Tensor, "B H3"]


class FGRCell(PeepholeLSTMCell):
    """Full gate recurrence: every gate sees all three gates of the step before, as in 1997.

    ``weight_gates`` (3 H, 3 H): nine more matrices of N x N.
    """

    def __init__(self, input_size: int, hidden_size: int, forget_bias: float = 1.0) -> None:
        super().__init__(input_size, hidden_size, forget_bias)
        self.weight_gates = nn.Parameter(torch.empty(3 * hidden_size, 3 * hidden_size))
        bound = hidden_size**-0.5
        nn.init.uniform_(self.weight_gates, -bound, bound)

    def initial_state(self, batch_size):
        zeros = self.weight_hh.new_zeros(batch_size, self.hidden_size)
        return GatedState(zeros, zeros, zeros.repeat(1, 3))

    def advance(self, projected_t, state):
        i, f, g, o = recur(state.h, self.weight_hh, projected_t).chunk(4, dim=-1)
        from_i, from_f, from_o = recur(state.gates, self.weight_gates).chunk(3, dim=-1)
        before = {"i": i + from_i, "f": f + from_f, "o": o + from_o}
        i, f = self.gate("i", before, state.c), self.gate("f", before, state.c)
        c = f * state.c + i * g.tanh()
        o = self.gate("o", before, c)
        h = o * c.tanh()
        return h, GatedState(h, c, torch.cat([i, f, o], dim=-1))


class LSTM1997Cell(NFGCell):
    """The LSTM of 1997: no forget gate, no peepholes, g in ±2 and the output squashed to ±1 by sigmoids.

    Source: Hochreiter & Schmidhuber, Neural Computation 9 (1997), appendix A.1. Departures: one cell per
    block, and gradients through the whole window, where the paper cuts them at the gates.
    """

    peeping = ""

    def squash_input(self, x):
        return 4 * x.sigmoid() - 2

    def squash_output(self, c):
        return 2 * c.sigmoid() - 1


class ResetFirstGRUCell(Cell):
    r"""The GRU of its paper: the reset gate acts before the recurrent product.

    .. math::
        n_t = \tanh(W_n x_t + U_n (r_t h_{t-1}) + b_n), \qquad h_t = z_t h_{t-1} + (1 - z_t)\, n_t

    Source: Cho et al., 1406.1078, equations 5 to 8. `anncestry.layers.recurrent.cells.GRUCell` resets after
    the product, which is another function: the weights are not interchangeable.
    """

    num_gates = 3

    def advance(self, projected_t, state):
        H = self.hidden_size
        gates = recur(state.h, self.weight_hh[: 2 * H], projected_t[:, : 2 * H])
        r, z = gates.sigmoid().chunk(2, dim=-1)
        n = recur(r * state.h, self.weight_hh[2 * H :], projected_t[:, 2 * H :]).tanh()
        h = n + z * (state.h - n)
        return h, HiddenState(h)


SEARCH_SPACE: dict[str, type[PeepholeLSTMCell]] = {
    "vanilla": PeepholeLSTMCell,
    "nig": NIGCell,
    "nfg": NFGCell,
    "nog": NOGCell,
    "niaf": NIAFCell,
    "noaf": NOAFCell,
    "cifg": CIFGCell,
    "np": NPCell,
    "fgr": FGRCell,
}
"""The cells of "LSTM: A search space odyssey" by the names the paper gives them."""
