"""f(x W^T + b) in 8-bit integers, in one pass: rows are rounded as they are read, and all else as they go."""

import torch

from anncestry.arrays import Float, Int, Tensor
from anncestry.engine.native.activations import CODES, activated
from anncestry.engine.native.library import address, kernel

BLOCK = 64  # columns that the kernel computes together
WIDEST = 2**15  # features of a row that it has room for
WORTH_SHARING = 2**19  # products, or bytes of weights, that take longer than handing over to another thread
_NAMES = {torch.float32: "int8_linear_float", torch.bfloat16: "int8_linear_bfloat16"}


def rounded_rows(x: Float[Tensor, "*B D"], largest: int = 127) -> tuple[Tensor, Tensor]:
    """Each row as integers of at most ``largest`` (in its own type), and the step of each row (*B, 1)."""
    most = x.abs().amax(-1, keepdim=True).float().clamp_(min=1e-30)
    return (x * (most.reciprocal() * largest)).round_(), most / largest


def ranged_rows(x: Float[Tensor, "*B D"]) -> tuple[Tensor, Tensor]:
    """Each row as integers of a range of 255 that holds 0, between its least and its largest number, and the
    step of each row (*B, 1)."""
    low, high = x.amin(-1, keepdim=True).clamp(max=0), x.amax(-1, keepdim=True).clamp(min=0)
    span = (high - low).clamp(min=1e-30)
    steps = span.reciprocal() * 255
    zero = (-low * steps).round()
    return torch.minimum((x * steps).round(), 255 - zero), span / 255


def plain_int8_linear(
    x: Float[Tensor, "*B D"],
    weight: Float[Tensor, "K D"],
    bias: Float[Tensor, "K"] | None = None,
    activation: str = "none",
) -> Float[Tensor, "*B K"]:
    """f of the product of the rounded rows of both."""
    (rows, steps), (columns, scales) = ranged_rows(x.float()), rounded_rows(weight.float())
    product = (rows.double() @ columns.double().t()).float() * (steps * scales.t().squeeze(0))
    product = product if bias is None else product + bias.float()
    return activated(product, activation).to(x.dtype)


class NativeInt8Weight:
    """``f(x weight^T + bias)`` as `plain_int8_linear` gives it, by the kernel; no gradients.

    Args:
        weight: (K, D), float32 or bfloat16, on a CPU.

    Raises:
        RuntimeError: there is no kernel, as there is no VNNI, or no compiler, or the rows are too wide.
    """

    largest = 127

    def __init__(self, weight: Float[Tensor, "K D"]) -> None:
        self._kernels = {dtype: kernel(name, "ppppppiiiii") for dtype, name in _NAMES.items()}
        if None in self._kernels.values() or not 0 < weight.shape[1] <= WIDEST:
            raise RuntimeError("there is no kernel for it")
        integers, scales = rounded_rows(weight.detach().float())
        self._scales, self._shape = scales.squeeze(1), weight.shape
        self._blocks, self._totals = _in_blocks(integers.to(torch.int8))

    def __call__(
        self, x: Float[Tensor, "*B D"], bias: Float[Tensor, "K"] | None = None, activation: str = "none"
    ) -> Float[Tensor, "*B K"]:
        columns, width = self._shape
        x = x if x.is_contiguous() else x.contiguous()
        if bias is not None and (bias.dtype != x.dtype or not bias.is_contiguous()):
            bias = bias.to(x.dtype).contiguous()
        out = x.new_empty((*x.shape[:-1], columns))
        rows = x.numel() // width
        work = columns * width * (1 + rows // 8)
        threads = torch.get_num_threads() if work >= WORTH_SHARING else 1
        native = self._kernels[x.dtype]
        assert native is not None
        native(
            x.data_ptr(), self._blocks.data_ptr(), self._scales.data_ptr(), self._totals.data_ptr(),
            address(bias), out.data_ptr(), rows, width, columns, CODES[activation], threads,
        )  # fmt: skip
        return out


def _in_blocks(integers: Int[Tensor, "K D"]) -> tuple[Tensor, Tensor]:
    """(K / 64, D / 4, 64, 4) as the kernel reads them, both rounded up, and the sum of each row (K,): that
    many times it takes off what stands for 0 on the other side."""
    columns, width = integers.shape
    blocks, fours = -(-columns // BLOCK), -(-width // 4)
    padded = integers.new_zeros(blocks * BLOCK, fours * 4)
    padded[:columns, :width] = integers
    return padded.view(blocks, BLOCK, fours, 4).transpose(1, 2).contiguous(), padded.sum(1, dtype=torch.int32)
