"""The stacked LSTM: an LSTM over the output sequence of an LSTM.

Paper: A. Graves, A. Mohamed & G. Hinton, "Speech recognition with deep recurrent neural networks",
1303.5778 (2013); the dropout between layers is that of Zaremba et al., 1409.2329 (2014).

Differs from the LSTM: depth. Layer l reads h of layer l - 1 at the same step; nothing else changes, so
this file adds a default and no code. The claim ``stacked-lstm`` proves the sentence above.
"""

from dataclasses import dataclass

from anncestry.models.lstm import LSTM, LSTMConfig


@dataclass(frozen=True, kw_only=True)
class StackedLSTMConfig(LSTMConfig):
    """An LSTM's config, with another number of layers (default: 2)."""

    num_layers: int = 2


class StackedLSTM(LSTM):
    """Two or more LSTM layers."""
