"""The simple recurrent network: what was computed a moment ago is part of the input now.

Paper: J. L. Elman, "Finding structure in time", Cognitive Science 14 (1990).

    h_t = tanh(W x_t + U h_{t-1} + b)        y_t = V h_t + c

Differs from the MLP: the hidden units are fed back, so the input is a sequence of any length.

Departures from the paper: tanh instead of the logistic function, and back-propagation through time over
the whole window instead of a copy of the last hidden state taken as a constant input.
"""

from dataclasses import dataclass
from typing import Annotated

from anncestry.layers.recurrent.cells import ElmanCell
from anncestry.layers.recurrent.sequence_network import CausalSequenceNetwork, SequenceConfig
from anncestry.layers.recurrent.wirings import Unrolled, stack
from anncestry.rules import one_of


@dataclass(frozen=True, kw_only=True)
class RNNConfig(SequenceConfig):
    """Sizes, and the hidden activation: ``tanh`` or ``relu``."""

    activation: Annotated[str, one_of(ElmanCell.activations)] = "tanh"


class RNN(CausalSequenceNetwork):
    """Elman's network, unrolled over time."""

    def __init__(self, config: RNNConfig) -> None:
        def layer(input_size: int) -> Unrolled:
            return Unrolled(ElmanCell(input_size, config.hidden_size, config.activation))

        super().__init__(config, stack(layer, config.step_size, config.num_layers, config.dropout))
