"""What nets that code an image and draw it again are made of: a way down to a few numbers, and a way back.

Down: convolutions of 3 x 3, each with twice the channels of the one before, while the image is halved:

    stride:   CONV3/2 -> RELU                      back:  TRANSPOSED CONV3/2
    pool:     CONV3 -> RELU -> MAXPOOL2            back:  every pixel twice along each axis -> CONV3
    average:  CONV3 -> RELU -> AVGPOOL2            back:  as for pool

then one dense layer to the code; back through the mirror image. With any of the three, a net of the same
channels has the same number of weights. A side of I positions has ceil(I / 2) behind a halving, and the way
back knows which sides were odd, so an image of any size comes back at its own.

Shapes: images (B, C, H, W), codes (B, Z).
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, ClassVar

import torch
from torch import nn

from anncestry.arrays import Float, Tensor
from anncestry.layers.images.config import ImageConfig, problem
from anncestry.layers.initialisation import initialise_coding
from anncestry.rules import Size, one_of, relation
from anncestry.signature import Signature

COARSER = ("stride", "pool", "average")
AS_LARGE = relation(
    lambda c: c.output_size == c.image_size, "a reconstruction has as many numbers as the image: {image_size}"
)


def halved(side: int) -> int:
    """Positions that are left of a side behind one halving."""
    return -(-side // 2)


def usual_stages(shape: tuple[int, ...]) -> int:
    """Halvings of an image (C, H, W) until four positions are left of its smaller side; two at least."""
    return max(2, math.ceil(math.log2(min(shape[1:]) / 4)))


def usual_code_size(shape: tuple[int, ...]) -> int:
    """The default Z for an image (C, H, W): a quarter of its numbers, 64 at most."""
    return max(1, min(64, math.prod(shape) // 4))


@dataclass(frozen=True, kw_only=True)
class ImageCodingConfig(ImageConfig):
    """Sizes of a net that codes an image and draws it again.

    Attributes:
        code_size: Z, numbers that an image becomes.
        channels: of the first convolution; each stage has twice as many.
        num_stages: how often the image is halved.
        coarser: how it is halved: ``stride``, ``pool`` (the maximum) or ``average``.
    """

    tasks: ClassVar[tuple[str, ...]] = ("reconstruction",)

    output_size: Annotated[int, AS_LARGE]
    code_size: Size
    channels: Size = 16
    num_stages: Size = 2
    coarser: Annotated[str, one_of(COARSER)] = "stride"

    @classmethod
    def for_signature(cls, signature: Signature, *, width: int | None = None, **overrides: Any):
        """The config for a data set; ``width`` is the channels of the first stage, default: 16."""
        fields = {
            "code_size": usual_code_size(signature.shape),
            "channels": width or 16,
            "num_stages": usual_stages(signature.shape),
        }
        return cls(**{**problem(signature), **fields, **overrides})

    @property
    def image_size(self) -> int:
        """Numbers of an image: C H W."""
        return math.prod(self.input_shape)

    def shapes(self) -> list[tuple[int, int, int]]:
        """The image and what each stage makes of it, (C, H, W)."""
        channels, height, width = self.input_shape
        shapes = [(channels, height, width)]
        for stage in range(self.num_stages):
            height, width = halved(height), halved(width)
            shapes.append((self.channels * 2**stage, height, width))
        return shapes


class Encoder(nn.Module):
    """Images to ``size`` numbers each, through ``config.num_stages`` halvings."""

    def __init__(self, config: ImageCodingConfig, size: int) -> None:
        super().__init__()
        shapes = config.shapes()
        stride = 2 if config.coarser == "stride" else 1
        layers: list[nn.Module] = []
        for (read, *_), (made, *_) in pairwise(shapes):
            layers += [nn.Conv2d(read, made, 3, stride=stride, padding=1), nn.ReLU()]
            if config.coarser == "pool":
                layers.append(nn.MaxPool2d(2, ceil_mode=True))
            elif config.coarser == "average":
                layers.append(nn.AvgPool2d(2, ceil_mode=True))
        self.layers = nn.Sequential(*layers)
        self.code = nn.Linear(math.prod(shapes[-1]), size)
        initialise_coding(self, self.code)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B pixels"]:
        return self.code(self.layers(x).flatten(1))


class Decoder(nn.Module):
    """Codes to images: the encoder's mirror image. Nothing bounds what it draws."""

    def __init__(self, config: ImageCodingConfig) -> None:
        super().__init__()
        shapes = config.shapes()
        self.smallest = shapes[-1]
        self.code = nn.Linear(config.code_size, math.prod(self.smallest))
        layers: list[nn.Module] = []
        for (read, *small), (made, *large) in pairwise(reversed(shapes)):
            layers.append(nn.ReLU())
            if config.coarser == "stride":
                even = (large[0] - 2 * small[0] + 1, large[1] - 2 * small[1] + 1)  # 1 where a side was even
                layers.append(nn.ConvTranspose2d(read, made, 3, stride=2, padding=1, output_padding=even))
            else:
                layers += [nn.Upsample(tuple(large)), nn.Conv2d(read, made, 3, padding=1)]
        self.layers = nn.Sequential(*layers)
        last = layers[-1]
        assert isinstance(last, nn.Conv2d | nn.ConvTranspose2d)
        initialise_coding(self, last)

    def forward(self, z: Float[Tensor, "B Z"]) -> Float[Tensor, "B C H W"]:
        return self.layers(self.code(z).unflatten(1, self.smallest))


class NormalSample(nn.Module):
    """A sample of N(mean, e^log_variance) in training, through which gradients flow; the mean in evaluation.

    Source: Kingma & Welling, 1312.6114, section 2.4: z = mean + deviation * epsilon, epsilon ~ N(0, 1).
    """

    def forward(self, mean: Float[Tensor, "B Z"], log_variance: Float[Tensor, "B Z"]) -> Float[Tensor, "B Z"]:
        if not self.training:
            return mean
        return mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
