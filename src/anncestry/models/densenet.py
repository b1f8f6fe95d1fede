"""The densely connected network: every layer reads the feature maps of all layers before it.

Paper: G. Huang, Z. Liu, L. van der Maaten & K. Weinberger, "Densely connected convolutional networks",
1608.06993 (2016).

    x_l = H_l([x_0, x_1, ..., x_{l-1}])                     concatenated channels, the oldest first
    H:     BN -> ReLU -> CONV3(k)                                             basic
    H:     BN -> ReLU -> CONV1(4k) -> BN -> ReLU -> CONV3(k)                  bottleneck (B)
    between blocks:  BN -> ReLU -> CONV1(theta m) -> AVGPOOL2                 compression theta < 1 (C)

Layer l of a block reads k_0 + k (l - 1) channels and adds k, the growth rate.

Differs from the ResNet: features are concatenated and kept, not added; a layer needs to write few of them.

The names of the weights are those under which torchvision publishes its own.
"""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from anncestry.arrays import Float, Tensor
from anncestry.engine.native.dense_block import Bottlenecks
from anncestry.engine.weight_cache import cached_for
from anncestry.layers.dropout import Dropout
from anncestry.layers.images.batch_norm_folding import (
    Folding,
    Statistics,
    norm_relu_average_conv,
    predicts,
    seen,
)
from anncestry.layers.images.config import ImageConfig, is_small, problem
from anncestry.layers.images.dense_block import (
    DenseWeights,
    dense_block,
    freeze,
    frozen_dense_block,
)
from anncestry.layers.initialisation import initialise_he_fan_out
from anncestry.layers.watching import untouched, watched
from anncestry.rules import Portion, Rate, Size, Sizes, one_of
from anncestry.signature import Signature

BOTTLENECK = 4  # a 1x1 convolution writes so many times k channels before each 3x3
STEMS = ("imagenet", "cifar", "strided")


@dataclass(frozen=True, kw_only=True)
class DenseNetConfig(ImageConfig):
    """Sizes of a DenseNet.

    Attributes:
        growth_rate: k, channels that every layer adds.
        blocks: layers of each dense block.
        bottleneck: whether a 1x1 convolution comes before each 3x3 (B).
        compression: theta, the share of its channels that a transition keeps (C below 1).
        stem: ``imagenet`` (7x7 with stride 2, then max-pooling), ``cifar`` (3x3), or ``strided`` (3x3 with
            stride 2, a quarter of the work; not in the paper).
        stem_channels: k_0, channels before the first block.
        dropout: probability of zeroing after every convolution but the first.
        recompute: whether the backward pass computes concatenations and bottlenecks again instead of
            keeping them: memory linear in the depth instead of quadratic (Pleiss et al., 1707.06990).
    """

    growth_rate: Size
    blocks: Sizes
    bottleneck: bool = True
    compression: Portion = 0.5
    stem: Annotated[str, one_of(STEMS)] = "imagenet"
    stem_channels: Size
    dropout: Rate = 0.0
    recompute: bool = False

    @classmethod
    def for_signature(cls, signature: Signature, *, width: int | None = None, **overrides: Any):
        """The config for a data set; ``width`` is the growth rate.

        Small images get DenseNet-BC with 40 layers and k = 12, others DenseNet-121.
        """
        small = is_small(signature.shape)
        growth_rate = width or overrides.get("growth_rate") or (12 if small else 32)
        sizes = {
            "growth_rate": growth_rate,
            "blocks": (6, 6, 6) if small else (6, 12, 24, 16),
            "stem": "cifar" if small else "imagenet",
            "stem_channels": 2 * growth_rate,
        }
        return cls(**{**problem(signature), **sizes, **overrides})

    def channels(self) -> list[tuple[int, int]]:
        """Of every block, the channels it reads and those it hands on."""
        found, channels = [], self.stem_channels
        for num_layers in self.blocks:
            last = channels + num_layers * self.growth_rate
            found.append((channels, last))
            channels = max(1, int(self.compression * last))
        return found


