"""A dense block's bottleneck layers in one call, and the transition behind it in another, for fixed weights.

For a few images PyTorch's operators take as long to be called, to hand work to threads, and to copy in and
out of their layouts as to compute. The kernel's products are summed in registers over rows as they lie; what
lies between two convolutions stays in the cache.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch

from anncestry.arrays import Float, Tensor
from anncestry.engine.native.library import address, kernel
from anncestry.engine.packed_convolution import packed_or_plain_convolution, packed_or_plain_linear_relu

LARGEST = 2**24  # numbers of X that the plain operators work on at once
POSITIONS = 2**11  # that the kernel works on at once: their maps stay in the cache from layer to layer
GROUP = 16  # channels whose kernels the kernel reads together


class Bottleneck(NamedTuple):
    """A layer that reads m maps and adds k: ``spread * ReLU(narrow clamp(x, low, high) + bias)``."""

    low: Float[Tensor, "C2"]
    high: Float[Tensor, "C2"]
    narrow: Float[Tensor, "P C2"]
    bias: Float[Tensor, "P"]
    spread: Float[Tensor, "K P 3 3"]


class Bottlenecks:
    """Layers whose weights do not change; no gradients.

    Args:
        layers: each reads k maps more than the one before; P and k are the same for all.
    """

    def __init__(self, layers: Sequence[Bottleneck]) -> None:
        self.growth_rate, self._num_narrow = layers[0].spread.shape[:2]
        self._layers, self._reads = layers, layers[0].narrow.shape[1]
        self._operators: list[tuple[Callable[[Tensor], Tensor], ...]] = []
        first = layers[0].spread
        floats = first.dtype == torch.float32 and first.device.type == "cpu"
        self._kernel = kernel("bottlenecks", "pppiiiiiiii") if floats else None
        self._weights = None if self._kernel is None else torch.cat([_laid_out(layer) for layer in layers])

    def __call__(self, X: Float[Tensor, "pixels D"], height: int, width: int) -> None:
        """Write what the layers add into the columns of X behind those that the first of them reads.

        Args:
            X: a row for each position of images of ``height`` and ``width``; dense.
        """
        if self._kernel is None or X.dtype != torch.float32 or not X.is_contiguous():
            return self.plain(X, height, width)
        if X.shape[1] != self._reads + self.growth_rate * len(self._layers):
            raise RuntimeError(f"{len(self._layers)} layers do not fit {X.shape[1]} maps")
        area, P, threads = height * width, _up(self._num_narrow) * GROUP, torch.get_num_threads()
        images = max(1, POSITIONS // area)
        room = X.new_zeros(min(images, X.shape[0] // area) * (height + 2) * (width + 2) * P)
        for part in X.split(images * area):
            self._kernel(
                address(part), address(self._weights), address(room), part.shape[0] // area, height, width,
                X.shape[1], self._reads, self.growth_rate, P, threads,
            )  # fmt: skip

    def plain(self, X: Float[Tensor, "pixels D"], height: int, width: int) -> None:
        """The same by PyTorch's operators, their weights laid out once."""
        if not self._operators:
            self._operators = [_operators(layer) for layer in self._layers]
        area = height * width
        for part in X.split(max(1, LARGEST // (area * X.shape[1])) * area):
            for layer, (bounded, narrow, spread) in zip(self._layers, self._operators, strict=True):
                m = layer.narrow.shape[1]
                h = narrow(bounded(part[:, :m])).view(-1, height, width, self._num_narrow)
                y = spread(h.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
                part[:, m : m + self.growth_rate] = y.reshape(-1, self.growth_rate)


class AverageProduct:
    """``kernels * average(clamp(x, low, high)) + bias``, averages over 2 x 2 positions, fewer at the edges.

    Args:
        low, high: of each of the C maps that are read.
        kernels: 1x1.
    """

    def __init__(
        self,
        low: Float[Tensor, "C"],
        high: Float[Tensor, "C"],
        kernels: Float[Tensor, "K C 1 1"],
        bias: Float[Tensor, "K"],
    ) -> None:
        self._bounds = [bound[:, None, None] for bound in (low, high)]
        self._kernels, self._bias = kernels.contiguous(memory_format=torch.channels_last), bias
        floats = kernels.dtype == torch.float32 and kernels.device.type == "cpu"
        self._kernel = kernel("transition", "pppiiiiii") if floats else None
        if self._kernel is not None:
            self._weights = torch.cat([low, high, _padded(bias), _in_groups(kernels.flatten(1))])

    def __call__(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K H2 W2"]:
        dense = x.dtype == torch.float32 and x.is_contiguous(memory_format=torch.channels_last)
        dense = dense and x.shape[1] == self._kernels.shape[1]
        if self._kernel is None or not dense:
            return self.plain(x)
        B, C, H, W = x.shape
        K = self._bias.shape[0]
        y = x.new_empty(B, -(-H // 2), -(-W // 2), K)
        self._kernel(address(x), address(self._weights), address(y), B, H, W, C, K, torch.get_num_threads())
        return y.permute(0, 3, 1, 2)

    def plain(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K H2 W2"]:
        """The same by PyTorch's operators."""
        averages = torch.nn.functional.avg_pool2d(torch.clamp(x, *self._bounds), 2, ceil_mode=True)
        return torch.conv2d(averages, self._kernels, self._bias)


def _operators(layer: Bottleneck) -> tuple[Callable[[Tensor], Tensor], ...]:
    low, high, narrow, bias, spread = layer
    if torch.isinf(high).all():
        bounded = lambda x: torch.maximum(x, low)  # noqa: E731
    else:
        bounded = lambda x: torch.clamp(x, low, high)  # noqa: E731
    return bounded, packed_or_plain_linear_relu(narrow, bias), packed_or_plain_convolution(spread)


def _laid_out(layer: Bottleneck) -> Float[Tensor, "_"]:
    """Its numbers in the order in which the kernel reads them; kernels that are not there are 0."""
    bias = _padded(layer.bias)
    more = bias.shape[0] - layer.bias.shape[0]
    spread = torch.nn.functional.pad(layer.spread, (0, 0, 0, 0, 0, more)).permute(0, 2, 3, 1).flatten(1)
    return torch.cat([layer.low, layer.high, bias, _in_groups(layer.narrow), _in_groups(spread)])


def _padded(bias: Float[Tensor, "K"]) -> Float[Tensor, "K2"]:
    return torch.nn.functional.pad(bias, (0, _up(bias.shape[0]) * GROUP - bias.shape[0]))


def _in_groups(kernels: Float[Tensor, "K D"]) -> Float[Tensor, "_"]:
    """(K, D) as (K / GROUP, D, GROUP), flat; K rounded up."""
    K, D = kernels.shape
    padded = torch.nn.functional.pad(kernels, (0, 0, 0, _up(K) * GROUP - K))
    return padded.view(-1, GROUP, D).transpose(1, 2).flatten()


def _up(count: int) -> int:
    return -(-count // GROUP)
