"""The dilated recurrent network: each layer reaches back M times as far as the one below, and no less far.

Paper: S. Chang et al., "Dilated recurrent neural networks", 1710.02224 (2017).

    c_t^l = f(x_t^l, c_{t-d}^l),    d = d_1 M^(l-1) in layer l = 1, 2, ...

Differs from stacked layers: c_{t-d} in place of c_{t-1}. A layer is d chains side by side, so that it takes
T / d steps one after the other, and the way from an input to a late output is short.

Departures from the paper: see the ledger of its entry on the timeline.
"""

from dataclasses import dataclass

from anncestry.layers.recurrent.dilated import Dilated, Fusing, exponential
from anncestry.layers.recurrent.registry import CellName, make_cell
from anncestry.layers.recurrent.sequence_network import CausalSequenceNetwork, SequenceConfig
from anncestry.layers.recurrent.wirings import Stacked
from anncestry.rules import Size


@dataclass(frozen=True, kw_only=True)
class DilatedRNNConfig(SequenceConfig):
    """Sizes, the cell and the dilations.

    Attributes:
        cell: any of `anncestry.layers.recurrent.registry.CELLS`.
        base: M, by which the dilation grows from layer to layer.
        first_dilation: d_1; above 1 it drops the lowest layers, and a convolution fuses the last d_1 outputs.
    """

    num_layers: int = 4
    cell: CellName = "lstm"
    base: Size = 2
    first_dilation: Size = 1


class DilatedRNN(CausalSequenceNetwork):
    """Dilated layers under a readout; with a first dilation above 1, fused."""

    def __init__(self, config: DilatedRNNConfig) -> None:
        layers, size = [], config.step_size
        for dilation in exponential(config.num_layers, config.base, config.first_dilation):
            layers.append(Dilated(make_cell(config.cell, size, config.hidden_size), dilation))
            size = layers[-1].output_size
        if config.first_dilation > 1:
            layers.append(Fusing(size, config.first_dilation))
        super().__init__(config, Stacked(layers, config.dropout))