class DenseLayer(nn.Module):
    """H_l. It is given the list of all maps before it, and returns k new ones."""

    def __init__(self, in_channels: int, config: DenseNetConfig) -> None:
        super().__init__()
        k = config.growth_rate
        self.norm1 = nn.BatchNorm2d(in_channels)
        if config.bottleneck:
            self.conv1 = nn.Conv2d(in_channels, BOTTLENECK * k, 1, bias=False)
            self.norm2 = nn.BatchNorm2d(BOTTLENECK * k)
            self.conv2 = nn.Conv2d(BOTTLENECK * k, k, 3, padding=1, bias=False)
        else:
            self.conv1 = nn.Conv2d(in_channels, k, 3, padding=1, bias=False)
        self.bottleneck = config.bottleneck
        self.dropout = Dropout(config.dropout)

    def narrow(self, *features: Float[Tensor, "B _ H W"]) -> Float[Tensor, "B K H W"]:
        """The first convolution over everything before: what is quadratic in the depth, if kept."""
        return self.conv1(self.norm1(torch.cat(features, 1)).relu_())

    def forward(self, features: list[Tensor], recompute: bool = False) -> Float[Tensor, "B K H W"]:
        if recompute:
            h = checkpoint(self.narrow, *features, use_reentrant=False, context_fn=self._contexts)
        else:
            h = self.narrow(*features)
        h = self.dropout(h)
        return self.dropout(self.conv2(self.norm2(h).relu_())) if self.bottleneck else h

    def weights(self) -> DenseWeights:
        """Those of a bottleneck layer, in the order of use."""
        first, second = self.norm1, self.norm2
        parts = (first.weight, first.bias, self.conv1.weight, second.weight, second.bias, self.conv2.weight)
        return DenseWeights(*parts)

    def is_untouched(self) -> bool:
        """Whether what it computes may be computed without calling it and its parts."""
        norms, convolutions = (self.norm1, self.norm2), (self.conv1, self.conv2)
        return (
            untouched(self, DenseLayer)
            and not watched(self.dropout)
            and all(untouched(norm, nn.BatchNorm2d) and norm.training == self.training for norm in norms)
            and all(untouched(conv, nn.Conv2d) for conv in convolutions)
        )

    def _contexts(self):
        """For the forward pass and for computing it again: the running statistics see a batch once."""
        return nullcontext(), _statistics_seen(self.norm1)


@contextmanager
def _statistics_seen(norm: nn.BatchNorm2d) -> Iterator[None]:
    """Normalise by the batch and leave the running statistics as they are."""
    momentum, norm.momentum = norm.momentum, 0.0
    count = norm.num_batches_tracked.clone()  # pyright: ignore[reportOptionalMemberAccess]
    try:
        yield
    finally:
        norm.momentum = momentum
        norm.num_batches_tracked.copy_(count)  # pyright: ignore[reportOptionalMemberAccess]


