"""Weights laid out as the processor's product kernel reads them, for use without gradients.

oneDNN reads a weight in blocks. PyTorch lays it out anew in every product, or takes a kernel that need not; a
recurrent weight is used at every step, and is laid out once. The operators are PyTorch's own but not public,
so they are used here alone, tried out before they are relied on, and `plain_product` stands beside them.
"""

import functools

import torch

from anncestry.arrays import Float, Tensor
from anncestry.engine.int8 import int8_kind
from anncestry.engine.native.activations import activated
from anncestry.engine.native.few_rows import few_rows_linear, takes_few_rows
from anncestry.engine.packed_convolution import packable
from anncestry.engine.trained_linear import trained_linear
from anncestry.engine.weight_cache import cached_weights, is_caching_weights, wants_int8

SMALLEST = 2**18
"""Elements below which preparing a weight does not pay (it costs at 384 x 384 and gains at 2600 x 650)."""

MANY = 128
"""Rows of an input from which on it pays for weights a quarter as large: 384 x 384 in a batch of texts."""

FEW = 32
"""Rows of an input up to which a laid out weight pays without AVX-512; one row alone is not enough. There the
plain product is up to a tenth faster beyond, and the kernel's own GELU or ReLU takes half as long again as
the whole product (measured on Zen 3; on Zen 4, which has AVX-512, both pay at any size)."""


def plain_product(
    h: Float[Tensor, "B D"], weight: Float[Tensor, "K D"], added: Float[Tensor, "*B K"] | None = None
) -> Float[Tensor, "B K"]:
    """``added + h weight^T``."""
    return h @ weight.t() if added is None else torch.addmm(added, h, weight.t())


class PackedWeight:
    """``added + h weight^T`` for a weight that does not change; no gradients.

    Args:
        weight: (K, D), float32, on a CPU; what is kept is a copy.
    """

    def __init__(self, weight: Float[Tensor, "K D"]) -> None:
        self.weight = weight  # held: whoever knows it by its memory must not meet another one there
        self._blocks = torch.ops.mkldnn._reorder_linear_weight(weight.detach().contiguous())

    def __call__(self, h: Float[Tensor, "B D"], added: Float[Tensor, "B K"] | None = None) -> Tensor:
        if added is None:
            return torch.ops.mkldnn._linear_pointwise(h, self._blocks, None, "none", [], "")
        return torch.ops.mkldnn._linear_pointwise.binary(h, added, self._blocks, None, "add")


_FUSED = {"none": ("none", ""), "relu": ("relu", ""), "gelu": ("gelu", "none"), "gelu-tanh": ("gelu", "tanh")}
"""The kernel's words for those that it computes on the way out of a product."""


def linear(
    x: Float[Tensor, "*B D"],
    weight: Float[Tensor, "K D"],
    bias: Float[Tensor, "K"] | None = None,
    activation: str = "none",
) -> Float[Tensor, "*B K"]:
    """``f(x weight^T + bias)``; without gradients and within `caching_weights` the weight is laid out once,
    as integers where that was asked for; few rows take it as it lies.

    Args:
        activation: f: ``none`` or a key of `anncestry.engine.native.activations.LINEAR_ACTIVATIONS`.
    """
    if not (is_caching_weights() and _can_lay_out(x, weight)):
        product = trained_linear(x, weight, bias)
    elif wants_int8() and (kind := int8_kind()) is not None:
        return cached_weights((weight,), lambda: kind(weight))(x, bias, activation)
    elif takes_few_rows(x, weight):
        return few_rows_linear(x, weight, bias, activation)
    elif has_avx512() and activation in _FUSED:
        return cached_weights((weight,), lambda: PackedLinear(weight))(x, bias, activation)
    elif has_avx512() or 1 < x.numel() // x.shape[-1] <= FEW:
        product = cached_weights((weight,), lambda: PackedLinear(weight))(x, bias)
    else:
        product = trained_linear(x, weight, bias)
    return activated(product, activation)


def _can_lay_out(x: Tensor, weight: Tensor) -> bool:
    """Whether `linear` may lay ``weight`` out for ``x``, and that can pay."""
    return (
        not torch.is_grad_enabled()
        and x.shape[-1] == weight.shape[1]
        and x.device == weight.device
        and 4 * weight.numel() >= SMALLEST * (1 if x.numel() >= MANY * x.shape[-1] else 4)
        and x.dtype == weight.dtype
        and not torch.is_autocast_enabled("cpu")
        and packable(weight)
    )


class PackedLinear:
    """``x weight^T + bias`` for a weight that does not change; no gradients.

    Args:
        weight: (K, D), float32 or bfloat16, on a CPU.
    """

    def __init__(self, weight: Float[Tensor, "K D"]) -> None:
        self._blocks = torch.ops.mkldnn._reorder_linear_weight(weight.detach().contiguous())

    def __call__(
        self, x: Float[Tensor, "*B D"], bias: Float[Tensor, "K"] | None = None, activation: str = "none"
    ) -> Tensor:
        name, form = _FUSED[activation]
        return torch.ops.mkldnn._linear_pointwise(x, self._blocks, bias, name, [], form)


def has_avx512() -> bool:
    """Whether PyTorch's kernels use AVX-512 on this processor."""
    return torch.backends.cpu.get_cpu_capability() == "AVX512"


def worth_packing(h: Tensor, weight: Tensor, added: Tensor | None) -> bool:
    """Whether `PackedWeight` can take these and is expected to be faster than `plain_product`."""
    if torch.is_grad_enabled() and (h.requires_grad or (added is not None and added.requires_grad)):
        return False
    return (
        weight.numel() >= SMALLEST
        and h.dtype == weight.dtype == torch.float32
        and h.device.type == weight.device.type == "cpu"
        and (added is None or added.dim() == 2)
        and packing_works()
    )


@functools.cache
def packing_works() -> bool:
    """Whether this PyTorch has the operators and they give what the plain product gives: tried out once."""
    random = torch.Generator().manual_seed(0)
    h, weight, added = (torch.randn(size, generator=random) for size in ((3, 40), (50, 40), (3, 50)))
    with torch.no_grad():
        try:
            packed = PackedWeight(weight)
            products = packed(h), packed(h, added)
        except (AttributeError, RuntimeError, TypeError):
            return False
        exact = h.double() @ weight.double().t()
        return all(
            torch.allclose(product.double(), wanted, atol=1e-5, rtol=1e-5)
            for product, wanted in zip(products, (exact, exact + added), strict=True)
        )
