"""Sequence to sequence: a deep LSTM encodes the source, a second generates from its state.

Paper: I. Sutskever, O. Vinyals & Q. Le, "Sequence to sequence learning with neural networks", 1409.3215
(2014).

    (h, c)_0 of each layer of the decoder = (h, c) of that layer of the encoder after the source, reversed
    p(y_t) = softmax(W h_t), h_t the top of the decoder's layers after y_{t-1}

Differs from the stacked LSTM: two of them, with weights of their own. The source is read back to front, so
that its first words are near the first words of the target.

Departures from the paper: see the ledger of its entry on the timeline.
"""

from dataclasses import dataclass

from torch import nn

from anncestry.arrays import Int, Tensor
from anncestry.layers.dropout import Dropout
from anncestry.layers.recurrent.cells import LSTMCell
from anncestry.layers.recurrent.wirings import Stacked, Unrolled, stack, step_of
from anncestry.layers.seq2seq.encoder_decoder import (
    DecoderNetwork,
    TranslationConfig,
    back_to_front,
    where_ragged,
)
from anncestry.protocols import State
from anncestry.rules import Size


@dataclass(frozen=True, kw_only=True)
class Seq2SeqConfig(TranslationConfig):
    """Sizes.

    Attributes:
        num_layers: of the encoder, and of the decoder.
        reverse_source: whether the source is read back to front (section 3.3).
        share_weights: whether encoder and decoder are one LSTM, as in a sequence autoencoder (Dai & Le,
            1511.01432). Source and target have embeddings of their own in any case.
        forget_bias: as in `anncestry.layers.recurrent.cells.LSTMCell`.
    """

    num_layers: Size = 2
    reverse_source: bool = True
    share_weights: bool = False
    forget_bias: float = 1.0


class Seq2Seq(DecoderNetwork):
    """Two stacks of LSTM layers; the state is a tuple with that of each layer."""

    config: Seq2SeqConfig

    def __init__(self, config: Seq2SeqConfig) -> None:
        super().__init__(config)
        self.source_embedding = nn.Embedding(config.input_size, config.embed_dim)
        self.embedding = nn.Embedding(config.output_size, config.embed_dim)
        self.encoder = self._layers()
        self.decoder = None if config.share_weights else self._layers()
        self.readout = nn.Linear(config.hidden_size, config.output_size)
        self.dropout = Dropout(config.dropout)
        self.reset_parameters()

    def _layers(self) -> Stacked:
        config = self.config

        def layer(input_size: int) -> Unrolled:
            return Unrolled(LSTMCell(input_size, config.hidden_size, config.forget_bias))

        return stack(layer, config.embed_dim, config.num_layers, config.dropout)

    @property
    def decoder_layers(self) -> Stacked:
        """The layers of the decoder."""
        return self.encoder if self.decoder is None else self.decoder

    def encode(self, source: Int[Tensor, "B S"], lengths: Int[Tensor, "B"] | None = None) -> State:
        lengths = where_ragged(lengths, source)
        if self.config.reverse_source:
            source = back_to_front(source, lengths)
        return self.encoder(self.dropout(self.source_embedding(source)), None, lengths)[1]

    def step(self, x_t, state):
        h, state = step_of(self.decoder_layers, self.dropout(self.embedding(x_t)), state)
        return self.readout(self.dropout(h)), state

    def teacher_force(self, tokens, state):
        h, _ = self.decoder_layers(self.dropout(self.embedding(tokens)), state)
        return self.readout(self.dropout(h))