class DenseBlock(nn.ModuleDict):
    """Layers that each read the block's input and the outputs of all layers before them."""

    def __init__(self, in_channels: int, num_layers: int, config: DenseNetConfig) -> None:
        super().__init__()
        self.recompute, self.bottleneck, self.dropout = config.recompute, config.bottleneck, config.dropout
        self.growth_rate = config.growth_rate
        for number in range(num_layers):
            self[f"denselayer{number + 1}"] = DenseLayer(in_channels + number * config.growth_rate, config)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K H W"]:
        if not self.bottleneck or x.device.type != "cpu" or torch.compiler.is_compiling():
            return self.plain(x)
        if not all(layer.is_untouched() for layer in self.values()):  # pyright: ignore
            return self.plain(x)
        if predicts(self) and not torch.is_autocast_enabled("cpu"):
            return frozen_dense_block(x, self.frozen(), x.shape[1] + self.growth_rate * len(self))
        if torch.is_grad_enabled() and self.training and self.dropout == 0:
            return self.by_hand(x)
        return self.plain(x)

    def plain(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K H W"]:
        """Layer by layer, as the paper says it."""
        features = [x]
        recompute = self.recompute and torch.is_grad_enabled()
        for layer in self.values():
            features.append(layer(features, recompute))
        return torch.cat(features, 1)

    def by_hand(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K H W"]:
        """The same in training, by `dense_block`: in less memory, and faster."""
        layers: list[Any] = list(self.values())
        maps, of_maps, of_narrow = dense_block(x, [layer.weights() for layer in layers], layers[0].norm1.eps)
        count = x.shape[0] * x.shape[2] * x.shape[3]
        for layer, narrow in zip(layers, of_narrow, strict=True):
            m = layer.norm1.num_features
            see(layer.norm1, Statistics(of_maps.mean[:m], of_maps.variance[:m]), count)
            see(layer.norm2, narrow, count)
        return maps

    def frozen(self) -> Bottlenecks:
        """The layers with the statistics of the training; made once while predictions last."""
        layers: list[Any] = list(self.values())

        def freeze_all() -> Bottlenecks:
            seen_by = [(seen(layer.norm1), seen(layer.norm2), layer.norm1.eps) for layer in layers]
            return Bottlenecks(
                [freeze(layer.weights(), *of) for layer, of in zip(layers, seen_by, strict=True)]
            )

        parts = [part for one in layers for part in (one.norm1, one.conv1, one.norm2, one.conv2)]
        return cached_for(parts, freeze_all)


def see(norm: nn.BatchNorm2d, batch: Statistics, count: int) -> None:
    """Move the running statistics as a batch of ``count`` values for each map does."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert norm.momentum is not None
    with torch.no_grad():
        norm.num_batches_tracked += 1  # pyright: ignore[reportOperatorIssue]
        norm.running_mean.lerp_(batch.mean, norm.momentum)
        norm.running_var.lerp_(batch.variance * (count / max(count - 1, 1)), norm.momentum)


class Transition(nn.Module):
    """``BN -> ReLU -> CONV1 -> AVGPOOL2``. A 1x1 convolution and an average commute: averaging first costs a
    quarter."""

    def __init__(self, in_channels: int, out_channels: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(in_channels)
        self.conv = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.dropout = Dropout(dropout)
        self.pool = nn.AvgPool2d(2, ceil_mode=True)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K H2 W2"]:
        if self.training and self.dropout.p:  # between the two, so they do not commute
            return self.pool(self.dropout(self.conv(self.norm(x).relu_())))
        return norm_relu_average_conv(self.norm, self.pool, self.conv, x)


class DenseNet(nn.Module):
    """A stem, dense blocks with transitions between them, the average over each map, a linear layer."""

    def __init__(self, config: DenseNetConfig) -> None:
        super().__init__()
        self.config = config
        colours = config.input_shape[0]
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        if config.stem == "imagenet":
            layers["conv0"] = nn.Conv2d(colours, config.stem_channels, 7, stride=2, padding=3, bias=False)
            layers["norm0"] = nn.BatchNorm2d(config.stem_channels)
            layers["relu0"] = nn.ReLU(inplace=True)
            layers["pool0"] = nn.MaxPool2d(3, stride=2, padding=1)
        else:
            stride = 2 if config.stem == "strided" else 1
            layers["conv0"] = nn.Conv2d(colours, config.stem_channels, 3, stride, padding=1, bias=False)
        channels = config.channels()
        for b, (read, written) in enumerate(channels):
            layers[f"denseblock{b + 1}"] = DenseBlock(read, config.blocks[b], config)
            if b + 1 < len(channels):
                layers[f"transition{b + 1}"] = Transition(written, channels[b + 1][0], config.dropout)
        last = channels[-1][1]
        layers["norm5"] = nn.BatchNorm2d(last)  # torchvision's name, however many blocks there are
        self.features = Folding(layers)
        self.classifier = nn.Linear(last, config.output_size)
        initialise_he_fan_out(self)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        """The logits of each image: (B, C, H, W) -> (B, K); of regression the values."""
        return self.classifier(self.features(x).relu_().mean((2, 3)))
