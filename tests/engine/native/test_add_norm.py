import pytest
import torch

from anncestry.engine.native.add_norm import WIDEST, add_norm, plain_add_norm


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(0, 5), (1, 1), (3, 7, 33), (700, 65), (2, WIDEST + 1), (2, WIDEST)])
@pytest.mark.parametrize("threads", [1, 2])
@torch.no_grad()
def test_it_is_the_plain_one(instructions, dtype, shape, threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        x, y = torch.randn(2, *shape, dtype=dtype)
        gain, shift = torch.randn(2, shape[-1], dtype=dtype)
        found = add_norm(x, y, gain, shift, 1e-5)
    finally:
        torch.set_num_threads(before)
    wanted = plain_add_norm(x.float(), y.float(), gain.float(), shift.float(), 1e-5)
    assert found.dtype == dtype
    tolerance = 1e-5 if dtype == torch.float32 else 3e-2
    torch.testing.assert_close(found.float(), wanted, atol=tolerance, rtol=tolerance)


@torch.no_grad()
def test_rows_that_are_not_dense(instructions):
    x, y = torch.randn(6, 40)[:, ::2], torch.randn(20, 6).t()
    gain, shift = torch.randn(2, 20)
    torch.testing.assert_close(add_norm(x, y, gain, shift, 1e-5), plain_add_norm(x, y, gain, shift, 1e-5))


def test_with_gradients_the_plain_one_runs(instructions):
    x = torch.randn(2, 8, requires_grad=True)
    add_norm(x, x, torch.ones(8), torch.zeros(8), 1e-5).sum().backward()
    assert x.grad is not None


@pytest.mark.wrong_shapes
@torch.no_grad()
def test_a_norm_without_a_shift_or_of_another_width(instructions):
    x, gain = torch.randn(3, 8), torch.rand(8)
    found = add_norm(x, x, gain, None, 1e-5)
    torch.testing.assert_close(found, torch.nn.functional.layer_norm(2 * x, (8,), gain))
    with pytest.raises(RuntimeError):
        add_norm(x, x, gain[:4].clone(), gain[:4].clone(), 1e-5)
