"""Attention of texts that lie one behind the other, without padding.

Shapes: N rows, those of all texts, h heads of d features. Text n is the rows ``offsets[n]`` up to
``offsets[n + 1]``.
"""

import itertools
import math
from collections.abc import Callable

import torch

from anncestry.arrays import Float, Int, Tensor
from anncestry.engine.native.library import kernel, threads_for

_NAMES = {torch.float32: "packed_attention_float", torch.bfloat16: "packed_attention_bfloat16"}


def plain_packed_attention(
    queries: Float[Tensor, "N h d"],
    keys: Float[Tensor, "N h d"],
    values: Float[Tensor, "N h d"],
    offsets: Int[Tensor, "B"],
    causal: bool = False,
) -> Float[Tensor, "N h d"]:
    """softmax(Q K^T / sqrt(d)) V within each text.

    Args:
        causal: whether a row sees those of its text up to itself alone.
    """
    out, ends = torch.empty_like(queries, memory_format=torch.contiguous_format), offsets.tolist()
    for first, last in itertools.pairwise(ends):
        q, k, v = (part[first:last].transpose(0, 1) for part in (queries, keys, values))
        attend = torch.nn.functional.scaled_dot_product_attention
        out[first:last] = attend(q, k, v, is_causal=causal).transpose(0, 1)
    return out


def packed_attention(
    queries: Float[Tensor, "N h d"],
    keys: Float[Tensor, "N h d"],
    values: Float[Tensor, "N h d"],
    offsets: Int[Tensor, "B"],
    causal: bool = False,
) -> Float[Tensor, "N h d"]:
    """`plain_packed_attention` by the kernel, where it can; no gradients."""
    native = _kernel_for(queries, keys, values, offsets)
    if native is None:
        return plain_packed_attention(queries, keys, values, offsets, causal)
    num_rows, heads, size = queries.shape
    out = torch.empty(num_rows, heads, size, dtype=queries.dtype)
    native(
        queries.data_ptr(), keys.data_ptr(), values.data_ptr(), out.data_ptr(), offsets.data_ptr(),
        len(offsets) - 1, heads, size, queries.stride(0), keys.stride(0), values.stride(0),
        1 / math.sqrt(size), causal, threads_for(out.numel()),
    )  # fmt: skip
    return out


def attention_kernel(x: Tensor) -> Callable[..., None] | None:
    """The kernel for rows like ``x``, or None: it is for a CPU, float32 or bfloat16, without gradients."""
    if x.device.type != "cpu" or torch.is_grad_enabled() or x.dtype not in _NAMES:
        return None
    return kernel(_NAMES[x.dtype], "pppppiiiiiifii")


def _kernel_for(queries: Tensor, keys: Tensor, values: Tensor, offsets: Tensor) -> Callable[..., None] | None:
    for part in (queries, keys, values):
        if part.shape != queries.shape or part.dtype != queries.dtype:
            return None
        if part.stride(2) != 1 or part.stride(1) != part.shape[2]:
            return None  # a row's heads lie one behind the other
    return attention_kernel(queries) if offsets.dtype == torch.int64 and offsets.is_contiguous() else None
