"""VGG: depth by small kernels alone. Stacks of 3x3 convolutions, halved by max-pooling, then dense layers.

Paper: K. Simonyan & A. Zisserman, "Very deep convolutional networks for large-scale image recognition",
1409.1556 (2014), table 1. Its columns are named by their weight layers: A 11, B 13, C 16 with 1x1
convolutions, D 16, E 19.

    [[CONV3(n) -> ReLU] * 1..4 -> MAXPOOL2] * 5 -> [FC-4096 -> ReLU -> DROPOUT] * 2 -> FC

Differs from AlexNet: kernels of 3x3 and stride 1 throughout, twice the depth, no response normalisation.

The names of the weights are those under which torchvision publishes its own.
"""

from dataclasses import dataclass
from typing import Annotated, Any

from torch import nn

from anncestry.arrays import Float, Tensor
from anncestry.layers.dropout import Dropout
from anncestry.layers.images.batch_norm_folding import Folding
from anncestry.layers.images.config import ImageConfig, is_small, problem
from anncestry.layers.initialisation import initialise_he
from anncestry.rules import Rate, Size, one_of
from anncestry.signature import Signature

# For every stage, the kernel sizes of its convolutions.
COLUMNS: dict[str, tuple[tuple[int, ...], ...]] = {
    "A": ((3,), (3,), (3, 3), (3, 3), (3, 3)),
    "B": ((3, 3), (3, 3), (3, 3), (3, 3), (3, 3)),
    "C": ((3, 3), (3, 3), (3, 3, 1), (3, 3, 1), (3, 3, 1)),
    "D": ((3, 3), (3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3)),
    "E": ((3, 3), (3, 3), (3, 3, 3, 3), (3, 3, 3, 3), (3, 3, 3, 3)),
}
DOUBLED = (1, 2, 4, 8, 8)  # channels of a stage, in units of the first one's


@dataclass(frozen=True, kw_only=True)
class VGGConfig(ImageConfig):
    """Sizes of a VGG net.

    Attributes:
        column: of the paper's table 1: ``A``, ``B``, ``C``, ``D`` or ``E``.
        channels: of the first stage; doubled from stage to stage, up to eightfold.
        hidden_size: units of the two dense layers.
        grid: height and width that the maps are averaged to before the dense layers; 7 is what five
            halvings leave of 224.
        batch_norm: whether every convolution is normalised (Ioffe & Szegedy, 1502.03167), as is usual now.
        dropout: probability of zeroing behind the dense layers.
    """

    column: Annotated[str, one_of(COLUMNS)] = "D"
    channels: Size = 64
    hidden_size: Size = 4096
    grid: Size = 7
    batch_norm: bool = False
    dropout: Rate = 0.5

    @classmethod
    def for_signature(cls, signature: Signature, *, width: int | None = None, **overrides: Any):
        """The config for a data set; ``width`` is the channels of the first stage.

        Small images get column A with a sixteenth of the weights and one position instead of 7 x 7.
        """
        small = is_small(signature.shape)
        channels = width or (16 if small else 64)
        sizes = {
            "column": "A" if small else "D",
            "channels": channels,
            "hidden_size": (16 if small else 64) * channels,
            "grid": 1 if small else 7,
        }
        return cls(**{**problem(signature), **sizes, **overrides})


class VGG(nn.Module):
    """Convolutions, an average to a fixed grid, dense layers."""

    def __init__(self, config: VGGConfig) -> None:
        super().__init__()
        self.config = config
        read, layers = config.input_shape[0], []
        for kernels, factor in zip(COLUMNS[config.column], DOUBLED, strict=True):
            for size in kernels:
                layers.append(nn.Conv2d(read, factor * config.channels, size, padding=size // 2))
                read = factor * config.channels
                layers += [nn.BatchNorm2d(read)] if config.batch_norm else []
                layers.append(nn.ReLU(inplace=True))
            layers.append(nn.MaxPool2d(2, ceil_mode=True))  # a map of one position stays one position
        self.features = Folding(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(config.grid)
        last = nn.Linear(config.hidden_size, config.output_size)
        self.classifier = nn.Sequential(
            nn.Linear(read * config.grid**2, config.hidden_size),
            nn.ReLU(inplace=True),
            Dropout(config.dropout),
            nn.Linear(config.hidden_size, config.hidden_size),
            nn.ReLU(inplace=True),
            Dropout(config.dropout),
            last,
        )
        initialise_he(self, last)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        """The logits of each image: (B, C, H, W) -> (B, K); of regression the values."""
        return self.classifier(self.avgpool(self.features(x)).flatten(1))
