"""The all-convolutional net: pooling is a convolution with stride 2, and nothing else is needed.

Paper: J. Springenberg, A. Dosovitskiy, T. Brox & M. Riedmiller, "Striving for simplicity: the all
convolutional net", 1412.6806 (2014), model C of tables 1 and 2.

    pool:     [CONV3-96] * 2 -> MAXPOOL3/2    -> [CONV3-192] * 2 -> MAXPOOL3/2     -> end      base model C
    stride:   CONV3-96 -> CONV3-96/2          -> CONV3-192 -> CONV3-192/2          -> end      Strided-CNN-C
    conv:     [CONV3-96] * 2 -> CONV3-96/2    -> [CONV3-192] * 2 -> CONV3-192/2    -> end      All-CNN-C
    more:     [CONV3-96] * 3 -> MAXPOOL3/2    -> [CONV3-192] * 3 -> MAXPOOL3/2     -> end      ConvPool-CNN-C
    end:      CONV3-192 -> CONV1-192 -> CONV1-K -> the average of each of the K maps

Differs from the network in network: no pooling but the last average, 3x3 kernels.
"""

from dataclasses import dataclass
from typing import Annotated, Any

from torch import nn

from anncestry.arrays import Float, Tensor
from anncestry.layers.dropout import Dropout
from anncestry.layers.images.config import ImageConfig, problem
from anncestry.layers.initialisation import initialise_he
from anncestry.rules import Rate, Size, one_of
from anncestry.signature import Signature

# For each way to go coarser: the strides of a stage's convolutions, and whether max-pooling follows.
COARSER: dict[str, tuple[tuple[int, ...], bool]] = {
    "pool": ((1, 1), True),
    "stride": ((1, 2), False),
    "conv": ((1, 1, 2), False),
    "more": ((1, 1, 1), True),
}


@dataclass(frozen=True, kw_only=True)
class AllCNNConfig(ImageConfig):
    """Sizes of an all-convolutional net.

    Attributes:
        channels: of the first stage; the second has twice as many.
        coarser: how the two stages halve the image: ``conv``, ``stride``, ``pool`` or ``more``.
        input_dropout: probability of zeroing a pixel.
        dropout: probability of zeroing behind each halving.
    """

    channels: Size = 96
    coarser: Annotated[str, one_of(COARSER)] = "conv"
    input_dropout: Rate = 0.2
    dropout: Rate = 0.5

    @classmethod
    def for_signature(cls, signature: Signature, *, width: int | None = None, **overrides: Any):
        """The config for a data set; ``width`` is the channels of the first stage (default: 24)."""
        return cls(**{**problem(signature), "channels": width or 24, **overrides})


class AllCNN(nn.Module):
    """Two stages, two more convolutions, a map for every class, its average."""

    def __init__(self, config: AllCNNConfig) -> None:
        super().__init__()
        self.config = config
        strides, pooled = COARSER[config.coarser]
        read = config.input_shape[0]
        layers: list[nn.Module] = [Dropout(config.input_dropout)]

        def add(channels: int, size: int, stride: int = 1) -> None:
            nonlocal read
            layers.append(nn.Conv2d(read, channels, size, stride=stride, padding=size // 2))
            layers.append(nn.ReLU(inplace=True))
            read = channels

        for channels in (config.channels, 2 * config.channels):
            for stride in strides:
                add(channels, 3, stride)
            if pooled:
                layers.append(nn.MaxPool2d(3, stride=2, padding=1))
            layers.append(Dropout(config.dropout))
        add(2 * config.channels, 3)
        add(2 * config.channels, 1)
        add(config.output_size, 1)
        self.layers = nn.Sequential(*layers[:-1])  # no ReLU before the average, as in the network in network
        last = self.layers[-1]
        assert isinstance(last, nn.Conv2d)
        initialise_he(self, last)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        """The logits of each image: (B, C, H, W) -> (B, K); of regression the values."""
        return self.layers(x).mean((2, 3))
