"""The LSTM with a projection: many memory cells, of which fewer units are put out.

Paper: H. Sak, A. Senior & F. Beaufays, "Long short-term memory based recurrent neural network
architectures for large vocabulary speech recognition", 1402.1128 (2014).

    h_t = W_p (o_t tanh(c_t))

Differs from the LSTM: what recurs and goes up is the projection.

Departures from the paper: no peepholes and no second, non-recurrent projection, as in ``torch.nn.LSTM``.
"""

from dataclasses import dataclass

from anncestry.layers.recurrent.projection import LSTMPCell
from anncestry.layers.recurrent.sequence_network import CausalSequenceNetwork, SequenceConfig
from anncestry.layers.recurrent.wirings import Unrolled, stack
from anncestry.rules import Size


@dataclass(frozen=True, kw_only=True)
class LSTMPConfig(SequenceConfig):
    """Sizes; ``proj_size`` (N) units are put out (default: half of ``hidden_size``)."""

    proj_size: Size | None = None


class LSTMP(CausalSequenceNetwork):
    """LSTM layers with a projection each."""

    def __init__(self, config: LSTMPConfig) -> None:
        def layer(input_size: int) -> Unrolled:
            return Unrolled(LSTMPCell(input_size, config.hidden_size, config.proj_size))

        super().__init__(config, stack(layer, config.step_size, config.num_layers, config.dropout))
