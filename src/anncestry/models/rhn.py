"""The recurrent highway network: several highway layers within each step of time.

Paper: J. G. Zilly, R. K. Srivastava, J. Koutnik & J. Schmidhuber, "Recurrent highway networks",
1607.03474 (2016).

    s_l = s_{l-1} + (tanh(...) - s_{l-1}) * sigma(...),   l = 1 .. L within one step;   y_t = s_L

Differs from the GRU: depth in the transition from step to step; no reset gate.

Departures from the paper: see the ledger of its entry on the timeline.
"""

from dataclasses import dataclass

from anncestry.layers.recurrent.highway import RHNCell
from anncestry.layers.recurrent.sequence_network import CausalSequenceNetwork, SequenceConfig
from anncestry.layers.recurrent.wirings import Unrolled, stack
from anncestry.rules import Size


@dataclass(frozen=True, kw_only=True)
class RHNConfig(SequenceConfig):
    """Sizes; ``recurrence_depth`` highway layers in each step, whose gates start at ``transform_bias``."""

    recurrence_depth: Size = 3
    transform_bias: float = -2.0


class RHN(CausalSequenceNetwork):
    """Recurrent highway layers."""

    def __init__(self, config: RHNConfig) -> None:
        def layer(input_size: int) -> Unrolled:
            depth, bias = config.recurrence_depth, config.transform_bias
            return Unrolled(RHNCell(input_size, config.hidden_size, depth, bias))

        super().__init__(config, stack(layer, config.step_size, config.num_layers, config.dropout))
