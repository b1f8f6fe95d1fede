"""The LSTM with peepholes, and its eight variants: what each of its parts is good for.

Papers: F. Gers & J. Schmidhuber, "Recurrent nets that time and count", IJCNN 2000; K. Greff et al., "LSTM: A
search space odyssey", 1503.04069 (2015), whose names the variants have.

    i, f see c_{t-1} and o sees c_t, each through a diagonal of weights

Differs from the LSTM: the peepholes; each variant by one more change
(`anncestry.layers.recurrent.cell_variants`).

Departures from the papers: see the ledger of its entry on the timeline.
"""

from dataclasses import dataclass
from typing import Annotated

from anncestry.layers.recurrent.cell_variants import SEARCH_SPACE
from anncestry.layers.recurrent.sequence_network import CausalSequenceNetwork, SequenceConfig
from anncestry.layers.recurrent.wirings import Unrolled, stack
from anncestry.rules import one_of


@dataclass(frozen=True, kw_only=True)
class PeepholeLSTMConfig(SequenceConfig):
    """Sizes, and the ``variant``: vanilla, nig, nfg, nog, niaf, noaf, cifg, np or fgr."""

    variant: Annotated[str, one_of(SEARCH_SPACE)] = "vanilla"
    forget_bias: float = 1.0


class PeepholeLSTM(CausalSequenceNetwork):
    """Layers of the vanilla LSTM or of one of its variants."""

    def __init__(self, config: PeepholeLSTMConfig) -> None:
        cell = SEARCH_SPACE[config.variant]

        def layer(input_size: int) -> Unrolled:
            return Unrolled(cell(input_size, config.hidden_size, config.forget_bias))

        super().__init__(config, stack(layer, config.step_size, config.num_layers, config.dropout))
