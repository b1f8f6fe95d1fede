"""Attention of one query, or the few of a beam, to a cache of keys and values, as it lies in memory.

PyTorch's operators want the cache of all heads as one batch of products, which it is not: it is copied, or
each head is multiplied by itself. Here the cache is read once, and the newest keys and values are written on
the way. Hypotheses that follow one source attend through marks, and what is not marked is not read.
"""

import torch

from anncestry.arrays import Bool, Float, Tensor
from anncestry.engine.native.library import address, kernel, threads_for

_NAMES = {
    (torch.float32, torch.float32): "cache_attention_float",
    (torch.bfloat16, torch.bfloat16): "cache_attention_bfloat16",
    (torch.float32, torch.bfloat16): "cache_attention_float_bfloat16",
}
_ARGUMENTS = "pppippiiipiipiiiiii"
SIZES = (16, 32, 64, 128)
"""Features of a head for which there are kernels."""
FEW = 64
"""Queries of a source up to which they are attended one by one; more make a product worth its preparation."""


def plain_cache_attention(
    projected: Float[Tensor, "N T features"],
    keys: Float[Tensor, "N h P d"],
    values: Float[Tensor, "N h P d"],
    marks: Bool[Tensor, "N #T P"] | None = None,
) -> Float[Tensor, "N T inner"]:
    """softmax(Q K^T / sqrt(d)) V over what is marked, for every head.

    Args:
        projected: queries of T tokens; with them, where there are three times as many features, their keys
            and values, which are written into the last T positions first.
        keys, values: views of a cache.
        marks: what each query sees; None for all.
    """
    num_heads, size = keys.shape[1], keys.shape[3]
    queries, *new = (
        part.unflatten(-1, (num_heads, size)).transpose(1, 2)
        for part in projected.split(num_heads * size, dim=-1)
    )
    if new:
        keys[:, :, keys.shape[2] - queries.shape[2] :], values[:, :, keys.shape[2] - queries.shape[2] :] = new
    visible = None if marks is None else marks.unsqueeze(1)
    read = (part.to(queries.dtype) for part in (keys, values))
    seen = torch.nn.functional.scaled_dot_product_attention(queries, *read, attn_mask=visible)
    return seen.transpose(1, 2).flatten(2)


def cache_attention(
    projected: Float[Tensor, "N T features"],
    keys: Float[Tensor, "N h P d"],
    values: Float[Tensor, "N h P d"],
    marks: Bool[Tensor, "N #T P"] | None = None,
) -> Float[Tensor, "N T inner"]:
    """`plain_cache_attention` by the kernel, where it can; no gradients."""
    native = (
        kernel(_NAMES[projected.dtype, keys.dtype], _ARGUMENTS)
        if fits(projected, keys, values, marks)
        else None
    )
    if native is None:
        return plain_cache_attention(projected, keys, values, marks)
    sources, num_heads, positions, size = keys.shape
    queries, row, inner = projected.shape[1], projected.shape[2], num_heads * size
    out = projected.new_empty(sources, queries, inner)
    first, step = projected.data_ptr(), inner * projected.element_size()
    new = (first + step, first + 2 * step) if row > inner else (None, None)
    strides = (0, 0) if marks is None else (marks.stride(0), marks.stride(1) if marks.shape[1] > 1 else 0)
    native(
        first, *new, row, keys.data_ptr(), values.data_ptr(), *keys.stride()[:3], address(marks), *strides,
        out.data_ptr(), sources, num_heads, queries, positions, size,
        threads_for(keys.numel() * queries // 4),
    )  # fmt: skip
    return out


def smallest_type(dtype: torch.dtype, size: int) -> torch.dtype:
    """In which the kernel can read keys and values of heads of ``size`` features, where these are computed in
    ``dtype``: bfloat16, which is half to read, or ``dtype`` itself where there is no kernel."""
    narrow = size in SIZES and (dtype, torch.bfloat16) in _NAMES
    return torch.bfloat16 if narrow and kernel("cache_attention_float", _ARGUMENTS) is not None else dtype


def fits(projected: Tensor, keys: Tensor, values: Tensor, marks: Tensor | None = None) -> bool:
    """Whether `cache_attention` is the kernel's; arguments as there."""
    return (
        keys.device.type == "cpu"
        and (projected.dtype, keys.dtype) in _NAMES
        and 0 < projected.shape[1] <= FEW
        and projected.is_contiguous()
        and projected.shape[0] == keys.shape[0]
        and projected.shape[2] in (keys.shape[1] * keys.shape[3], 3 * keys.shape[1] * keys.shape[3])
        and keys.shape == values.shape
        and keys.dtype == values.dtype
        and keys.stride() == values.stride()
        and keys.stride(3) == 1
        and keys.shape[3] in SIZES
        and (marks is None or _readable(marks, projected, keys))
        and not torch.is_grad_enabled()
        and not torch.compiler.is_compiling()
        and kernel("cache_attention_float", _ARGUMENTS) is not None
    )


def _readable(marks: Tensor, projected: Tensor, keys: Tensor) -> bool:
    whole = marks.shape[0] == keys.shape[0] and marks.shape[2] == keys.shape[2]
    whole = whole and marks.shape[1] in (1, projected.shape[1])
    return whole and marks.dtype == torch.bool and marks.stride(2) == 1
