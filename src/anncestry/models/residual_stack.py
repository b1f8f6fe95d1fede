"""The residual stack: recurrent layers with a shortcut around each, as in GNMT.

Papers: A. Prakash et al., "Neural paraphrase generation with stacked residual LSTM networks", 1610.03098;
Y. Wu et al., "Google's neural machine translation system", 1609.08144 (2016), equation 6.

    x_t^{l+1} = h_t^l + x_t^l;    what recurs in layer l is h_t^l alone

Differs from the stacked LSTM: the sum. It has no parameter of its own.

Departures from the papers: the lowest layer, whose input has another size, has no shortcut.
"""

from dataclasses import dataclass

from anncestry.layers.recurrent.registry import CellName, make_cell
from anncestry.layers.recurrent.residual import Residual
from anncestry.layers.recurrent.sequence_network import CausalSequenceNetwork, SequenceConfig
from anncestry.layers.recurrent.wirings import Stacked, Unrolled


@dataclass(frozen=True, kw_only=True)
class ResidualStackConfig(SequenceConfig):
    """Sizes, and the ``cell``: any of `anncestry.layers.recurrent.registry.CELLS`."""

    num_layers: int = 3
    cell: CellName = "lstm"


class ResidualStack(CausalSequenceNetwork):
    """A recurrent layer, and others above it with a shortcut around each."""

    def __init__(self, config: ResidualStackConfig) -> None:
        layers: list = [Unrolled(make_cell(config.cell, config.step_size, config.hidden_size))]
        while len(layers) < config.num_layers:
            size = layers[-1].output_size
            layers.append(
                Residual(Unrolled(make_cell(config.cell, size, config.hidden_size)), config.dropout)
            )
        super().__init__(config, Stacked(layers))
