"""Weights laid out as the processor's product kernel reads them, for use without gradients.

oneDNN reads a weight in blocks. PyTorch lays it out anew in every product, or takes a kernel that need not; a
recurrent weight is used at every step, and is laid out once. The operators are PyTorch's own but not public,
so they are used here alone, tried out before they are relied on, and `plain_product` stands beside them.
"""

import functools

import torch

from anncestry.arrays import Float, Tensor

SMALLEST = 2**18
"""Elements below which preparing a weight does not pay (it costs at 384 x 384 and gains at 2600 x 650)."""


def plain_product(
    h: Float[Tensor, "B H"], weight: Float[Tensor, "G H"], added: Float[Tensor, "*B G"] | None = None
) -> Float[Tensor, "B G"]:
    """``added + h weight^T``."""
    return h @ weight.t() if added is None else torch.addmm(added, h, weight.t())


class PackedWeight:
    """``added + h weight^T`` for a weight that does not change; no gradients.

    Args:
        weight: (G, H), float32, on a CPU; what is kept is a copy.
    """

    def __init__(self, weight: Float[Tensor, "G H"]) -> None:
        self.weight = weight  # held: whoever knows it by its memory must not meet another one there
        self._blocks = torch.ops.mkldnn._reorder_linear_weight(weight.detach().contiguous())

    def __call__(self, h: Float[Tensor, "B H"], added: Float[Tensor, "B G"] | None = None) -> Tensor:
        if added is None:
            return torch.ops.mkldnn._linear_pointwise(h, self._blocks, None, "none", [], "")
        return torch.ops.mkldnn._linear_pointwise.binary(h, added, self._blocks, None, "add")


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
