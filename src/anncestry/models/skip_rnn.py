"""The skip recurrent network: the chain of a recurrent net, and beside it a way back over d steps.

Paper: described as the regular skip connection in S. Chang et al., 1710.02224 (2017), equation 2; S. Zhang
et al., "Architectural complexity measures of recurrent neural networks", 1602.08210 (2016).

    c_t^l = f(x_t^l, c_{t-1}^l, c_{t-d}^l),    here  f(W x_t + V h_{t-d} + b, c_{t-1})

Differs from stacked layers: the second way back. Differs from the dilated net: c_{t-1} is kept, so there is
one chain of T steps, and a second recurrent matrix.

Departures from the papers: what they leave open, the place of h_{t-d}, is stated in the equation above.
"""

from dataclasses import dataclass

from anncestry.layers.recurrent.dilated import Skip, exponential
from anncestry.layers.recurrent.registry import CellName, make_cell
from anncestry.layers.recurrent.sequence_network import CausalSequenceNetwork, SequenceConfig
from anncestry.layers.recurrent.wirings import Stacked
from anncestry.rules import Size


@dataclass(frozen=True, kw_only=True)
class SkipRNNConfig(SequenceConfig):
    """Sizes, the cell and the distances.

    Attributes:
        cell: any of `anncestry.layers.recurrent.registry.CELLS`.
        base: by which the distance grows from layer to layer.
        first_distance: of the lowest layer.
    """

    num_layers: int = 2
    cell: CellName = "lstm"
    base: Size = 2
    first_distance: Size = 4


class SkipRNN(CausalSequenceNetwork):
    """Layers with a skip connection each, under a readout."""

    def __init__(self, config: SkipRNNConfig) -> None:
        layers, size = [], config.step_size
        for distance in exponential(config.num_layers, config.base, config.first_distance):
            layers.append(Skip(make_cell(config.cell, size, config.hidden_size), distance))
            size = layers[-1].output_size
        super().__init__(config, Stacked(layers, config.dropout))
