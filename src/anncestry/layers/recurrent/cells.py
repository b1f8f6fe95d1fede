"""Recurrent cells: one step of time each, and how to project a whole sequence's inputs at once.

A cell is the equations of its paper and nothing else. How cells are unrolled, stacked or run in both
directions is the business of the wirings (``wirings.py``).

Every cell splits its step in two, so that the input product leaves the loop:

- ``project(x)``: everything that depends on the inputs alone, ``W x + b``, for all steps in one product;
- ``advance(projected_t, state)``: what is left to do at one step.

``step(x_t, state) = advance(project(x_t), state)`` is the definition. Where PyTorch has a fused kernel
for the cell, ``fused`` runs it over the whole sequence; the tests hold it equal to the loop.

Each gate has one bias vector, as in the papers (PyTorch keeps two, whose sum is what counts; only the
GRU's candidate needs a second one). Gates are in the order i, f, g, o (LSTM) and r, z, n (GRU).
"""

import math
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import torch
from torch import nn

from anncestry.arrays import Float, Tensor
from anncestry.engine.packed_lstm import packed_lstm
from anncestry.engine.weight_cache import cached_weights
from anncestry.errors import require
from anncestry.layers.recurrent.recurrence import recur
from anncestry.protocols import State

Fused = tuple[Tensor, State]


class HiddenState(NamedTuple):
    """The state of a cell that remembers its output alone."""

    h: Float[Tensor, "B H"]


class LSTMState(NamedTuple):
    """Output and memory of an LSTM."""

    h: Float[Tensor, "B H"]
    c: Float[Tensor, "B H"]


def _run(kernel: Callable[..., Any], *arguments: Any) -> Any:
    return kernel(*arguments)


# PyTorch compiles no fused recurrent kernel, its own neither. ``torch.compiler.disable`` is the same, but it
# loads the compiler (a second) for whoever never compiles.
_uncompiled: Any = torch._disable_dynamo(_run)


class Cell(nn.Module):
    """One step of a recurrent network: ``weight_ih`` (G, D), ``weight_hh`` (G, H), ``bias`` (G,).

    G is the number of gates times H. Weights start uniform in ±1/sqrt(H), as in ``torch.nn``.
    """

    num_gates = 1

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        require(input_size >= 1, "input_size", input_size, "must be at least 1")
        require(hidden_size >= 1, "hidden_size", hidden_size, "must be at least 1")
        self.input_size, self.hidden_size = input_size, hidden_size
        gates = self.num_gates * hidden_size
        self.weight_ih = nn.Parameter(torch.empty(gates, input_size))
        self.weight_hh = nn.Parameter(torch.empty(gates, hidden_size))
        self.bias = nn.Parameter(torch.empty(gates))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)
        self.shift_biases()

    def shift_biases(self) -> None:
        """Add the constants that some biases start with; every other weight has just been drawn."""

    @property
    def output_size(self) -> int:
        """Features of what a step puts out: H, unless the cell says otherwise."""
        return self.hidden_size

    def initial_state(self, batch_size: int) -> State:
        """Zeros: the state before the first step."""
        return HiddenState(self.weight_hh.new_zeros(batch_size, self.hidden_size))

    def project(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B G"]:
        """``W x + b`` for every step at once."""
        return nn.functional.linear(x, self.weight_ih, self.bias)

    def advance(self, projected_t: Float[Tensor, "B G"], state: State) -> tuple[Float[Tensor, "B H"], State]:
        """The output and the state after one step, from its projected input."""
        raise NotImplementedError

    def forward(self, x_t: Float[Tensor, "B D"], state: State) -> tuple[Float[Tensor, "B H"], State]:
        """The output and the state after one step."""
        return self.advance(self.project(x_t), state)

    def step(self, x_t: Float[Tensor, "B D"], state: State) -> tuple[Float[Tensor, "B H"], State]:
        """The same."""
        return self(x_t, state)

    def fused(self, x: Tensor, state: State, batch_sizes: Tensor | None = None) -> Fused | None:
        """The whole sequence in PyTorch's own kernel, or None where there is none for this cell.

        Args:
            x: (B, T, D), or the packed (sum of lengths, D) when ``batch_sizes`` is given.
            state: the state before the first step.
            batch_sizes: (T,) how many sequences reach each step, longest first.
        """
        return None

    def no_bias(self) -> Float[Tensor, "G"]:
        """The recurrent bias that the fused kernels want. Ours is zero and learns nothing."""
        return cached_weights((self.bias,), lambda: torch.zeros_like(self.bias))

    def _kernel(self, kernel, x, hidden, bias_hh, batch_sizes):
        # PyTorch's LSTM for the CPU looks at no sizes: it would read, and write gradients, beyond weights.
        rule = f"the last dimension must be the {self.input_size} features that the layer reads"
        require(x.shape[-1] == self.input_size, "inputs", tuple(x.shape), rule)
        weights = [self.weight_ih, self.weight_hh, self.bias, bias_hh]
        # Without dropout, all that "training" means is that cuDNN keeps what a backward pass needs; gradients
        # are asked for in evaluation mode too.
        training = torch.is_grad_enabled()
        run = _uncompiled if torch.compiler.is_compiling() else _run
        if batch_sizes is None:
            return run(kernel, x, hidden, weights, True, 1, 0.0, training, False, True)
        return run(kernel, x, batch_sizes, hidden, weights, True, 1, 0.0, training, False)

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}"


