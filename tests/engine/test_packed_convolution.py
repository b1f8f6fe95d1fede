"""Packed kernels of convolutions and 1x1 products, held against the plain ones."""

import pytest
import torch

from anncestry.engine import packed_convolution as packed
from anncestry.engine.packed_convolution import (
    PackedConvolution,
    convolution_packing_works,
    packed_or_plain_convolution,
    packed_or_plain_linear_relu,
)

needs_packing = pytest.mark.skipif(not convolution_packing_works(), reason="this PyTorch packs no kernels")


@pytest.mark.parametrize("works", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_packed_or_plain_it_is_the_same(monkeypatch, works, dtype):
    if not works:
        monkeypatch.setattr(packed, "convolution_packing_works", lambda dtype: False)
    kernels, weight, bias = torch.randn(6, 8, 3, 3), torch.randn(6, 8), torch.randn(6)
    convolve = packed_or_plain_convolution(kernels.to(dtype))
    relu = packed_or_plain_linear_relu(weight.to(dtype), bias.to(dtype))
    with torch.no_grad():
        for shape in ((2, 8, 5, 4), (1, 8, 1, 1), (7, 8, 9, 9)):  # other shapes than it was laid out for
            x = torch.randn(shape, dtype=dtype).to(memory_format=torch.channels_last)
            wanted = torch.conv2d(x.double(), kernels.double(), padding=1)
            torch.testing.assert_close(convolve(x).double(), wanted, rtol=1e-4, atol=1e-4)
            rows = x.permute(0, 2, 3, 1).reshape(-1, 8)
            wanted = (rows.double() @ weight.double().t() + bias.double()).relu()
            torch.testing.assert_close(relu(rows).double(), wanted, rtol=1e-4, atol=1e-4)


@needs_packing
def test_float32_on_this_processor_is_packed():
    assert isinstance(packed_or_plain_convolution(torch.randn(2, 2, 3, 3)), PackedConvolution)


@needs_packing
def test_a_wrong_kernel_is_not_relied_on(monkeypatch):
    monkeypatch.setattr(PackedConvolution, "__call__", lambda self, x: torch.zeros(len(x), 6, 5, 4))
    assert not convolution_packing_works.__wrapped__(torch.float32)
    assert not convolution_packing_works.__wrapped__(torch.bfloat16)


def test_a_type_that_the_processor_does_not_pack_is_computed_plainly(monkeypatch):
    monkeypatch.setattr(packed, "convolution_packing_works", lambda dtype: dtype == torch.float32)
    convolve = packed_or_plain_convolution(torch.randn(2, 2, 3, 3, dtype=torch.bfloat16))
    assert not isinstance(convolve, PackedConvolution)
