"""The first LSTM: a memory cell that keeps everything it is given.

Paper: S. Hochreiter & J. Schmidhuber, "Long short-term memory", Neural Computation 9 (1997).

    c_t = c_{t-1} + i_t g_t,    g in (-2, 2),    h_t = o_t (2 sigma(c_t) - 1)

Differs from the RNN: the state has a second part whose path through time is a sum with weight 1. Differs
from the LSTM of 2000: no forget gate; see the claim ``forget-gate`` for what that means.

Departures from the paper: see the ledger of its entry on the timeline.
"""

from dataclasses import dataclass

from anncestry.layers.recurrent.cell_variants import LSTM1997Cell
from anncestry.layers.recurrent.sequence_network import CausalSequenceNetwork, SequenceConfig
from anncestry.layers.recurrent.wirings import Unrolled, stack


@dataclass(frozen=True, kw_only=True)
class LSTM1997Config(SequenceConfig):
    """Sizes alone."""


class LSTM1997(CausalSequenceNetwork):
    """Layers of memory cells without a forget gate."""

    def __init__(self, config: LSTM1997Config) -> None:
        def layer(input_size: int) -> Unrolled:
            return Unrolled(LSTM1997Cell(input_size, config.hidden_size))

        super().__init__(config, stack(layer, config.step_size, config.num_layers, config.dropout))
