r"""A dense block by hand: one buffer for all maps, statistics once, what is cheap computed again.

Written layer by layer, a block of L layers copies every map L times into ever new concatenations, takes
the mean and deviation of every map L times, and keeps two more copies of each concatenation for the backward
pass: time and memory quadratic in L for what never changes. Here:

- a matrix X of N = B H W rows (positions) and as many columns as the block hands on holds every map once;
- its mean and variance are taken once, when it is made: the layers differ in gain and shift alone;
- :math:`t = \mathrm{ReLU}(\gamma \hat x + \beta)` lives for some rows at a time, in the cache, between X and
  the product with the 1x1 kernels, and is computed again on the way back;
- kept are X and the outputs of the 1x1 convolutions.

Under autocast all of that is in bfloat16 but for the statistics and the gradients of the weights.

The way back, for a layer that reads m columns, with g the gradient at :math:`\hat x \gamma + \beta`:

.. math::
    \bar x = \frac{\gamma}{\sigma} \Big( g - \frac{1}{N} \sum g - \hat x \frac{1}{N} \sum g \hat x \Big)

whose last two terms are, for each column, a multiple of x and a constant: they are added up over the layers
and applied once.

The memory is that of Pleiss et al., "Memory-efficient implementation of DenseNets", 1707.06990.
"""

from typing import NamedTuple

import torch
from torch.autograd.function import once_differentiable

from anncestry.arrays import Float, Tensor
from anncestry.engine.native.batch_norm import (
    chunks,
    column_statistics,
    norm_relu,
    relu_back,
    relu_sums,
    wide,
)
from anncestry.engine.native.dense_block import Bottleneck, Bottlenecks
from anncestry.layers.images.batch_norm_folding import Statistics, affine, bounded


class DenseWeights(NamedTuple):
    """The weights of one bottleneck layer that reads m maps and adds k."""

    gain1: Float[Tensor, "C2"]
    shift1: Float[Tensor, "C2"]
    narrow: Float[Tensor, "pixels C2 1 1"]
    gain2: Float[Tensor, "pixels"]
    shift2: Float[Tensor, "pixels"]
    spread: Float[Tensor, "K pixels 3 3"]


def dense_block(
    x: Float[Tensor, "B C H W"], layers: list[DenseWeights], epsilon: float
) -> tuple[Float[Tensor, "B D H W"], Statistics, list[Statistics]]:
    """The maps that a block of bottleneck layers hands on, normalised by the batch, as in training.

    Returns:
        ``(maps, of_maps, of_narrow)``: maps in channels-last layout; the statistics of all D maps, of which a
        layer reads the first m; and for each layer those behind its 1x1 convolution. They carry no gradient.
    """
    flat = [weight for layer in layers for weight in layer]
    if torch.is_autocast_enabled("cpu"):
        x = x.to(torch.get_autocast_dtype("cpu"))
    with torch.autocast("cpu", enabled=False):
        maps, mean, variance, *narrow = _DenseBlock.apply(x, epsilon, *flat)
    pairs = zip(narrow[::2], narrow[1::2], strict=True)
    return maps, Statistics(mean, variance), [Statistics(*pair) for pair in pairs]


def freeze(layer: DenseWeights, of_maps: Statistics, of_narrow: Statistics, epsilon: float) -> Bottleneck:
    """The layer with the statistics it has seen in training: of the first normalisation the bounds are
    left, and the 1x1 kernels take up the rest of it and the second (`layers.images.batch_norm_folding`)."""
    a, b, low, high = bounded(*affine(of_maps, layer.gain1, layer.shift1, epsilon))
    c, d = affine(of_narrow, layer.gain2, layer.shift2, epsilon)
    kernel = layer.narrow.flatten(1)
    narrow, bias = kernel * a * c[:, None], kernel.to(b.dtype) @ b * c + d
    parts = (low, high, narrow, bias, layer.spread.detach())
    return Bottleneck(*(part.to(layer.spread.dtype) for part in parts))


def frozen_dense_block(x: Float[Tensor, "B C H W"], layers: Bottlenecks, num_maps: int) -> Tensor:
    """The maps (B, ``num_maps``, H, W) that a block hands on when its statistics are fixed; no gradients."""
    B, C, H, W = x.shape
    X = x.new_empty(B * H * W, num_maps)
    X[:, :C] = _rows(x)
    layers(X, H, W)
    return _maps(X, B, H, W)


def _rows(maps: Float[Tensor, "B C H W"]) -> Float[Tensor, "pixels C"]:
    """One row for each position; no copy where the channels are last already."""
    return maps.permute(0, 2, 3, 1).reshape(-1, maps.shape[1])


