"""Fast float32 is still float32."""

import torch

from anncestry.engine.precision import fast_float32, medium_is_float32


def test_products_keep_float32_accuracy_and_the_setting_is_put_back():
    before = torch.get_float32_matmul_precision()
    a, b = torch.randn(300, 200), torch.randn(200, 100)
    with fast_float32(torch.device("cpu")):
        error = ((a @ b).double() - a.double() @ b.double()).abs().max()
    assert error < 1e-4
    assert torch.get_float32_matmul_precision() == before


def test_the_probe_leaves_the_setting():
    before = torch.get_float32_matmul_precision()
    medium_is_float32.cache_clear()
    medium_is_float32()
    assert torch.get_float32_matmul_precision() == before
