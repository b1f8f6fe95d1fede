r"""Batch normalisation whose statistics are fixed, folded into the convolution next to it.

A fixed normalisation is :math:`a x + b`, so behind a convolution it is part of it:

.. math::  a (W * x) + b = (a W) * x + b

In front of one, with the ReLU between them, it becomes bounds and products:

.. math::  \mathrm{ReLU}(a x + b) = a \, \mathrm{clamp}(x) + b

where x is bounded by -b / a: from below for a > 0, from above for a < 0. What multiplies and what is added
go into the kernels behind it (an average over positions lets both pass).

Only within `caching_weights`, where it is done once: elsewhere the modules run one by one, and can be
watched.
"""

from typing import NamedTuple

import torch
from torch import nn

from anncestry.arrays import Float, Tensor
from anncestry.engine.native.dense_block import AverageProduct
from anncestry.engine.weight_cache import cached_weights, is_caching_weights
from anncestry.layers.watching import untouched


class Statistics(NamedTuple):
    """Of maps over a batch; the variance is divided by the count."""

    mean: Float[Tensor, "C"]
    variance: Float[Tensor, "C"]


class Bounded(NamedTuple):
    """The a, b and bounds of ``ReLU(a x + b) = a clamp(x, low, high) + b``."""

    a: Float[Tensor, "C"]
    b: Float[Tensor, "C"]
    low: Float[Tensor, "C"]
    high: Float[Tensor, "C"]


def affine(statistics: Statistics, gain: Tensor, shift: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    """``(a, b)`` with a x + b the normalised x."""
    a = gain * torch.rsqrt(statistics.variance + epsilon)
    return a, torch.addcmul(shift, statistics.mean, a, value=-1)


def bounded(a: Float[Tensor, "C"], b: Float[Tensor, "C"]) -> Bounded:
    """The same ``ReLU(a x + b)`` by bounds; for a = 0 they are both 0, and b is what the ReLU leaves."""
    edge = torch.where(a == 0, 0.0, -b / a)
    low = torch.where(a >= 0, edge, -torch.inf)
    high = torch.where(a <= 0, edge, torch.inf)
    return Bounded(a, torch.where(a == 0, b.relu(), b), low, high)


def seen(norm: nn.BatchNorm2d) -> Statistics:
    """What a normalisation has seen in training."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return Statistics(norm.running_mean, norm.running_var)


def predicts(module: nn.Module) -> bool:
    """Whether its weights and statistics will not change from call to call."""
    return is_caching_weights() and not module.training and not torch.is_grad_enabled()


def is_fixed(norm: nn.BatchNorm2d, conv: nn.Conv2d) -> bool:
    """Whether the two may be folded into one: they predict, and no one watches either."""
    return predicts(norm) and untouched(norm, nn.BatchNorm2d) and untouched(conv, nn.Conv2d)


def conv_norm(
    conv: nn.Conv2d, norm: nn.BatchNorm2d, x: Float[Tensor, "B C H W"]
) -> Float[Tensor, "B K H2 W2"]:
    """``norm(conv(x))``; one convolution where the normalisation is fixed."""
    if not is_fixed(norm, conv):
        return norm(conv(x))
    parts = (conv.weight, norm.weight, norm.bias, *seen(norm))
    if conv.bias is not None:
        parts += (conv.bias,)

    def fold() -> tuple[Tensor, Tensor]:
        a, b = affine(seen(norm), norm.weight, norm.bias, norm.eps)
        kernel = (conv.weight * a[:, None, None, None]).contiguous(memory_format=torch.channels_last)
        bias = b if conv.bias is None else torch.addcmul(b, conv.bias.to(b.dtype), a)
        return kernel.to(conv.weight.dtype), bias.to(conv.weight.dtype)

    kernel, bias = cached_weights(parts, fold)
    return torch.conv2d(x, kernel, bias, conv.stride, conv.padding, conv.dilation, conv.groups)  # pyright: ignore


def norm_relu_average_conv(
    norm: nn.BatchNorm2d, pool: nn.Module, conv: nn.Conv2d, x: Float[Tensor, "B C H W"]
) -> Float[Tensor, "B K H2 W2"]:
    """``conv(pool(ReLU(norm(x))))`` for an average over 2 x 2 positions, fewer at the edges, and a 1x1
    ``conv`` without a bias; where the normalisation is fixed, nothing of it is left but the bounds."""
    halving = untouched(pool, nn.AvgPool2d) and (pool.kernel_size, pool.stride, pool.padding) == (2, 2, 0)
    if not (halving and pool.ceil_mode and is_fixed(norm, conv)):
        return conv(pool(norm(x).relu_()))

    def fold() -> AverageProduct:
        bounds = bounded(*affine(seen(norm), norm.weight, norm.bias, norm.eps))
        kernel = conv.weight * bounds.a[:, None, None]
        bias = conv.weight.flatten(1).to(bounds.b.dtype) @ bounds.b
        parts = (bounds.low, bounds.high, kernel, bias)
        return AverageProduct(*(part.to(conv.weight.dtype) for part in parts))

    return cached_weights((conv.weight, norm.weight, norm.bias, *seen(norm)), fold)(x)


class Folding(nn.Sequential):
    """Modules one after the other; in predictions a normalisation becomes part of the convolution before."""

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K H2 W2"]:
        modules = list(self)
        while modules:
            module = modules.pop(0)
            after = modules[0] if modules else None
            if isinstance(module, nn.Conv2d) and isinstance(after, nn.BatchNorm2d):
                x = conv_norm(module, after, x)
                modules.pop(0)
            else:
                x = module(x)
        return x
