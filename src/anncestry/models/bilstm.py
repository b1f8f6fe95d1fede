"""The bidirectional LSTM: LSTM cells in both directions.

Paper: A. Graves & J. Schmidhuber, "Framewise phoneme classification with bidirectional LSTM and other
neural network architectures", Neural Networks 18 (2005).

Differs from the BRNN: the cell.

Departures from the paper: no peephole connections; the forget gate starts open (bias 1).
"""

from dataclasses import dataclass
from typing import Annotated

from anncestry.layers.recurrent.cells import LSTMCell
from anncestry.layers.recurrent.sequence_network import SequenceConfig
from anncestry.models.brnn import BOTH_WAYS, BidirectionalNetwork
from anncestry.signature import Task


@dataclass(frozen=True, kw_only=True)
class BiLSTMConfig(SequenceConfig):
    """Sizes, and the bias the forget gate starts with."""

    task: Annotated[Task, BOTH_WAYS] = "classification"
    forget_bias: float = 1.0


class BiLSTM(BidirectionalNetwork):
    """LSTM layers read in both directions."""

    def __init__(self, config: BiLSTMConfig) -> None:
        super().__init__(config, lambda size: LSTMCell(size, config.hidden_size, config.forget_bias))
