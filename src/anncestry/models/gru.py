"""The gated recurrent unit: the LSTM's idea with two gates and no second state.

Paper: K. Cho et al., "Learning phrase representations using RNN encoder-decoder", 1406.1078 (2014).

The equations are those of `anncestry.layers.recurrent.cells.GRUCell`: h_t = (1 - z) n + z h_{t-1}.

Differs from the LSTM: the update gate z does the work of both input and forget gate; no output gate.

Departures from the paper: the reset gate acts after the recurrent product, where PyTorch and cuDNN have it,
unless ``reset="before"``.
"""

from dataclasses import dataclass
from typing import Annotated

from anncestry.layers.recurrent.cell_variants import ResetFirstGRUCell
from anncestry.layers.recurrent.cells import GRUCell
from anncestry.layers.recurrent.sequence_network import CausalSequenceNetwork, SequenceConfig
from anncestry.layers.recurrent.wirings import Unrolled, stack
from anncestry.rules import one_of

RESETS = {"after": GRUCell, "before": ResetFirstGRUCell}


@dataclass(frozen=True, kw_only=True)
class GRUConfig(SequenceConfig):
    """Sizes, and where the reset gate acts: ``after`` the recurrent product, or ``before`` it (the paper)."""

    reset: Annotated[str, one_of(RESETS)] = "after"


class GRU(CausalSequenceNetwork):
    """GRU layers, each reading the output sequence of the one below."""

    def __init__(self, config: GRUConfig) -> None:
        def layer(input_size: int) -> Unrolled:
            return Unrolled(RESETS[config.reset](input_size, config.hidden_size))

        super().__init__(config, stack(layer, config.step_size, config.num_layers, config.dropout))
