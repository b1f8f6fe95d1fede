"""What a layer costs that makes n vectors of d features of n others: the Transformer's table 1 in numbers.

Vaswani et al., "Attention is all you need", 1706.03762, section 4. The table gives orders of growth; here
stand the products themselves, and beside them what our own layers are counted and timed at. It leaves out the
projections of self-attention to queries, keys, values and back, 4 n d^2 products, which are more than the
2 n^2 d that it counts wherever n < 2 d.

FLOPs, memory and steps go by the conventions of `anncestry.inspection.costs`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from anncestry.arrays import Bool, Float, Tensor
from anncestry.errors import require
from anncestry.inspection.costs import costs
from anncestry.layers.attention.attention import SelfAttention
from anncestry.layers.recurrent.cells import ElmanCell, LSTMCell
from anncestry.layers.recurrent.temporal import CausalConvolution
from anncestry.layers.recurrent.wirings import Unrolled
from anncestry.signature import Signature

HEAD_SIZE = 64  # of self-attention, where d is a multiple of it
KERNEL, WINDOW = 3, 16  # places that convolutions and restricted self-attention see
REPEATS, SECONDS = 5, 0.01  # timed passes, of which the fastest counts; none begins after so long


@dataclass(frozen=True, kw_only=True)
class LayerKind:
    """A line of the table.

    Attributes:
        name: of the kind of layer.
        complexity, sequential, path: orders of growth, as the paper prints them.
        products: how many multiplications the paper's complexity stands for, with all constants at 1.
        counted: FLOPs of what the complexity counts.
        omitted: FLOPs of the projections, which it does not.
        path_length: layers, or steps of recurrence, on the shortest way from the first of n inputs to the
            last output, where a layer sees its own place and those before it.
        measured: FLOPs of our layer.
        steps: products of our layer that wait for one another.
        seconds: of our layer's forward pass of one sequence; None where it was not timed.
    """

    name: str
    complexity: str
    sequential: str
    path: str
    products: int
    counted: int
    omitted: int
    path_length: int
    measured: int
    steps: int
    seconds: float | None


def layer_costs(
    n: int, d: int, kernel: int = KERNEL, window: int = WINDOW, timed: bool = True
) -> tuple[LayerKind, ...]:
    """Self-attention, recurrence (two cells), convolutions (two kinds) and attention within a window.

    Args:
        n: places of the sequence.
        d: features of each.
        kernel: k, places that a convolution sees.
        window: r, places that restricted self-attention sees; at most n.
        timed: whether the layers are also run, with random weights, on the threads of this process.

    Raises:
        UserError: a size is too small to be one.
    """
    for name, value, least in (("n", n, 1), ("d", d, 1), ("kernel", kernel, 2), ("window", window, 2)):
        require(value >= least, name, value, f"must be at least {least}")
    window, projections = min(window, n), 8 * n * d * d
    heads = d // HEAD_SIZE if d % HEAD_SIZE == 0 else 1
    band = torch.ones(n, n, dtype=torch.bool).tril().triu(1 - window)
    attention, recurrence = ("n^2 d", "1", "1"), ("n d^2", "n", "n")
    lines: tuple[tuple[str, tuple[str, str, str], int, int, int, int, Callable[[], nn.Module]], ...] = (
        ("self-attention", attention, n * n * d, 4 * n * n * d, projections, 1,
         lambda: SelfAttention(d, heads)),
        ("recurrent, tanh", recurrence, n * d * d, 4 * n * d * d, 0, n,
         lambda: Unrolled(ElmanCell(d, d))),
        ("recurrent, LSTM", recurrence, n * d * d, 16 * n * d * d, 0, n,
         lambda: Unrolled(LSTMCell(d, d))),
        ("convolution", ("k n d^2", "1", "n/k"), kernel * n * d * d, 2 * kernel * n * d * d, 0,
         layers_between(n, kernel), lambda: _OverTime(CausalConvolution(d, d, kernel, 1))),
        ("dilated convolution", ("k n d^2", "1", "log_k n"), kernel * n * d * d, 2 * kernel * n * d * d, 0,
         layers_between(n, kernel, dilated=True),
         lambda: _OverTime(CausalConvolution(d, d, kernel, kernel))),
        ("windowed attention", ("r n d", "1", "n/r"), window * n * d, 4 * window * n * d, projections,
         layers_between(n, window), lambda: _Masked(SelfAttention(d, heads), band)),
    )  # fmt: skip
    found = []
    for name, orders, products, counted, omitted, path_length, make in lines:
        layer = make()
        flops, steps = _recurrent(layer, n, d) if isinstance(layer, Unrolled) else _counted(layer, n, d)
        found.append(
            LayerKind(
                name=name,
                complexity=orders[0],
                sequential=orders[1],
                path=orders[2],
                products=products,
                counted=counted,
                omitted=omitted,
                path_length=path_length,
                measured=flops,
                steps=steps,
                seconds=_seconds(layer, torch.randn(1, n, d)) if timed else None,
            )
        )
    return tuple(found)


def layers_between(n: int, sees: int, dilated: bool = False) -> int:
    """How many layers that see so many places each, one above the other, join the first of n places with the
    last; where ``dilated``, layer i sees every sees^i-th place."""
    layers, reach, stride = 0, 0, 1
    while reach < n - 1:
        reach += (sees - 1) * stride
        stride *= sees if dilated else 1
        layers += 1
    return max(layers, 1)


def _counted(layer: nn.Module, n: int, d: int) -> tuple[int, int]:
    """FLOPs of a layer, and its products that wait for one another."""
    found = costs(layer, Signature("next-frame", "series", (n, d), d))
    return found.flops, found.sequential_steps


def _recurrent(layer: nn.Module, n: int, d: int) -> tuple[int, int]:
    """The same of a layer that does at each step what it did at the last: counted over few, for they take as
    long to count as to do."""
    if n < 3:
        return _counted(layer, n, d)
    two, three = _counted(layer, 2, d), _counted(layer, 3, d)
    flops, steps = (few + (more - few) * (n - 2) for few, more in zip(two, three, strict=True))
    return flops, steps


class _OverTime(nn.Module):
    """A causal convolution of features (B, T, D)."""

    def __init__(self, convolution: CausalConvolution) -> None:
        super().__init__()
        self.convolution = convolution

    def forward(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        state = self.convolution.initial_state(x.shape[0])
        return self.convolution(x.transpose(1, 2), state)[0].transpose(1, 2)


class _Masked(nn.Module):
    """Self-attention within a window: of all products, those outside are thrown away."""

    def __init__(self, attention: SelfAttention, visible: Bool[Tensor, "T T"]) -> None:
        super().__init__()
        self.attention = attention
        self.visible: Tensor
        self.register_buffer("visible", visible)

    def forward(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        return self.attention(x, self.visible.expand(len(x), 1, -1, -1))


@torch.inference_mode()
def _seconds(layer: nn.Module, x: Tensor) -> float:
    """The fastest of a few forward passes, after one that is not timed."""
    layer.eval()(x)
    times, end = [], time.perf_counter() + SECONDS
    while not times or (len(times) < REPEATS and time.perf_counter() < end):
        start = time.perf_counter()
        layer(x)
        times.append(time.perf_counter() - start)
    return min(times)
