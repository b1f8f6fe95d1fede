"""Jordan's network: the answer of a moment ago is part of the input now.

Paper: M. I. Jordan, "Serial order: a parallel distributed processing approach", ICS report 8604 (1986).

    s_t = mu s_{t-1} + sigma(y_{t-1}),   h_t = tanh(W x_t + U s_t + b),   y_t = V h_t + c

Differs from the MLP: the context s, made of its own past answers. Differs from Elman's network: what is fed
back is the answer and not the hidden state, so the net remembers no more than it says.

Departures from the paper: see the ledger of its entry on the timeline.
"""

from dataclasses import dataclass

from torch import nn

from anncestry.errors import require
from anncestry.layers.recurrent.jordan import JordanCell
from anncestry.layers.recurrent.sequence_network import CausalSequenceNetwork, SequenceConfig
from anncestry.layers.recurrent.wirings import Unrolled


@dataclass(frozen=True, kw_only=True)
class JordanConfig(SequenceConfig):
    """Sizes, and ``memory`` (mu), how much of the old context stays at each step."""

    memory: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.num_layers == 1, "num_layers", self.num_layers, "must be 1: the answer is fed back")
        require(self.dropout == 0, "dropout", self.dropout, "must be 0: no layer is above the answer")
        require(
            not self.tie_embeddings, "tie_embeddings", True, "must be off: the cell gives the answer itself"
        )


class Jordan(CausalSequenceNetwork):
    """A hidden layer whose answers are fed back; the answer is the cell's own."""

    def __init__(self, config: JordanConfig) -> None:
        cell = JordanCell(config.step_size, config.hidden_size, config.output_size, config.memory)
        super().__init__(config, Unrolled(cell), readout=nn.Identity())