class _DenseBlock(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, epsilon, *flat):
        B, C, H, W = x.shape
        layers = [DenseWeights(*flat[i : i + 6]) for i in range(0, len(flat), 6)]
        k, N = layers[0].spread.shape[0], B * H * W
        X = x.new_empty(N, C + k * len(layers))
        X[:, :C] = _rows(x)
        variance, mean = X.new_empty(2, X.shape[1], dtype=wide(X.dtype))
        mean[:C], variance[:C] = column_statistics(X[:, :C])
        narrow, statistics = [], []
        for layer in layers:
            m = layer.narrow.shape[1]
            a, b = affine(Statistics(mean[:m], variance[:m]), layer.gain1, layer.shift1, epsilon)
            kernel = layer.narrow.flatten(1).t().to(X.dtype)
            z = X.new_empty(N, kernel.shape[1])
            for rows in chunks(N, m):
                torch.mm(norm_relu(X[rows, :m], a, b), kernel, out=z[rows])
            of_narrow = Statistics(*column_statistics(z))
            h = norm_relu(z, *affine(of_narrow, layer.gain2, layer.shift2, epsilon))
            y = _rows(torch.conv2d(_maps(h, B, H, W), layer.spread.to(X.dtype), padding=1))
            X[:, m : m + k] = y
            mean[m : m + k], variance[m : m + k] = column_statistics(y)
            narrow.append(z)
            statistics += of_narrow
        ctx.save_for_backward(X, mean, variance, *narrow, *statistics, *flat)
        ctx.shape, ctx.epsilon, ctx.num_layers = (B, C, H, W), epsilon, len(layers)
        ctx.mark_non_differentiable(mean, variance, *statistics)
        return _maps(X, B, H, W), mean, variance, *statistics

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient, *_):
        (B, C, H, W), epsilon, L = ctx.shape, ctx.epsilon, ctx.num_layers
        X, mean, variance, *rest = ctx.saved_tensors
        narrow, statistics, flat = rest[:L], rest[L : 3 * L], rest[3 * L :]
        layers = [DenseWeights(*flat[i : i + 6]) for i in range(0, len(flat), 6)]
        k, N, dtype = layers[0].spread.shape[0], X.shape[0], X.dtype
        D = _rows(gradient).clone()  # gradients of the maps, complete from the right
        per_x, constant = torch.zeros_like(mean), torch.zeros_like(mean)
        found: list[Tensor] = []
        for layer, z, z_mean, z_variance in reversed(
            list(zip(layers, narrow, statistics[::2], statistics[1::2], strict=True))
        ):
            m = layer.narrow.shape[1]
            new = slice(m, m + k)
            dy = torch.addcmul(D[:, new] + constant[new].to(dtype), X[:, new], per_x[new].to(dtype))
            # behind the 1x1 convolution: normalise, ReLU, 3x3
            a, b = affine(Statistics(z_mean, z_variance), layer.gain2, layer.shift2, epsilon)
            inverse = torch.rsqrt(z_variance + epsilon)
            h = norm_relu(z, a, b)
            dh, d_spread, _ = torch.ops.aten.convolution_backward(
                _maps(dy, B, H, W), _maps(h, B, H, W), layer.spread.to(dtype), None,
                [1, 1], [1, 1], [1, 1], False, [0, 0], 1, (True, True, False),
            )  # fmt: skip
            g = _rows(dh)
            d_shift2, with_z = relu_sums(g, z, a, b)
            d_gain2 = (with_z - z_mean * d_shift2) * inverse
            slope, level = _affine(layer.gain2 * inverse, d_gain2, d_shift2, z_mean, inverse, N)
            dz = relu_back(g, z, a, b, slope, level)
            # in front of it: all maps so far
            a, b = affine(Statistics(mean[:m], variance[:m]), layer.gain1, layer.shift1, epsilon)
            inverse = torch.rsqrt(variance[:m] + epsilon)
            kernel = layer.narrow.flatten(1).to(dtype)
            d_narrow = torch.zeros_like(kernel, dtype=mean.dtype)
            d_shift1, with_x = torch.zeros_like(inverse), torch.zeros_like(inverse)
            for rows in chunks(N, m):
                x = X[rows, :m]
                d_narrow += dz[rows].t() @ norm_relu(x, a, b)
                sums = relu_sums(dz[rows] @ kernel, x, a, b, into=D[rows, :m])
                d_shift1 += sums[0]
                with_x += sums[1]
            d_gain1 = (with_x - mean[:m] * d_shift1) * inverse
            slope, level = _affine(layer.gain1 * inverse, d_gain1, d_shift1, mean[:m], inverse, N)
            per_x[:m] += slope
            constant[:m] += level
            d_spread = d_spread.to(layer.spread.dtype)
            found[:0] = [d_gain1, d_shift1, d_narrow.view_as(layer.narrow), d_gain2, d_shift2, d_spread]
        dx = torch.addcmul(D[:, :C] + constant[:C].to(dtype), X[:, :C], per_x[:C].to(dtype))
        return _maps(dx, B, H, W), None, *found


def _affine(a, d_gain, d_shift, mean, inverse, count) -> tuple[Tensor, Tensor]:
    """What the batch's own statistics add to the gradient of x: a multiple of x, and a constant."""
    slope = -a * d_gain * inverse / count
    return slope, -a * d_shift / count - slope * mean


def _maps(rows: Float[Tensor, "pixels C"], B: int, H: int, W: int) -> Float[Tensor, "B C H W"]:
    """The same numbers as maps, channels last."""
    return rows.view(B, H, W, -1).permute(0, 3, 1, 2)
