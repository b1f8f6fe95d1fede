"""Attention for training, with dropout of its weights, and without the weights ever lying in memory.

PyTorch's fused attention on a CPU knows no dropout; what it does instead makes four tensors of B h T S
numbers on the way and four on the way back. The kernel keeps a block of queries' scores in the cache and
computes them again for the gradients; what a causal mask hides is not computed. It drops what
`plain_attention` drops.

Shapes: as in `anncestry.layers.attention.attention`.
"""

import ctypes
import math
from typing import Any

import torch

from anncestry.arrays import Bool, Float, Tensor
from anncestry.engine.native.dropout import draw_seed, halves, is_seeded, smallest_kept
from anncestry.engine.native.dropout import dropout as drop
from anncestry.engine.native.library import address, kernel

LANES, WIDEST = 16, 256  # features of a head: a multiple of the first, at most the second
_NAMES = {torch.float32: "float", torch.bfloat16: "bfloat16"}
_FORWARD, _BACKWARD = "pppppppff", "ppppppppppppff"


def plain_attention(
    queries: Float[Tensor, "B h T d"],
    keys: Float[Tensor, "B h S d"],
    values: Float[Tensor, "B h S d"],
    visible: Bool[Tensor, "B 1 #T S"] | None = None,
    causal: bool = False,
    dropout: float = 0.0,
    seed: int | None = None,
) -> Float[Tensor, "B h T d"]:
    """Drop(softmax(Q K^T / sqrt(d))) V in three products over all heads and sequences.

    Args:
        seed: what dropout is made of; drawn where it is None.
    """
    batch, num_queries, size = queries.shape[:2], queries.shape[2], queries.shape[3]
    flat = [part.reshape(-1, *part.shape[2:]) for part in (queries, keys, values)]
    weights = drop(_scores(flat[0], flat[1], visible, causal, batch).softmax(-1), dropout, seed=seed)
    return torch.bmm(weights, flat[2]).view(*batch, num_queries, size)


def _scores(queries: Tensor, keys: Tensor, visible: Tensor | None, causal: bool, batch: torch.Size) -> Tensor:
    """(B h, T, S): Q K^T / sqrt(d), minus infinity where a key cannot be seen."""
    shape, scale = (queries.shape[1], keys.shape[1]), 1 / math.sqrt(queries.shape[2])
    if causal:
        visible = torch.ones(shape, dtype=torch.bool, device=queries.device).tril()
    if visible is None:
        return torch.bmm(queries * scale, keys.transpose(1, 2))
    hidden = torch.zeros_like(visible, dtype=queries.dtype).masked_fill_(~visible, -math.inf)
    if hidden.dim() > 2:
        hidden = hidden.expand(*batch, *shape).reshape(-1, *shape)
    return torch.baddbmm(hidden, queries, keys.transpose(1, 2), alpha=scale)


def can_train(queries: Tensor, keys: Tensor, values: Tensor) -> bool:
    """Whether the kernel takes these, and gradients are wanted of them: without, others are as fast."""
    wanted = torch.is_grad_enabled() and (queries.requires_grad or keys.requires_grad or values.requires_grad)
    if not wanted or queries.dtype not in _NAMES or not is_seeded(queries):
        return False
    size = queries.shape[3]
    alike = queries.dtype == keys.dtype == values.dtype and keys.shape == values.shape
    alike = alike and queries.shape[:2] == keys.shape[:2] and size == keys.shape[3]
    return (
        alike
        and size % LANES == 0
        and 0 < size <= WIDEST
        and keys.shape[2] > 0
        and kernel("attention_forward_float", _FORWARD) is not None
    )