class ElmanCell(Cell):
    r"""Elman's simple recurrent unit: the hidden state of t-1 is fed back as context.

    .. math:: h_t = \tanh(W x_t + U h_{t-1} + b)

    Source: Elman, "Finding structure in time", Cognitive Science 14 (1990), figure 2.

    Args:
        activation: one of `activations`.
    """

    activations: ClassVar[tuple[str, ...]] = ("tanh", "relu")

    def __init__(self, input_size: int, hidden_size: int, activation: str = "tanh") -> None:
        require(activation in self.activations, "activation", activation, "must be one of", self.activations)
        self.activation = activation
        super().__init__(input_size, hidden_size)

    def advance(self, projected_t, state):
        preactivation = recur(state.h, self.weight_hh, projected_t)
        h = preactivation.tanh() if self.activation == "tanh" else preactivation.relu()
        return h, HiddenState(h)

    def fused(self, x, state, batch_sizes=None):
        kernel = torch.rnn_tanh if self.activation == "tanh" else torch.rnn_relu
        y, h = self._kernel(kernel, x, state.h.unsqueeze(0), self.no_bias(), batch_sizes)
        return y, HiddenState(h.squeeze(0))


class LSTMCell(Cell):
    r"""Long short-term memory with a forget gate and without peepholes.

    .. math::
        i_t &= \sigma(W_i x_t + U_i h_{t-1} + b_i) \\
        f_t &= \sigma(W_f x_t + U_f h_{t-1} + b_f) \\
        g_t &= \tanh (W_g x_t + U_g h_{t-1} + b_g) \\
        o_t &= \sigma(W_o x_t + U_o h_{t-1} + b_o) \\
        c_t &= f_t c_{t-1} + i_t g_t, \qquad h_t = o_t \tanh(c_t)

    Sources: Hochreiter & Schmidhuber, Neural Computation 9 (1997) for the cell; Gers, Schmidhuber &
    Cummins, Neural Computation 12 (2000) for the forget gate.

    Args:
        forget_bias: added to b_f at the start, so that the cell begins by remembering. 1 is the advice
            of Jozefowicz et al. (2015) and char-rnn's choice; PyTorch and Zaremba et al. (2014) use 0.
        second_bias: whether each gate has a second bias vector, as in Torch and PyTorch. It adds no function,
            but their sum moves at twice the learning rate, which a published recipe may rely on.
    """

    num_gates = 4

    def __init__(
        self, input_size: int, hidden_size: int, forget_bias: float = 1.0, second_bias: bool = False
    ) -> None:
        self.forget_bias = forget_bias
        super().__init__(input_size, hidden_size)
        self.second_bias = nn.Parameter(torch.empty_like(self.bias)) if second_bias else None
        if second_bias:
            self.reset_parameters()

    def shift_biases(self) -> None:
        with torch.no_grad():
            self.bias[self.hidden_size : 2 * self.hidden_size] += self.forget_bias

    def initial_state(self, batch_size):
        zeros = self.weight_hh.new_zeros(batch_size, self.hidden_size)
        return LSTMState(zeros, zeros)

    def advance(self, projected_t, state):
        i, f, g, o = recur(state.h, self.weight_hh, projected_t).chunk(4, dim=-1)
        c = f.sigmoid() * state.c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        return h, LSTMState(h, c)

    def project(self, x):
        projected = super().project(x)
        return projected if self.second_bias is None else projected + self.second_bias

    def fused(self, x, state, batch_sizes=None):
        hidden = (state.h.unsqueeze(0), state.c.unsqueeze(0))
        bias_hh = self.no_bias() if self.second_bias is None else self.second_bias
        weights = (self.weight_ih, self.weight_hh, self.bias, bias_hh)
        packed = packed_lstm(x, weights) if batch_sizes is None else None
        if packed is not None:
            y, h, c = packed(x, state.h, state.c)
            return y, LSTMState(h, c)
        y, h, c = self._kernel(torch.lstm, x, hidden, bias_hh, batch_sizes)
        return y, LSTMState(h.squeeze(0), c.squeeze(0))


class GRUCell(Cell):
    r"""Gated recurrent unit, with the reset gate after the recurrent product (as in PyTorch and cuDNN).

    .. math::
        r_t &= \sigma(W_r x_t + U_r h_{t-1} + b_r) \\
        z_t &= \sigma(W_z x_t + U_z h_{t-1} + b_z) \\
        n_t &= \tanh(W_n x_t + b_n + r_t (U_n h_{t-1} + b_{hn})) \\
        h_t &= (1 - z_t)\, n_t + z_t h_{t-1}

    Source: Cho et al., 1406.1078, equations 5 to 8. The paper resets *before* the product,
    ``U (r * h)``; the two are different functions and their weights are not interchangeable. The
    paper's z keeps the old state, as here; Chung et al. (1412.3555) write it the other way round.
    """

    num_gates = 3

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.bias_hn = nn.Parameter(torch.empty(hidden_size))
        self.reset_parameters()

    def advance(self, projected_t, state):
        H = self.hidden_size
        recurrent = recur(state.h, self.weight_hh)
        r, z = (projected_t[:, : 2 * H] + recurrent[:, : 2 * H]).sigmoid().chunk(2, dim=-1)
        n = (projected_t[:, 2 * H :] + r * (recurrent[:, 2 * H :] + self.bias_hn)).tanh()
        h = n + z * (state.h - n)
        return h, HiddenState(h)

    def fused(self, x, state, batch_sizes=None):
        bias_hh = nn.functional.pad(self.bias_hn, (2 * self.hidden_size, 0))  # of the candidate alone
        y, h = self._kernel(torch.gru, x, state.h.unsqueeze(0), bias_hh, batch_sizes)
        return y, HiddenState(h.squeeze(0))
