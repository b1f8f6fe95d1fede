"""The one product that cannot leave the loop over time: what the state of a moment ago is multiplied by.

Every cell's recurrent products go through `recur`. By itself it is a plain product. Within `prepared` (the
loop over a whole sequence) each weight is prepared once for all steps:

- where a gradient is wanted, the steps' contributions to the weight's gradient, T thin products, are
  collected and computed as one large one when the last of them is known;
- where none is wanted, the weight is packed once (`anncestry.engine.packed`).

Both are for large weights, and give the plain product's values and gradients to rounding; the tests hold them
equal. A graph made in `prepared` cannot be differentiated twice.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from anncestry.arrays import Float, Tensor
from anncestry.engine.native.dropout import dropout
from anncestry.engine.packed import SMALLEST, PackedWeight, plain_product, worth_packing
from anncestry.layers.recurrent.contributions import Contributions

Product = Callable[[Tensor, Tensor | None], Tensor]

FEWEST_STEPS = 4  # over which preparing a weight is paid off

_loop = threading.local()


def recur(
    h: Float[Tensor, "B H"], weight: Float[Tensor, "G H"], added: Tensor | None = None
) -> Float[Tensor, "B G"]:
    """``added + h weight^T``; ``added`` is (B, G) or (G,)."""
    products = None if torch.compiler.is_compiling() else getattr(_loop, "products", None)
    if products is None:
        return plain_product(h, weight, added)
    # A slice of a weight is a new tensor every time. What is prepared holds on to its weight, so that no
    # other weight gets the same memory.
    key = (weight.data_ptr(), weight.shape, weight.stride(), weight.requires_grad)
    if key not in products:
        product = _prepare(h, weight, added, _loop.num_steps)
        products[key] = _with_mask(product, h, _loop.dropout) if _loop.dropout else product
    return products[key](h, added)


def _with_mask(product: Product, h: Tensor, p: float) -> Product:
    mask = dropout(torch.ones_like(h), p)
    return lambda h, added: product(h * mask, added)


@contextmanager
def prepared(num_steps: int, dropout: float = 0.0) -> Iterator[None]:
    """The loop over a sequence of so many steps, during which no weight changes.

    Args:
        dropout: probability of zeroing a feature of what a recurrent weight is multiplied with, the same ones
            at every step (Gal & Ghahramani, 1512.05287, equation 7).
    """
    names = ("products", "num_steps", "dropout")
    before = [getattr(_loop, name, None) for name in names]
    # the tensors of torch.func have no memory of their own to be known by
    _loop.products = None if torch._C._are_functorch_transforms_active() else {}
    _loop.num_steps, _loop.dropout = num_steps, dropout
    try:
        yield
    finally:
        for name, value in zip(names, before, strict=True):
            setattr(_loop, name, value)


def _prepare(h: Tensor, weight: Tensor, added: Tensor | None, num_steps: int) -> Product:
    small = num_steps < FEWEST_STEPS or weight.numel() < SMALLEST  # takes less time than the bookkeeping
    if (
        weight.device.type == "meta"
        or h.dtype != weight.dtype
        or torch.is_autocast_enabled(weight.device.type)
    ):
        small = True  # someone else decides what a product is
    if not small and torch.is_grad_enabled() and weight.requires_grad:
        return _collected(weight)
    if not small and worth_packing(h, weight, added):
        return PackedWeight(weight)
    return lambda h, added: plain_product(h, weight, added)


# ---- with gradients: one product for the weight instead of one per step -------------------------------


class _Step(torch.autograd.Function):
    """A product whose backward pass notes what it contributes to the weight's gradient."""

    @staticmethod
    def forward(
        ctx: Any, h: Tensor, weight: Tensor, added: Tensor | None, token: Tensor, ledger: Contributions
    ):
        ctx.save_for_backward(h, weight)
        ctx.ledger = ledger
        ctx.added_axes = 0 if added is None else added.dim()
        return plain_product(h, weight, added)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor):
        h, weight = ctx.saved_tensors
        ctx.ledger.add(gradient, h)
        of_added = gradient.sum(0) if ctx.added_axes == 1 else gradient
        return gradient @ weight, None, of_added if ctx.added_axes else None, None, None


class _Collector(torch.autograd.Function):
    """Makes a token that every step takes, so that autograd comes back here after the last of them."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, ledger: Contributions) -> Tensor:
        ctx.ledger = ledger
        return weight.new_zeros(())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor):
        pairs = ctx.ledger.take()
        if not pairs:
            return None, None
        gradients, inputs = (torch.cat(part) for part in zip(*pairs, strict=True))
        return gradients.t() @ inputs, None


def _collected(weight: Tensor) -> Product:
    ledger = Contributions()
    token = _Collector.apply(weight, ledger)
    return lambda h, added: _Step.apply(h, weight, added, token, ledger)  # pyright: ignore