def training_attention(
    queries: Float[Tensor, "B h T d"],
    keys: Float[Tensor, "B h S d"],
    values: Float[Tensor, "B h S d"],
    visible: Bool[Tensor, "B 1 #T S"] | None = None,
    causal: bool = False,
    dropout: float = 0.0,
) -> Float[Tensor, "B h T d"]:
    """`plain_attention` by the kernel, of what it `can_train`.

    Both masks may be given. The gradients can be differentiated again (by the plain twin).
    """
    seed = draw_seed() if dropout else 0
    arguments = (visible, causal, min(dropout, 1.0), seed)
    if dropout >= 1:
        return plain_attention(
            queries, keys, values, *_one_mask(queries, keys, visible, causal), dropout, seed
        )
    return _Attention.apply(*map(_rows_dense, (queries, keys, values)), *arguments)  # pyright: ignore[reportReturnType]


def _rows_dense(part: Tensor) -> Tensor:
    return part if part.stride(3) == 1 else part.contiguous()


def _one_mask(
    queries: Tensor, keys: Tensor, visible: Tensor | None, causal: bool
) -> tuple[Tensor | None, bool]:
    if visible is None or not causal:
        return visible, causal
    return visible & torch.ones(queries.shape[2], keys.shape[2], dtype=torch.bool).tril(), False


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, visible: Tensor | None, causal: bool, p: float, seed: int
    ):
        (batch, heads, num_queries, size), num_keys = q.shape, k.shape[2]
        if visible is not None:
            visible = visible.expand(batch, 1, visible.shape[2], num_keys).contiguous()
        out = _heads_inside(q)
        norms = torch.empty(batch, heads, num_queries)
        sizes = _sizes(q, k, v, out, out, visible, causal, p, seed)
        native: Any = kernel(f"attention_forward_{_NAMES[q.dtype]}", _FORWARD)
        kept = 1 / (1 - p)
        native(*map(address, (q, k, v, visible, out, norms)), sizes, 1 / math.sqrt(size), kept)
        ctx.save_for_backward(q, k, v, visible, out, norms)
        ctx.arguments = causal, p, seed
        return out

    @staticmethod
    def backward(ctx: Any, above: Tensor):  # pyright: ignore[reportIncompatibleMethodOverride]
        q, k, v, visible, out, norms = ctx.saved_tensors
        causal, p, seed = ctx.arguments
        if torch.is_grad_enabled():  # someone will differentiate the gradients
            found = plain_attention(q, k, v, *_one_mask(q, k, visible, causal), p, seed)
            return *torch.autograd.grad(found, (q, k, v), above, create_graph=True), None, None, None, None
        above = _rows_dense(above)
        of_q, of_k, of_v = map(_heads_inside, (q, k, v))
        sizes = _sizes(q, k, v, out, above, visible, causal, p, seed)
        of_keys = (ctypes.c_int64 * 3)(*of_k.stride()[:3])
        native: Any = kernel(f"attention_backward_{_NAMES[q.dtype]}", _BACKWARD)
        tensors = (q, k, v, visible, out, norms, above, of_q, of_k, of_v)
        native(*map(address, tensors), sizes, of_keys, 1 / math.sqrt(q.shape[3]), 1 / (1 - p))
        return of_q, of_k, of_v, None, None, None, None


def _heads_inside(like: Tensor) -> Tensor:
    """(B, h, T, d) that lies as (B, T, h, d): the heads of a position stand beside each other."""
    batch, heads, length, size = like.shape
    return like.new_empty(batch, length, heads, size).transpose(1, 2)


def _sizes(
    q: Tensor, k: Tensor, v: Tensor, out: Tensor, above: Tensor,
    visible: Tensor | None, causal: bool, p: float, seed: int,
) -> Any:  # fmt: skip
    """The struct Sizes of the kernel."""
    of_mask = (0, 0)
    if visible is not None:
        of_mask = visible.stride(0), visible.stride(2) if visible.shape[2] > 1 else 0
    shape = (*q.shape[:3], k.shape[2], q.shape[3])
    strides = [stride for part in (q, k, v, out, above) for stride in part.stride()[:3]]
    numbers = (*shape, causal, *of_mask, smallest_kept(p), *halves(seed), torch.get_num_threads(), *strides)
    return (ctypes.c_int64 * len(numbers))(*numbers)
