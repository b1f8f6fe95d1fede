"""AlexNet: five convolutions and three dense layers on two graphics cards; ReLU, dropout, ImageNet.

Paper: A. Krizhevsky, I. Sutskever & G. Hinton, "ImageNet classification with deep convolutional neural
networks", NIPS (2012), section 3.

    CONV11/4-96 -> ReLU -> LRN -> MAXPOOL3/2 -> CONV5-256 (2 groups) -> ReLU -> LRN -> MAXPOOL3/2
    -> CONV3-384 -> ReLU -> CONV3-384 (2 groups) -> ReLU -> CONV3-256 (2 groups) -> ReLU -> MAXPOOL3/2
    -> [DROPOUT -> FC-4096 -> ReLU] * 2 -> FC

    LRN: b = a / (k + alpha sum_j a_j^2)^beta over n = 5 neighbouring channels, k = 2, alpha = 1e-4,
    beta = 0.75                                                       section 3.3

Differs from LeNet: ReLU in place of sigmoids, overlapping pooling, dropout, a thousand times the weights.

The names of the weights are those under which torchvision publishes its own (preset ``alexnet-2014``).
"""

from dataclasses import dataclass
from typing import Annotated, Any

from torch import nn

from anncestry.arrays import Float, Tensor
from anncestry.layers.dropout import Dropout
from anncestry.layers.images.config import ImageConfig, is_small, problem
from anncestry.layers.initialisation import initialise_he
from anncestry.rules import NotNegative, Rate, Size, length, multiple_of
from anncestry.signature import Signature

CHANNELS = (96, 256, 384, 384, 256)
GROUPED = (False, True, False, True, True)  # which convolutions stay on their own card
OPEN = (False, True, False, True, True)  # which start with biases of 1, so that ReLUs pass a gradient
FIVE = length(5, "one for each of five convolutions")


@dataclass(frozen=True, kw_only=True)
class AlexNetConfig(ImageConfig):
    """Sizes of AlexNet.

    Attributes:
        channels: of the five convolutions.
        hidden_size: units of the two dense layers.
        groups: cards: into so many parts convolutions 2, 4 and 5 are cut.
        response_norm: whether the first two convolutions are followed by response normalisation.
        stem: kernel size and stride of the first convolution.
        grid: height and width that the maps are averaged to before the dense layers; 6 is what is left of
            224, so nothing is averaged there.
        dropout: probability of zeroing before the dense layers.
        init_std: weights start from N(0, this); 0 takes He's deviation for each layer.
    """

    channels: Annotated[tuple[Annotated[Size, multiple_of("groups")], ...], FIVE] = CHANNELS
    hidden_size: Size = 4096
    groups: Size = 2
    response_norm: bool = True
    stem: Annotated[tuple[Size, ...], length(2, "is a kernel size and a stride")] = (11, 4)
    grid: Size = 6
    dropout: Rate = 0.5
    init_std: NotNegative = 0.01

    @classmethod
    def for_signature(cls, signature: Signature, *, width: int | None = None, **overrides: Any):
        """The config for a data set; ``width`` is the channels of the first convolution, made even.

        Small images get a first convolution of 5x5 and stride 1, a third of the channels, and no response
        normalisation.
        """
        small = is_small(signature.shape)
        first = width or (32 if small else 96)
        sizes: dict[str, Any] = {
            "channels": tuple(2 * max(1, round(count * first / 192)) for count in CHANNELS),
            "hidden_size": 4 * first if small else round(4096 * first / 96),
        }
        if small:
            sizes |= {"stem": (5, 1), "grid": 1, "init_std": 0.0, "response_norm": False}
        return cls(**{**problem(signature), **sizes, **overrides})


class AlexNet(nn.Module):
    """Convolutions, an average to a fixed grid, dense layers."""

    def __init__(self, config: AlexNetConfig) -> None:
        super().__init__()
        self.config = config
        read, layers = config.input_shape[0], []
        for number, channels in enumerate(config.channels):
            (size, stride) = config.stem if number == 0 else (5 if number == 1 else 3, 1)
            padding = 2 if number == 0 else size // 2  # 224 with 2 more on each side is the paper's 227
            groups = config.groups if GROUPED[number] else 1
            layers.append(nn.Conv2d(read, channels, size, stride=stride, padding=padding, groups=groups))
            layers.append(nn.ReLU(inplace=True))
            if number < 2 and config.response_norm:
                # PyTorch divides alpha by n, the paper does not.
                layers.append(nn.LocalResponseNorm(5, alpha=5 * 1e-4, beta=0.75, k=2.0))
            if number in (0, 1, 4):
                layers.append(nn.MaxPool2d(3, stride=2, padding=int(config.grid == 1)))
            read = channels
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(config.grid)
        self.classifier = nn.Sequential(
            Dropout(config.dropout),
            nn.Linear(read * config.grid**2, config.hidden_size),
            nn.ReLU(inplace=True),
            Dropout(config.dropout),
            nn.Linear(config.hidden_size, config.hidden_size),
            nn.ReLU(inplace=True),
            nn.Linear(config.hidden_size, config.output_size),
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        convolutions = [module for module in self.features if isinstance(module, nn.Conv2d)]
        dense = [module for module in self.classifier if isinstance(module, nn.Linear)]
        initialise_he(self, dense[-1])
        if self.config.init_std:
            for module, is_open in zip([*convolutions, *dense], (*OPEN, True, True, False), strict=True):
                nn.init.normal_(module.weight, std=self.config.init_std)
                assert module.bias is not None
                nn.init.constant_(module.bias, float(is_open))

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        """The logits of each image: (B, C, H, W) -> (B, K); of regression the values."""
        return self.classifier(self.avgpool(self.features(x)).flatten(1))
