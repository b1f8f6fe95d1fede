"""The temporal convolutional network: what a recurrent net does step by step, by convolutions all at once.

Paper: S. Bai, J. Z. Kolter & V. Koltun, "An empirical evaluation of generic convolutional and recurrent
networks for sequence modeling", 1803.01271 (2018).

    F(t) = sum over i < k of w_i x_{t - d i},   d = 1, 2, 4, ...   two per block, with a shortcut around them

Differs from the CNN: one axis, which is time; it never looks ahead; dilation takes the place of pooling.
Differs from the dilated RNN: no state is carried but the inputs themselves, so the reach has an end (R).

Departures from the paper: the past is padded and the future not, where the authors pad both and cut; what
came before a window can be handed on as a state, where theirs begins every window with zeros.
"""

from dataclasses import dataclass
from typing import Annotated

from anncestry.layers.recurrent.sequence_network import CausalSequenceNetwork, SequenceConfig
from anncestry.layers.recurrent.temporal import TemporalConvolution
from anncestry.rules import Rate, at_least


@dataclass(frozen=True, kw_only=True)
class TCNConfig(SequenceConfig):
    """Sizes; ``hidden_size`` is the channels, ``num_layers`` the blocks of two convolutions.

    Attributes:
        kernel_size: k, steps that one convolution sees.
        block_dropout: probability of zeroing an activation inside the blocks.
    """

    num_layers: int = 5
    kernel_size: Annotated[int, at_least(2, "to see another step")] = 3
    block_dropout: Rate = 0.0


class TCN(CausalSequenceNetwork):
    """Blocks of causal dilated convolutions under a linear readout."""

    def __init__(self, config: TCNConfig) -> None:
        wiring = TemporalConvolution(
            config.step_size, config.hidden_size, config.num_layers, config.kernel_size, config.block_dropout
        )
        super().__init__(config, wiring)
