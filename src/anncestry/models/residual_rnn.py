"""The residual LSTM: a shortcut from a layer's input to its output, inside the cell.

Paper: J. Kim, M. El-Khamy & J. Lee, "Residual LSTM: design of a deep recurrent architecture for distant
speech recognition", 1701.03360 (2017).

    h_t = o_t * (W_p tanh(c_t) + W_h x_t),    W_h the identity where the sizes agree

Differs from the stacked LSTM: the shortcut, which joins after the projection and before the output gate; a
full matrix from the cell to that gate.

Departures from the paper: see the ledger of its entry on the timeline.
"""

from dataclasses import dataclass

from anncestry.layers.recurrent.residual import ResidualLSTMCell
from anncestry.layers.recurrent.sequence_network import CausalSequenceNetwork, SequenceConfig
from anncestry.layers.recurrent.wirings import Unrolled, stack
from anncestry.rules import Size


@dataclass(frozen=True, kw_only=True)
class ResidualRNNConfig(SequenceConfig):
    """Sizes; ``proj_size`` (N) units are put out (default: ``hidden_size``, M)."""

    num_layers: int = 3
    proj_size: Size | None = None


class ResidualRNN(CausalSequenceNetwork):
    """Layers of residual LSTM cells."""

    def __init__(self, config: ResidualRNNConfig) -> None:
        def layer(input_size: int) -> Unrolled:
            return Unrolled(ResidualLSTMCell(input_size, config.hidden_size, config.proj_size))

        super().__init__(config, stack(layer, config.step_size, config.num_layers, config.dropout))
