"""Network in network: between two pooling layers a small perceptron slides over the image.

Paper: M. Lin, Q. Chen & S. Yan, "Network in network", 1312.4400 (2013). The sizes are those that its authors
published for CIFAR-10.

    [CONV5-192 -> CONV1-160 -> CONV1-96] -> MAXPOOL3/2 -> DROPOUT
    [CONV5-192 -> CONV1-192 -> CONV1-192] -> AVGPOOL3/2 -> DROPOUT
    [CONV3-192 -> CONV1-192 -> CONV1-K] -> the average of each of the K maps        ReLU behind every CONV

A 1x1 convolution is a dot product over the channels of one position: a dense layer that all positions share.

Differs from AlexNet: the linear window becomes a perceptron with hidden layers, and the dense layers at the
end a global average.
"""

from dataclasses import dataclass
from typing import Any

from torch import nn

from anncestry.arrays import Float, Tensor
from anncestry.layers.dropout import Dropout
from anncestry.layers.images.config import ImageConfig, problem
from anncestry.layers.initialisation import initialise_he
from anncestry.rules import Rate, Size
from anncestry.signature import Signature

KERNELS = ((5, 1, 1), (5, 1, 1), (3, 1, 1))
CHANNELS = ((192, 160, 96), (192, 192, 192), (192, 192))


@dataclass(frozen=True, kw_only=True)
class NINConfig(ImageConfig):
    """Sizes of a network in network.

    Attributes:
        channels: of the first convolution; the others keep the paper's proportions.
        dropout: probability of zeroing behind the two pooling layers.
    """

    channels: Size = 192
    dropout: Rate = 0.5

    @classmethod
    def for_signature(cls, signature: Signature, *, width: int | None = None, **overrides: Any):
        """The config for a data set; ``width`` is the channels of the first convolution (default: 48)."""
        return cls(**{**problem(signature), "channels": width or 48, **overrides})


class NIN(nn.Module):
    """Three sliding perceptrons with pooling between them, and the average over each of the last maps."""

    def __init__(self, config: NINConfig) -> None:
        super().__init__()
        self.config = config
        read, layers = config.input_shape[0], []
        for block, kernels in enumerate(KERNELS):
            widths = [max(1, count * config.channels // 192) for count in CHANNELS[block]]
            widths += [] if block < 2 else [config.output_size]
            for size, channels in zip(kernels, widths, strict=True):
                layers.append(nn.Conv2d(read, channels, size, padding=size // 2))
                layers.append(nn.ReLU(inplace=True))
                read = channels
            if block < 2:
                pool = nn.AvgPool2d if block else nn.MaxPool2d
                layers += [pool(3, stride=2, ceil_mode=True), Dropout(config.dropout)]
        # The paper's last ReLU would leave no gradient to a class whose map has become zero everywhere.
        self.layers = nn.Sequential(*layers[:-1])
        last = self.layers[-1]
        assert isinstance(last, nn.Conv2d)
        initialise_he(self, last)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        """The logits of each image: (B, C, H, W) -> (B, K); of regression the values."""
        return self.layers(x).mean((2, 3))
