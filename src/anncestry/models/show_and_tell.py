"""Show and Tell: a convolutional net sees an image, an LSTM generates a caption.

Paper: O. Vinyals, A. Toshev, S. Bengio & D. Erhan, "Show and tell: a neural image caption generator",
1411.4555 (2014), equations 10 to 12.

    x_{-1} = W_img CNN(image)          the image, once, as if it were the first word
    x_t = W_e S_t,    p_{t+1} = softmax(LSTM(x_t))

Differs from seq2seq: the encoder is a convolutional net, and what it says is the decoder's first input in
place of its state.

Departures from the paper: see the ledger of its entry on the timeline.
"""

import math
from dataclasses import dataclass
from typing import Any

from torch import nn

from anncestry.arrays import Float, Int, Tensor
from anncestry.layers.dropout import Dropout
from anncestry.layers.images.config import ImageShape
from anncestry.layers.recurrent.cells import LSTMCell
from anncestry.layers.recurrent.wirings import Unrolled, stack, step_of
from anncestry.layers.seq2seq.encoder_decoder import DecoderNetwork, RecurrentDecoderConfig
from anncestry.models.cnn import CNN, CNNConfig
from anncestry.protocols import State
from anncestry.rules import DerivedSize, Size
from anncestry.signature import Signature

PATTERN = "INPUT -> [[CONV -> RELU]*N -> POOL]*M -> FC"


@dataclass(frozen=True, kw_only=True)
class CaptioningConfig(RecurrentDecoderConfig):
    """Sizes of a net that tells what it sees.

    Attributes:
        input_shape: (C, H, W) of an image.
        channels: of the first convolutions; twice as many behind each pooling.
        num_convs: convolutions before each pooling.
        num_blocks: poolings; 0 leaves four to eight positions along the smaller side.
    """

    input_shape: ImageShape
    channels: Size = 32
    num_convs: Size = 2
    num_blocks: DerivedSize = 0

    @classmethod
    def for_signature(cls, signature: Signature, *, width: int | None = None, **overrides: Any):
        """The config for a data set; ``width`` sets units and features of words, and channels by them."""
        fields = {
            "input_shape": signature.shape,
            "output_size": signature.output_size,
            "target_len": signature.target_len,
            "hidden_size": width or 128,
            "embed_dim": width or 128,
            "channels": max(4, (width or 128) // 4),
        }
        return cls(**{**fields, **overrides})

    @property
    def signature(self) -> Signature:
        """The learning problem this config is made for."""
        return Signature(
            "captioning", "image", self.input_shape, self.output_size, target_len=self.target_len
        )

    def convolutions(self, output_size: int) -> CNNConfig:
        """The convolutional encoder: an image to so many features."""
        halvings = max(1, int(math.log2(max(4, min(self.input_shape[1:])) / 4)))
        return CNNConfig(
            task="regression",
            input_shape=self.input_shape,
            output_size=output_size,
            pattern=PATTERN,
            num_convs=self.num_convs,
            num_blocks=self.num_blocks or halvings,
            channels=self.channels,
        )


@dataclass(frozen=True, kw_only=True)
class ShowAndTellConfig(CaptioningConfig):
    """Sizes; ``num_layers`` of the LSTM."""

    num_layers: Size = 1


class ShowAndTell(DecoderNetwork):
    """See once; generate. The state is a tuple with that of each layer."""

    config: ShowAndTellConfig

    def __init__(self, config: ShowAndTellConfig) -> None:
        super().__init__(config)

        def layer(input_size: int) -> Unrolled:
            return Unrolled(LSTMCell(input_size, config.hidden_size))

        self.encoder = CNN(config.convolutions(config.embed_dim))
        self.embedding = nn.Embedding(config.output_size, config.embed_dim)
        self.decoder = stack(layer, config.embed_dim, config.num_layers, config.dropout)
        self.readout = nn.Linear(config.hidden_size, config.output_size)
        self.dropout = Dropout(config.dropout)
        self.reset_parameters()

    def encode(self, source: Float[Tensor, "B C H W"], lengths: Int[Tensor, "B"] | None = None) -> State:
        seen = self.dropout(self.encoder(source))
        return self.decoder(seen.unsqueeze(1))[1]

    def step(self, x_t, state):
        h, state = step_of(self.decoder, self.dropout(self.embedding(x_t)), state)
        return self.readout(self.dropout(h)), state

    def teacher_force(self, tokens, state):
        h, _ = self.decoder(self.dropout(self.embedding(tokens)), state)
        return self.readout(self.dropout(h))
