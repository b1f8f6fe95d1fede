"""Long short-term memory: a memory cell that is added to, not squashed, behind gates that learn when.

Papers: S. Hochreiter & J. Schmidhuber, "Long short-term memory", Neural Computation 9 (1997);
F. Gers, J. Schmidhuber & F. Cummins, "Learning to forget", Neural Computation 12 (2000).

Equations: `anncestry.layers.recurrent.cells.LSTMCell`: c_t = f c_{t-1} + i g, h_t = o tanh(c_t).

Differs from the RNN: the state has a second part, c, whose path through time is a sum.

Departures from the papers: gradients flow through the whole window (1997 cuts them at the gates); one
memory cell per block; the forget gate starts open (bias 1).
"""

from dataclasses import dataclass

from anncestry.layers.recurrent.cells import LSTMCell
from anncestry.layers.recurrent.sequence_network import CausalSequenceNetwork, SequenceConfig
from anncestry.layers.recurrent.wirings import Unrolled, stack


@dataclass(frozen=True, kw_only=True)
class LSTMConfig(SequenceConfig):
    """Sizes, the bias the forget gate starts with, and whether there is a second vector of biases."""

    forget_bias: float = 1.0
    second_bias: bool = False


class LSTM(CausalSequenceNetwork):
    """LSTM layers, each reading the output sequence of the one below."""

    def __init__(self, config: LSTMConfig) -> None:
        def layer(input_size: int) -> Unrolled:
            cell = LSTMCell(input_size, config.hidden_size, config.forget_bias, config.second_bias)
            return Unrolled(cell)

        super().__init__(config, stack(layer, config.step_size, config.num_layers, config.dropout))
