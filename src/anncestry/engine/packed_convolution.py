"""Convolutions, and products with a ReLU behind them, whose weights are laid out once; no gradients.

The operators are PyTorch's own but not public, as in `anncestry.engine.packed`.
"""

import functools
from collections.abc import Callable

import torch

from anncestry.arrays import Float, Tensor


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
    if packable(weight):
        return PackedLinearReLU(weight, bias)
    return lambda x: torch.nn.functional.linear(x, weight, bias).relu_()


def packed_or_plain_convolution(kernels: Tensor) -> Callable[[Tensor], Tensor]:
    """The convolution of `PackedConvolution`, packed where that works."""
    if packable(kernels):
        return PackedConvolution(kernels)
    padding = [size // 2 for size in kernels.shape[2:]]
    return lambda x: torch.conv2d(x, kernels, padding=padding)


def packable(weight: Tensor) -> bool:
    """Whether a weight can be laid out: for a CPU, of a type for which that works."""
    fits = weight.device.type == "cpu" and weight.dtype in (torch.float32, torch.bfloat16)
    return fits and convolution_packing_works(weight.dtype)


@functools.cache
def convolution_packing_works(dtype: torch.dtype = torch.float32) -> bool:
    """Whether this PyTorch has the operators and they give what the plain ones give, for weights of this
    type: tried out once. A processor may have them for one and not for the other."""
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
