"""Jordan's network: the output of the step before is part of the input.

Paper: M. I. Jordan, "Serial order: a parallel distributed processing approach", ICS report 8604 (1986).

    s_t = mu s_{t-1} + sigma(y_{t-1}),   h_t = tanh(W x_t + U s_t + b),   y_t = V h_t + c

Differs from the MLP: the context s, made of its own past outputs. Differs from Elman's network: what is fed
back is the output and not the hidden state, so the net remembers no more than it puts out.

Departures from the paper: see the ledger of its entry on the timeline.
"""

from dataclasses import dataclass
from typing import Annotated

from torch import nn

from anncestry.layers.recurrent.jordan import JordanCell
from anncestry.layers.recurrent.sequence_network import CausalSequenceNetwork, SequenceConfig
from anncestry.layers.recurrent.wirings import Unrolled
from anncestry.rules import Share, only


@dataclass(frozen=True, kw_only=True)
class JordanConfig(SequenceConfig):
    """Sizes, and ``memory`` (mu), how much of the old context stays at each step."""

    num_layers: Annotated[int, only(1, "the output is fed back")] = 1
    dropout: Annotated[float, only(0, "no layer is above the output")] = 0.0
    tie_embeddings: Annotated[bool, only(False, "the cell makes the output itself")] = False
    memory: Share = 0.5


class Jordan(CausalSequenceNetwork):
    """A hidden layer whose outputs are fed back; the cell has the readout."""

    def __init__(self, config: JordanConfig) -> None:
        cell = JordanCell(config.step_size, config.hidden_size, config.output_size, config.memory)
        super().__init__(config, Unrolled(cell), readout=nn.Identity())
