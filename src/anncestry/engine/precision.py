"""Float32 products on the fastest kernels that are still float32.

On AMD processors PyTorch's default float32 product uses half the vector width the chip has; asking for
"medium" precision takes other kernels (oneDNN's) with the same rounding. On processors with AMX, or on a
GPU, "medium" really computes in bfloat16, so the error is measured once before it is used.
"""

import functools
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@functools.cache
def medium_is_float32() -> bool:
    """Whether "medium" precision rounds like float32 on this processor: measured, not assumed."""
    random = torch.Generator().manual_seed(0)
    a, b = (torch.randn(256, 256, generator=random) for _ in range(2))
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        product = a @ b
    finally:
        torch.set_float32_matmul_precision(before)
    exact = a.double() @ b.double()
    return bool((product - exact).abs().max() / exact.abs().max() < 1e-6)


@contextmanager
def fast_float32(device: torch.device) -> Iterator[None]:
    """Within it, float32 products on the CPU take the fast kernels where these are exact enough."""
    before = torch.get_float32_matmul_precision()
    if device.type == "cpu" and medium_is_float32():
        torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
