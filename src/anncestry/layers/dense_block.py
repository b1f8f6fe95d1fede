r"""A dense block by hand: one buffer for all maps, statistics once, what is cheap computed again.

Written layer by layer, a block of L layers copies every map L times into ever new concatenations, takes
the mean and deviation of every map L times, and keeps two more copies of each concatenation for the backward
pass: time and memory quadratic in L for what never changes. Here:

- a matrix X of N = B H W rows (places) and as many columns as the block hands on holds every map once;
- its mean and variance are taken once, when it is made: the layers differ in gain and shift alone;
- :math:`t = \mathrm{ReLU}(\gamma \hat x + \beta)` lives for some rows at a time, in the cache, between X and
  the product with the 1x1 kernels, and is computed again on the way back;
- kept are X and the outputs of the 1x1 convolutions.

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
from anncestry.engine.keeping import kept

CHUNK = 2**18  # numbers of a part of X that stay in a core's cache with what is made of them


class DenseWeights(NamedTuple):
    """The weights of one bottleneck layer that reads m maps and adds k."""

    gain1: Float[Tensor, "m"]
    shift1: Float[Tensor, "m"]
    narrow: Float[Tensor, "N m 1 1"]
    gain2: Float[Tensor, "N"]
    shift2: Float[Tensor, "N"]
    spread: Float[Tensor, "k N 3 3"]


class Statistics(NamedTuple):
    """Of maps over a batch; the variance is divided by the count."""

    mean: Float[Tensor, "C"]
    variance: Float[Tensor, "C"]


def dense_block(
    x: Float[Tensor, "B C H W"], layers: list[DenseWeights], epsilon: float
) -> tuple[Float[Tensor, "B D H W"], Statistics, list[Statistics]]:
    """The maps that a block of bottleneck layers hands on, normalised by the batch, as in training.

    Returns:
        ``(maps, of_maps, of_narrow)``: maps in channels-last layout; the statistics of all D maps, of which a
        layer reads the first m; and for each layer those behind its 1x1 convolution. They carry no gradient.
    """
    flat = [weight for layer in layers for weight in layer]
    maps, mean, variance, *narrow = _DenseBlock.apply(x, epsilon, *flat)
    pairs = zip(narrow[::2], narrow[1::2], strict=True)
    return maps, Statistics(mean, variance), [Statistics(*pair) for pair in pairs]


class FrozenLayer(NamedTuple):
    """A bottleneck layer whose statistics are fixed: normalisation and ReLU have become bounds and products.

    With a x + b the normalised x, ReLU(a x + b) = a clamp(x) + b, where x is bounded by -b / a: from below
    for a > 0, from above for a < 0. What multiplies and what is added go into the 1x1 kernels, and so does
    the second normalisation.
    """

    low: Float[Tensor, "m"]
    high: Float[Tensor, "m"]
    narrow: Float[Tensor, "m N"]
    bias: Float[Tensor, "N"]
    spread: Float[Tensor, "k N 3 3"]


def freeze(layer: DenseWeights, of_maps: Statistics, of_narrow: Statistics, epsilon: float) -> FrozenLayer:
    """The layer with the statistics it has seen in training."""
    a, b, _ = _scale(of_maps, layer.gain1, layer.shift1, epsilon)
    edge = torch.where(a == 0, 0.0, -b / a)
    infinity = torch.full_like(a, torch.inf)
    low, high = torch.where(a > 0, edge, -infinity), torch.where(a < 0, edge, infinity)
    low, high = torch.where(a == 0, 0.0, low), torch.where(a == 0, 0.0, high)
    always = torch.where(a == 0, b.relu(), b)
    c, d, _ = _scale(of_narrow, layer.gain2, layer.shift2, epsilon)
    kernel = layer.narrow.flatten(1)
    return FrozenLayer(
        low, high, (kernel * a * c[:, None]).t().contiguous(), kernel @ always * c + d, layer.spread
    )


def frozen(layers: list[tuple[DenseWeights, Statistics, Statistics]], epsilon: float) -> list[FrozenLayer]:
    """`freeze` for the layers of a block; while predictions last it is done once."""
    parts = tuple(tensor for layer in layers for group in layer for tensor in group)
    return kept(parts, lambda: [freeze(*layer, epsilon) for layer in layers])


def frozen_dense_block(x: Float[Tensor, "B C H W"], layers: list[FrozenLayer]) -> Float[Tensor, "B D H W"]:
    """The maps that a block hands on when its statistics are fixed; no gradients."""
    B, C, H, W = x.shape
    k = layers[0].spread.shape[0]
    X = x.new_empty(B * H * W, C + k * len(layers))
    X[:, :C] = _rows(x)
    for number, layer in enumerate(layers):
        m = C + k * number
        h = x.new_empty(X.shape[0], layer.bias.shape[0])
        for rows in _chunks(X.shape[0], m):
            torch.addmm(
                layer.bias, torch.clamp(X[rows, :m], layer.low, layer.high), layer.narrow, out=h[rows]
            )
        X[:, m : m + k] = _rows(torch.conv2d(_maps(h.relu_(), B, H, W), layer.spread, padding=1))
    return _maps(X, B, H, W)


def _rows(maps: Float[Tensor, "B C H W"]) -> Float[Tensor, "N C"]:
    """One row for each place; no copy where the channels are last already."""
    return maps.permute(0, 2, 3, 1).reshape(-1, maps.shape[1])


def _chunks(num_rows: int, num_columns: int) -> list[slice]:
    size = max(256, CHUNK // num_columns)
    return [slice(first, first + size) for first in range(0, num_rows, size)]


def _statistics(x: Float[Tensor, "N C"]) -> Statistics:
    """Two passes, as few numbers at a time as stay in the cache; ``torch.var_mean`` takes several times as
    long down the columns."""
    chunks = _chunks(x.shape[0], x.shape[1])
    mean = torch.stack([x[rows].sum(0) for rows in chunks]).sum(0) / x.shape[0]
    squares = torch.stack([torch.sub(x[rows], mean).square_().sum(0) for rows in chunks])
    return Statistics(mean, squares.sum(0) / x.shape[0])


def _scale(
    statistics: Statistics, gain: Tensor, shift: Tensor, epsilon: float
) -> tuple[Tensor, Tensor, Tensor]:
    """``(a, b, 1 / sigma)`` with a x + b the normalised x."""
    inverse = torch.rsqrt(statistics.variance + epsilon)
    a = gain * inverse
    return a, torch.addcmul(shift, statistics.mean, a, value=-1), inverse


class _DenseBlock(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, epsilon, *flat):
        B, C, H, W = x.shape
        layers = [DenseWeights(*flat[i : i + 6]) for i in range(0, len(flat), 6)]
        k, N = layers[0].spread.shape[0], B * H * W
        X = x.new_empty(N, C + k * len(layers))
        X[:, :C] = _rows(x)
        variance, mean = x.new_empty(2, X.shape[1])
        mean[:C], variance[:C] = _statistics(X[:, :C])
        narrow, statistics = [], []
        for layer in layers:
            m = layer.narrow.shape[1]
            a, b, _ = _scale(Statistics(mean[:m], variance[:m]), layer.gain1, layer.shift1, epsilon)
            kernel = layer.narrow.flatten(1).t()
            z = x.new_empty(N, kernel.shape[1])
            for rows in _chunks(N, m):
                torch.mm(torch.addcmul(b, X[rows, :m], a).relu_(), kernel, out=z[rows])
            z_mean, z_variance = _statistics(z)
            a, b, _ = _scale(Statistics(z_mean, z_variance), layer.gain2, layer.shift2, epsilon)
            h = torch.addcmul(b, z, a).relu_()
            y = _rows(torch.conv2d(_maps(h, B, H, W), layer.spread, padding=1))
            X[:, m : m + k] = y
            mean[m : m + k], variance[m : m + k] = _statistics(y)
            narrow.append(z)
            statistics += [z_mean, z_variance]
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
        k, N = layers[0].spread.shape[0], X.shape[0]
        D = _rows(gradient).clone()  # gradients of the maps, complete from the right
        per_x, constant = torch.zeros_like(mean), torch.zeros_like(mean)
        found: list[Tensor] = []
        for layer, z, z_mean, z_variance in reversed(
            list(zip(layers, narrow, statistics[::2], statistics[1::2], strict=True))
        ):
            m = layer.narrow.shape[1]
            new = slice(m, m + k)
            dy = torch.addcmul(D[:, new] + constant[new], X[:, new], per_x[new])
            # behind the 1x1 convolution: normalise, ReLU, 3x3
            a, b, inverse = _scale(Statistics(z_mean, z_variance), layer.gain2, layer.shift2, epsilon)
            h = torch.addcmul(b, z, a).relu_()
            dh, d_spread, _ = torch.ops.aten.convolution_backward(
                _maps(dy, B, H, W), _maps(h, B, H, W), layer.spread, None,
                [1, 1], [1, 1], [1, 1], False, [0, 0], 1, (True, True, False),
            )  # fmt: skip
            g = torch.ops.aten.threshold_backward(_rows(dh), h, 0)
            d_shift2, with_z = g.sum(0), torch.linalg.vecdot(g, z, dim=0)
            d_gain2 = (with_z - z_mean * d_shift2) * inverse
            slope, level = _affine(a, d_gain2, d_shift2, z_mean, inverse, N)
            dz = torch.addcmul(torch.addcmul(level, z, slope), g, a)
            # in front of it: all maps so far
            a, b, inverse = _scale(Statistics(mean[:m], variance[:m]), layer.gain1, layer.shift1, epsilon)
            kernel = layer.narrow.flatten(1)
            d_narrow = torch.zeros_like(kernel)
            d_shift1, with_x = torch.zeros_like(a), torch.zeros_like(a)
            for rows in _chunks(N, m):
                x = X[rows, :m]
                t = torch.addcmul(b, x, a).relu_()
                d_narrow.addmm_(dz[rows].t(), t)
                g = torch.ops.aten.threshold_backward(dz[rows] @ kernel, t, 0)
                d_shift1 += g.sum(0)
                D[rows, :m].addcmul_(g, a)
                with_x += g.mul_(x).sum(0)
            d_gain1 = (with_x - mean[:m] * d_shift1) * inverse
            slope, level = _affine(a, d_gain1, d_shift1, mean[:m], inverse, N)
            per_x[:m] += slope
            constant[:m] += level
            found[:0] = [d_gain1, d_shift1, d_narrow.view_as(layer.narrow), d_gain2, d_shift2, d_spread]
        dx = torch.addcmul(D[:, :C] + constant[:C], X[:, :C], per_x[:C])
        return _maps(dx, B, H, W), None, *found


def _affine(a, d_gain, d_shift, mean, inverse, count) -> tuple[Tensor, Tensor]:
    """What the batch's own statistics add to the gradient of x: a multiple of x, and a constant."""
    slope = -a * d_gain * inverse / count
    return slope, -a * d_shift / count - slope * mean


def _maps(rows: Float[Tensor, "N C"], B: int, H: int, W: int) -> Float[Tensor, "B C H W"]:
    """The same numbers as maps, channels last."""
    return rows.view(B, H, W, -1).permute(0, 3, 1, 2)
