r"""Dropout from one drawn seed: :math:`x_i m_i / (1 - p)`, m hashed from the seed and from i.

PyTorch draws a random number for every one of x, one after the other on a CPU, and keeps the mask for the
backward pass. Here one number is drawn from PyTorch's generator for a call, so that seeds, snapshots and
resumed runs work as ever; what becomes of x is a function of it and of the place in memory, computed again
in the backward pass. Sixteen bits decide on a number: p is right to 2^-17. The kernel and its plain twin make
the same bits.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from anncestry.arrays import Bool, Float, Tensor
from anncestry.engine.native.library import address, kernel, threads_for

_NAMES = {torch.float32: "dropout_float", torch.bfloat16: "dropout_bfloat16"}
_KINDS = (*_NAMES, torch.float64, torch.float16)
_here = threading.local()


@contextmanager
def masks_of_pytorch(wanted: bool = True) -> Iterator[None]:
    """Within it dropout is PyTorch's own: a run that began with its masks goes on with them."""
    before = getattr(_here, "of_pytorch", False)
    _here.of_pytorch = wanted
    try:
        yield
    finally:
        _here.of_pytorch = before


def draw_seed() -> int:
    """63 random bits of PyTorch's generator."""
    return int(torch.empty((), dtype=torch.int64).random_())


def smallest_kept(p: float) -> int:
    """The smallest of 16 bits, read as a signed number, that keeps a number: p of them are below it."""
    return round(p * 65536) - 32768


def halves(seed: int) -> tuple[int, int]:
    """Two numbers of 32 bits made of a seed, of which the kernels take one at the start and one inside.

    They are spread first, so that seeds that are near each other have nothing in common.
    """
    spread = (seed ^ (seed >> 31)) * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF
    spread = (spread ^ (spread >> 29)) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
    return spread & 0xFFFFFFFF, spread >> 32


def kept_numbers(count: int, p: float, seed: int) -> Bool[Tensor, "N"]:
    """Which of so many numbers stay: the hash of dropout.cpp in PyTorch's integers."""
    low, high = (torch.tensor(half, dtype=torch.int64).to(torch.int32) for half in halves(seed))
    h = torch.arange((count + 1) // 2, dtype=torch.int32).bitwise_xor_(low)
    for shift, factor, more in ((17, 0xED5AD4BB, None), (11, 0xAC4C1B51, high), (15, 0x31848BAB, None)):
        h.bitwise_xor_((h >> shift).bitwise_and_((1 << (32 - shift)) - 1))
        if more is not None:
            h.add_(more)
        h.mul_(factor - 2**32 if factor >= 2**31 else factor)
    h.bitwise_xor_((h >> 14).bitwise_and_((1 << 18) - 1))
    return h.view(torch.int16)[:count] >= smallest_kept(p)


def plain_dropout(
    x: Float[Tensor, "*B"], added: Float[Tensor, "*B"] | None, p: float, seed: int
) -> Float[Tensor, "*B"]:
    """added + Drop(x) of a contiguous x; no gradients."""
    kept = kept_numbers(x.numel(), p, seed).view(x.shape)
    dropped = (x * (1 / (1 - p))).masked_fill_(~kept, 0.0)
    return dropped if added is None else added + dropped


def seeded_dropout(
    x: Float[Tensor, "*B"], added: Float[Tensor, "*B"] | None, p: float, seed: int
) -> Float[Tensor, "*B"]:
    """`plain_dropout` by the kernel, where it can; numbers count as they lie in memory; no gradients."""
    if not x.is_contiguous() and x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last):
        last = None if added is None else added.permute(0, 2, 3, 1)
        return seeded_dropout(x.permute(0, 2, 3, 1), last, p, seed).permute(0, 3, 1, 2)
    x = x.contiguous()
    native = kernel(_NAMES[x.dtype], "pppiifiii") if x.dtype in _NAMES else None
    if native is None or (added is not None and added.dtype != x.dtype):
        return plain_dropout(x, added, p, seed)
    added, out, count = None if added is None else added.contiguous(), torch.empty_like(x), x.numel()
    parts, (low, high) = (address(x), address(added), address(out)), halves(seed)
    native(*parts, count, smallest_kept(p), 1 / (1 - p), low, high, threads_for(count))
    return out


class _Dropout(torch.autograd.Function):
    """The gradient of Drop is Drop with the same seed."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, added: Tensor | None, p: float, seed: int) -> Tensor:
        ctx.p, ctx.seed, ctx.added = p, seed, added is not None
        ctx.channels_last = not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last)
        return seeded_dropout(x, added, p, seed)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor):  # pyright: ignore[reportIncompatibleMethodOverride]
        form = torch.channels_last if ctx.channels_last else torch.contiguous_format
        of_x = _Dropout.apply(gradient.contiguous(memory_format=form), None, ctx.p, ctx.seed)
        return of_x, gradient if ctx.added else None, None, None


def dropout(
    x: Float[Tensor, "*B"], p: float, added: Float[Tensor, "*B"] | None = None, seed: int | None = None
) -> Float[Tensor, "*B"]:
    """Zero each number with probability p and scale the others by 1 / (1 - p); then add ``added``.

    On a CPU from one seed (above); on other devices, without weights, and in what is compiled, exported or
    transformed, by PyTorch's own dropout.

    Args:
        p: 0 changes nothing.
        added: of the shape of x.
        seed: what it is made of; one is drawn where it is None.
    """
    if p == 0:
        return x if added is None else added + x
    if not is_seeded(x) or p >= 1 or (added is not None and added.shape != x.shape):
        dropped = torch.nn.functional.dropout(x, p)
        return dropped if added is None else added + dropped
    seed = draw_seed() if seed is None else seed
    if torch.is_grad_enabled() and (x.requires_grad or (added is not None and added.requires_grad)):
        return _Dropout.apply(x, added, p, seed)  # pyright: ignore[reportReturnType]
    return seeded_dropout(x, added, p, seed)


def is_seeded(x: Tensor) -> bool:
    """Whether dropout is made here: the numbers lie in this machine's memory, no one follows what is done to
    them, and no one wants PyTorch's masks."""
    return not getattr(_here, "of_pytorch", False) and x.dtype in _KINDS and is_plain(x)


def is_plain(x: Tensor) -> bool:
    """Whether a tensor's numbers lie in this machine's memory, and no one follows what is done to them."""
    followed = torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active()
    followed = followed or torch.autograd.forward_ad._current_level >= 0  # tangents
    plain = type(x) in (torch.Tensor, torch.nn.Parameter) and x.device.type == "cpu"
    return plain and not followed and not torch.jit.is_tracing()
