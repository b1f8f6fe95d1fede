"""The context network: dilated convolutions see ever wider surroundings and never lose a pixel.

Paper: F. Yu & V. Koltun, "Multi-scale context aggregation by dilated convolutions", 1511.07122 (2015),
section 3, table 1.

    CONV3 with dilation 1, 1, 2, 4, 8, 16, 1, then CONV1        ReLU behind each but the last
    field of view        3, 5, 9, 17, 33, 65, 67, 67            r_{i+1} = r_i + 2 d

    start:  w[b, a, t] = 1 where t is the centre and a = b       the identity: equation 4

The field grows exponentially with depth, the weights linearly, the resolution stays.

Differs from VGG: no pooling; what a pooling layer's stride would spread out, a dilation does.
"""

from dataclasses import dataclass
from typing import Annotated, Any

from torch import nn

from anncestry.arrays import Float, Tensor
from anncestry.layers.images.config import ImageConfig, problem
from anncestry.layers.initialisation import initialise_he, initialise_identity
from anncestry.rules import Size, Sizes, length, where
from anncestry.signature import Signature

DILATIONS = (1, 1, 2, 4, 8, 16, 1)
LARGE = (2, 2, 4, 8, 16, 32, 32)  # channels of the paper's larger module, in units of C
AS_LARGE = length(len(LARGE), f"the larger module has {len(LARGE)} dilated layers")


@dataclass(frozen=True, kw_only=True)
class ContextNetConfig(ImageConfig):
    """Sizes of a context network.

    Attributes:
        channels: C, maps that the module reads.
        large: whether the channels grow from layer to layer as in the paper's larger module.
        dilations: of the 3x3 convolutions.
    """

    channels: Size = 32
    large: bool = False
    dilations: Annotated[Sizes, where(AS_LARGE, large=True)] = DILATIONS

    @classmethod
    def for_signature(cls, signature: Signature, *, width: int | None = None, **overrides: Any):
        """The config for a data set; ``width`` is C.

        A dilation is left out where it would reach beyond the whole image.
        """
        side = min(signature.shape[1:])
        fitting = tuple(dilation for dilation in DILATIONS if dilation < max(side, 2))
        return cls(**{**problem(signature), "channels": width or 32, "dilations": fitting, **overrides})


class ContextNet(nn.Module):
    """A convolution that makes C maps of the image, the context module, the average of K maps."""

    def __init__(self, config: ContextNetConfig) -> None:
        super().__init__()
        self.config = config
        C = config.channels
        self.front = nn.Conv2d(config.input_shape[0], C, 3, padding=1)
        read, layers = C, []
        for number, dilation in enumerate(config.dilations):
            channels = LARGE[number] * C if config.large else C
            layers.append(nn.Conv2d(read, channels, 3, padding=dilation, dilation=dilation))
            layers.append(nn.ReLU(inplace=True))
            read = channels
        self.context = nn.Sequential(*layers)
        self.answer = nn.Conv2d(read, config.output_size, 1)
        initialise_he(self, self.answer)
        for module in self.context:
            if isinstance(module, nn.Conv2d):
                initialise_identity(module, C)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        """The logits of each image: (B, C, H, W) -> (B, K); of regression the values."""
        return self.answer(self.context(self.front(x).relu_())).mean((2, 3))
