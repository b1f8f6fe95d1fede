"""Products of 8-bit integers, for weights that do not change.

A row of the weight has one scale: the largest of its numbers becomes 127. So has a row of the input; the
kernel of our own spreads the 256 integers between the least and the largest of its numbers, which loses half
as much (least cosine of a sentence encoder 0.996 in place of 0.993). The product of the integers is exact;
what is lost is half a step in each factor. One scale for all rows of the input would be simpler and lose
more, as rows differ.
"""

import functools

import torch

from anncestry.arrays import Float, Tensor
from anncestry.engine.int8_narrow import NarrowInt8Weight
from anncestry.engine.native.activations import activated
from anncestry.engine.native.int8_linear import NativeInt8Weight, rounded_rows

_ZERO = 128  # what stands for 0 in the input, which the kernel wants without a sign


class Int8Weight:
    """``f(x weight^T + bias)`` in 8-bit integers, with the input quantised row by row; no gradients.

    For where there is no compiler. The operators are PyTorch's own but not public: `works` tries them out.

    Args:
        weight: (K, D), float32 or bfloat16, on a CPU.
    """

    largest = 127

    def __init__(self, weight: Float[Tensor, "K D"]) -> None:
        integers, scales = rounded_rows(weight.detach().float().contiguous())
        integers, self._scales = integers.to(torch.int8), scales.squeeze(1)
        self._blocks = torch.ops.onednn.qlinear_prepack(integers, None)
        self._zeros = torch.zeros(len(integers), dtype=torch.long)

    def __call__(
        self, x: Float[Tensor, "*B D"], bias: Float[Tensor, "K"] | None = None, activation: str = "none"
    ) -> Float[Tensor, "*B K"]:
        integers, scales = rounded_rows(x.reshape(-1, x.shape[-1]))
        product = torch.ops.onednn.qlinear_pointwise(
            integers.add_(_ZERO).to(torch.uint8),
            1.0,
            _ZERO,
            self._blocks,
            self._scales,
            self._zeros,
            None,
            1.0,
            0,
            x.dtype,
            "none",
            [],
            "",
        )
        scales = scales.to(x.dtype)
        product = product.mul_(scales) if bias is None else torch.addcmul(bias, product, scales)
        return activated(product.view(*x.shape[:-1], -1), activation)


Int8Kind = type[NativeInt8Weight] | type[Int8Weight] | type[NarrowInt8Weight]


@functools.cache
def int8_kind() -> Int8Kind | None:
    """The products of this processor and PyTorch; None where it has none. Each is tried out once."""
    kinds: tuple[Int8Kind, ...] = (NativeInt8Weight, Int8Weight, NarrowInt8Weight)
    return next((kind for kind in kinds if works(kind)), None)


def works(kind: Int8Kind) -> bool:
    """Whether this PyTorch has the operators and they give what the rounded numbers give."""
    random = torch.Generator().manual_seed(0)
    x, weight, bias = (torch.randn(size, generator=random) for size in ((5, 64), (48, 64), (48,)))
    x[1:] *= torch.tensor([1e-3, 1.0, 40.0, 0.0]).unsqueeze(1)
    x[2], weight[:2] = 1.0, 1.0  # the largest sums there can be
    with torch.no_grad():
        try:
            product = kind(weight)
            found = torch.cat([product(x, bias), product(x[2:3], bias)])
        except (AttributeError, RuntimeError, TypeError):
            return False
        exact = x.double() @ weight.double().t() + bias
        exact = torch.cat([exact, exact[2:3]])
        error = (found.double() - exact).abs().amax(1)
        return bool((error <= 2.6 / kind.largest * (exact - bias).abs().amax(1) + 1e-6).all())
