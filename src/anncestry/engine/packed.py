"""Weights laid out as the processor's product kernel reads them, for use without gradients.

oneDNN reads a weight in blocks. PyTorch lays it out anew in every product, or takes a kernel that need not; a
recurrent weight is used at every step, and is laid out once. The operators are PyTorch's own but not public,
so they are used here alone, tried out before they are relied on, and `plain_product` stands beside them.
"""

import functools
from collections.abc import Callable

import torch

from anncestry.arrays import Float, Tensor
from anncestry.engine.int8 import int8_kind
from anncestry.engine.weight_cache import cached_weights, is_caching_weights, wants_int8

SMALLEST = 2**18
"""Elements below which preparing a weight does not pay (it costs at 384 x 384 and gains at 2600 x 650)."""

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


LINEAR_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.nn.functional.relu,
    "gelu": torch.nn.functional.gelu,
    "gelu-tanh": functools.partial(torch.nn.functional.gelu, approximate="tanh"),
    "silu": torch.nn.functional.silu,
}
"""What may follow a product."""
_FUSED = {"none": ("none", ""), "relu": ("relu", ""), "gelu": ("gelu", "none"), "gelu-tanh": ("gelu", "tanh")}
"""The kernel's words for those that it computes on the way out of a product."""


def linear(
    x: Float[Tensor, "*B D"],
    weight: Float[Tensor, "K D"],
    bias: Float[Tensor, "K"] | None = None,
    activation: str = "none",
) -> Float[Tensor, "*B K"]:
    """``f(x weight^T + bias)``; without gradients and within `caching_weights` the weight is laid out once,
    as integers where that was asked for.

    Args:
        activation: f: ``none`` or a key of `LINEAR_ACTIVATIONS`.
    """
    if not (is_caching_weights() and _can_lay_out(x, weight)):
        product = torch.nn.functional.linear(x, weight, bias)
    elif wants_int8() and (kind := int8_kind()) is not None:
        product = cached_weights((weight,), lambda: kind(weight))(x, bias)
    elif has_avx512() and activation in _FUSED:
        return cached_weights((weight,), lambda: PackedLinear(weight))(x, bias, activation)
    elif has_avx512() or 1 < x.numel() // x.shape[-1] <= FEW:
        product = cached_weights((weight,), lambda: PackedLinear(weight))(x, bias)
    else:
        product = torch.nn.functional.linear(x, weight, bias)
    return product if activation == "none" else LINEAR_ACTIVATIONS[activation](product)


def _can_lay_out(x: Tensor, weight: Tensor) -> bool:
    """Whether `linear` may lay ``weight`` out for ``x``, and that can pay."""
    return (
        not torch.is_grad_enabled()
        and weight.numel() >= SMALLEST
        and x.dtype == weight.dtype
        and not torch.is_autocast_enabled("cpu")
        and _packable(weight)
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


class PackedLinearReLU:
    """``ReLU(x weight^T + bias)`` for weights that do not change; no gradients.

    Args:
        weight: (K, D), and ``bias`` (K,): float32 or bfloat16, on a CPU.
    """

    def __init__(self, weight: Float[Tensor, "K D"], bias: Float[Tensor, "K"]) -> None:
        self._blocks = torch.ops.mkldnn._reorder_linear_weight(weight.detach().contiguous())
        self._bias = bias.detach()

    def __call__(self, x: Float[Tensor, "N D"]) -> Float[Tensor, "N K"]:
        return torch.ops.mkldnn._linear_pointwise(x, self._blocks, self._bias, "relu", [], "")


class PackedConvolution:
    """A convolution with stride 1 that keeps the size of the image, without a bias, whose kernels do not
    change; no gradients. They are laid out for the first shape of input it meets, and serve all.

    Args:
        kernels: (K, C, F, F), F odd, float32 or bfloat16, on a CPU.
    """

    def __init__(self, kernels: Float[Tensor, "K C F F"]) -> None:
        self._kernels, self._padding = kernels.detach(), [size // 2 for size in kernels.shape[2:]]
        self._blocks: Tensor | None = None

    def __call__(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K H W"]:
        if self._blocks is None:
            reorder = torch.ops.mkldnn._reorder_convolution_weight
            self._blocks = reorder(self._kernels, self._padding, [1, 1], [1, 1], 1, list(x.shape))
        return torch.ops.mkldnn._convolution_pointwise(
            x, self._blocks, None, self._padding, [1, 1], [1, 1], 1, "none", [], ""
        )


def packed_or_plain_linear_relu(weight: Tensor, bias: Tensor) -> Callable[[Tensor], Tensor]:
    """``ReLU(x weight^T + bias)``, packed where that works."""
    if _packable(weight):
        return PackedLinearReLU(weight, bias)
    return lambda x: torch.nn.functional.linear(x, weight, bias).relu_()


def packed_or_plain_convolution(kernels: Tensor) -> Callable[[Tensor], Tensor]:
    """The convolution of `PackedConvolution`, packed where that works."""
    if _packable(kernels):
        return PackedConvolution(kernels)
    padding = [size // 2 for size in kernels.shape[2:]]
    return lambda x: torch.conv2d(x, kernels, padding=padding)


def has_avx512() -> bool:
    """Whether PyTorch's kernels use AVX-512 on this processor."""
    return torch.backends.cpu.get_cpu_capability() == "AVX512"


def _packable(weight: Tensor) -> bool:
    fits = weight.device.type == "cpu" and weight.dtype in (torch.float32, torch.bfloat16)
    return fits and convolution_packing_works(weight.dtype)


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
def convolution_packing_works(dtype: torch.dtype = torch.float32) -> bool:
    """The same for `PackedLinearReLU` and `PackedConvolution`, for weights of this type: a processor may have
    them for one and not for the other."""
    random = torch.Generator().manual_seed(0)
    sizes = ((2, 8, 5, 4), (6, 8, 3, 3), (6, 8), (6,))
    x, kernels, weight, bias = (torch.randn(size, generator=random).to(dtype) for size in sizes)
    x = x.to(memory_format=torch.channels_last)
    with torch.no_grad():
        try:
            convolution, linear = PackedConvolution(kernels), PackedLinearReLU(weight, bias)
            found = [convolution(x), convolution(x[:1]), linear(x[:, :, 0, 0])]
        except (AttributeError, RuntimeError, TypeError):
            return False
        x, kernels, weight, bias = (tensor.double() for tensor in (x, kernels, weight, bias))
        maps = torch.conv2d(x, kernels, padding=1)
        wanted = [maps, maps[:1], torch.nn.functional.linear(x[:, :, 0, 0], weight, bias).relu()]
        tolerance = 1e-5 if dtype == torch.float32 else 5e-2
        pairs = zip(found, wanted, strict=True)
        return all(torch.allclose(a.double(), b, atol=tolerance, rtol=tolerance) for a, b in pairs)


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
