"""f(x W^T + b) for few rows of x: as fast as the weight can be read, from where it lies."""

import torch

from anncestry.arrays import Float, Tensor
from anncestry.engine.native.activations import CODES, activated
from anncestry.engine.native.library import address, kernel

MOST = 8  # rows up to which it is faster than a weight that was laid out (measured: at 16 it is not)
WORTH_SHARING = 2**19  # bytes of weights that take longer than handing over to another thread
_NAMES = {torch.float32: "few_rows_float", torch.bfloat16: "few_rows_bfloat16"}


def plain_few_rows_linear(
    x: Float[Tensor, "*B D"],
    weight: Float[Tensor, "K D"],
    bias: Float[Tensor, "K"] | None = None,
    activation: str = "none",
) -> Float[Tensor, "*B K"]:
    """f(x W^T + b)."""
    return activated(torch.nn.functional.linear(x, weight, bias), activation)


def takes_few_rows(x: Float[Tensor, "*B D"], weight: Float[Tensor, "K D"]) -> bool:
    """Whether the kernel can take these, and is expected to be faster than others."""
    return (
        x.shape[-1] == weight.shape[1]
        and 0 < x.numel() <= MOST * weight.shape[1]
        and x.dtype == weight.dtype
        and x.dtype in _NAMES
        and weight.is_contiguous()
        and x.device.type == weight.device.type == "cpu"
        and not torch.is_grad_enabled()
        and kernel(_NAMES[x.dtype], "ppppiiiii") is not None
    )


def few_rows_linear(
    x: Float[Tensor, "*B D"],
    weight: Float[Tensor, "K D"],
    bias: Float[Tensor, "K"] | None = None,
    activation: str = "none",
) -> Float[Tensor, "*B K"]:
    """`plain_few_rows_linear` by the kernel, where it `takes_few_rows`; no gradients."""
    native = kernel(_NAMES[x.dtype], "ppppiiiii") if takes_few_rows(x, weight) else None
    if native is None:
        return plain_few_rows_linear(x, weight, bias, activation)
    columns, width = weight.shape
    out, rows = x.new_empty((*x.shape[:-1], columns)), x.numel() // width
    x = x.contiguous().float()
    bias = None if bias is None else bias.to(weight.dtype).contiguous()
    threads = torch.get_num_threads() if weight.nbytes >= WORTH_SHARING else 1
    native(
        x.data_ptr(), weight.data_ptr(), address(bias), out.data_ptr(), rows, width, columns,
        CODES[activation], threads,
    )  # fmt: skip
    return out
