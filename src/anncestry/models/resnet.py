"""The residual network: a block learns what to add to its input, so that depth costs no accuracy.

Paper: K. He, X. Zhang, S. Ren & J. Sun, "Deep residual learning for image recognition", 1512.03385 (2015).

    y = ReLU(F(x) + x)                                         equation 1
    F, basic:       CONV3(n) -> BN -> ReLU -> CONV3(n) -> BN
    F, bottleneck:  CONV1(n) -> BN -> ReLU -> CONV3(n) -> BN -> ReLU -> CONV1(4n) -> BN

Where a stage halves the image and doubles its channels, the shortcut x takes every second position and either
gets zeros for the new channels (option A, without parameters) or a 1x1 convolution (option B).

Differs from VGG: shortcuts around every two or three layers, normalisation after every convolution, an
average over each map in place of the wide dense layers.

The names of the weights are those under which torchvision publishes its own.
"""

from dataclasses import dataclass
from typing import Annotated, Any

from torch import nn

from anncestry.arrays import Float, Tensor
from anncestry.layers.images.batch_norm_folding import Folding, conv_norm
from anncestry.layers.images.config import ImageConfig, is_small, problem
from anncestry.layers.initialisation import initialise_he_fan_out
from anncestry.rules import Size, Sizes, one_of
from anncestry.signature import Signature

EXPANSION = 4  # a bottleneck hands on so many times the channels of its 3x3 convolution
STEMS = ("imagenet", "cifar")
SHORTCUTS = ("A", "B", "none")


@dataclass(frozen=True, kw_only=True)
class ResNetConfig(ImageConfig):
    """Sizes of a ResNet.

    Attributes:
        blocks: residual blocks of each stage.
        channels: n of the first stage; every stage doubles it.
        bottleneck: whether blocks are of three convolutions instead of two.
        stem: ``imagenet`` (7x7 with stride 2, then max-pooling) or ``cifar`` (3x3).
        shortcut: what goes around a block that changes the shape: ``A`` (zeros), ``B`` (a 1x1
            convolution), or ``none``: no shortcuts anywhere, the plain net of the paper.
        stride_first: whether a bottleneck that halves the image does so in its first 1x1 convolution, as
            in the paper, or in the 3x3, as in the authors' later code and torchvision.
    """

    blocks: Sizes
    channels: Size = 64
    bottleneck: bool = False
    stem: Annotated[str, one_of(STEMS)] = "imagenet"
    shortcut: Annotated[str, one_of(SHORTCUTS)] = "B"
    stride_first: bool = False

    @classmethod
    def for_signature(cls, signature: Signature, *, width: int | None = None, **overrides: Any):
        """The config for a data set; ``width`` is the channels of the first stage.

        Small images get ResNet-20 of the paper's section 4.2, others ResNet-18.
        """
        if is_small(signature.shape):
            sizes: dict[str, Any] = {"blocks": (3, 3, 3), "channels": 16, "stem": "cifar", "shortcut": "A"}
        else:
            sizes = {"blocks": (2, 2, 2, 2)}
        sizes |= {"channels": width} if width else {}
        return cls(**{**problem(signature), **sizes, **overrides})


class ZeroShortcut(nn.Module):
    """Option A: every second position, and zeros for the channels that are not there yet."""

    def __init__(self, more_channels: int, stride: int) -> None:
        super().__init__()
        self.more_channels, self.stride = more_channels, stride

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D H2 W2"]:
        x = x[:, :, :: self.stride, :: self.stride]
        return nn.functional.pad(x, (0, 0, 0, 0, 0, self.more_channels))


class Block(nn.Module):
    """``y = ReLU(F(x) + shortcut(x))``."""

    def __init__(self, in_channels: int, channels: int, stride: int, config: ResNetConfig) -> None:
        super().__init__()
        out_channels = channels * (EXPANSION if config.bottleneck else 1)
        if config.bottleneck:
            first, second = (stride, 1) if config.stride_first else (1, stride)
            self.conv1 = nn.Conv2d(in_channels, channels, 1, stride=first, bias=False)
            self.bn1 = nn.BatchNorm2d(channels)
            self.conv2 = nn.Conv2d(channels, channels, 3, stride=second, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(channels)
            self.conv3 = nn.Conv2d(channels, out_channels, 1, bias=False)
            self.bn3 = nn.BatchNorm2d(out_channels)
        else:
            self.conv1 = nn.Conv2d(in_channels, channels, 3, stride=stride, padding=1, bias=False)
            self.bn1 = nn.BatchNorm2d(channels)
            self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(channels)
        self.bottleneck, self.plain = config.bottleneck, config.shortcut == "none"
        self.downsample: nn.Module | None = None
        changes = stride > 1 or in_channels != out_channels
        if changes and config.shortcut == "A":
            self.downsample = ZeroShortcut(out_channels - in_channels, stride)
        elif changes and config.shortcut == "B":
            convolution = nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False)
            self.downsample = Folding(convolution, nn.BatchNorm2d(out_channels))

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D H2 W2"]:
        h = conv_norm(self.conv1, self.bn1, x).relu_()
        h = conv_norm(self.conv2, self.bn2, h)
        if self.bottleneck:
            h = conv_norm(self.conv3, self.bn3, h.relu_())
        if not self.plain:
            h = h + (x if self.downsample is None else self.downsample(x))
        return h.relu_()


class ResNet(nn.Module):
    """A stem, stages of residual blocks, the average over each map, a linear layer."""

    def __init__(self, config: ResNetConfig) -> None:
        super().__init__()
        self.config = config
        colours, channels = config.input_shape[0], config.channels
        imagenet = config.stem == "imagenet"
        size, stride = (7, 2) if imagenet else (3, 1)
        self.conv1 = nn.Conv2d(colours, channels, size, stride=stride, padding=size // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1) if imagenet else nn.Identity()
        read, self.num_stages = channels, len(config.blocks)
        for stage, num_blocks in enumerate(config.blocks):
            blocks = []
            for number in range(num_blocks):
                stride = 2 if stage and not number else 1
                blocks.append(Block(read, channels, stride, config))
                read = channels * (EXPANSION if config.bottleneck else 1)
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
            channels *= 2
        self.fc = nn.Linear(read, config.output_size)
        initialise_he_fan_out(self)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        """The logits of each image: (B, C, H, W) -> (B, K); of regression the values."""
        h = self.maxpool(conv_norm(self.conv1, self.bn1, x).relu_())
        for stage in range(self.num_stages):
            h = self.get_submodule(f"layer{stage + 1}")(h)
        return self.fc(h.mean((2, 3)))
