"""The highway LSTM: the memory of each layer flows into that of the next, through a gate.

Paper: Y. Zhang et al., "Highway long short-term memory RNNs for distant speech recognition", 1510.08983.

    c_t^l = d_t c_t^{l-1} + f_t c_{t-1}^l + i_t tanh(...)

Differs from the stacked LSTM: the term with d_t. It needs c of the layer below at the same step, which is
why layers put out [h; c].

Departures from the paper: one direction; see the ledger of its entry on the timeline.
"""

from dataclasses import dataclass

from anncestry.layers.recurrent.highway import HighwayStack
from anncestry.layers.recurrent.sequence_network import CausalSequenceNetwork, SequenceConfig
from anncestry.rules import Size


@dataclass(frozen=True, kw_only=True)
class HighwayLSTMConfig(SequenceConfig):
    """Sizes; with ``proj_size`` (N) the output of every layer is projected to so many units."""

    num_layers: int = 3
    proj_size: Size | None = None


class HighwayLSTM(CausalSequenceNetwork):
    """LSTM layers with a highway between their memories."""

    def __init__(self, config: HighwayLSTMConfig) -> None:
        wiring = HighwayStack(
            config.step_size, config.hidden_size, config.num_layers, config.proj_size, config.dropout
        )
        super().__init__(config, wiring)
