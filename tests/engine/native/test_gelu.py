import pytest
import torch

from anncestry.engine.native.gelu import gelu_tanh, plain_gelu_tanh


def with_gradient(function, x, upstream):
    x = x.detach().requires_grad_()
    y = function(x)
    return y.detach(), torch.autograd.grad(y, x, upstream)[0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(0,), (1,), (3, 7, 33), (300, 257)])
@pytest.mark.parametrize("threads", [1, 2])
def test_it_is_the_plain_one(instructions, dtype, shape, threads):
    x, upstream = (4 * torch.randn(2, *shape)).to(dtype)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = with_gradient(gelu_tanh, x, upstream)
    finally:
        torch.set_num_threads(before)
    exact = with_gradient(plain_gelu_tanh, x.double(), upstream.double())
    tolerance = 3e-5 if dtype == torch.float32 else 2e-2
    for mine, wanted in zip(found, exact, strict=True):
        assert mine.dtype == dtype
        torch.testing.assert_close(mine.double(), wanted, atol=tolerance, rtol=tolerance)


def test_far_from_zero(instructions):
    x = torch.tensor([-900.0, -200.0, -20.0, -0.0, 0.0, 20.0, 200.0, 900.0, float("nan")] * 4)
    found, plain = (
        with_gradient(function, x, torch.ones_like(x)) for function in (gelu_tanh, plain_gelu_tanh)
    )
    assert found[0][8].isnan()
    assert plain[0][8].isnan()
    for mine in found:
        assert mine[:8].isfinite().all()
    torch.testing.assert_close(found[0][:8], plain[0][:8], atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(found[1][1:7], plain[1][1:7], atol=1e-6, rtol=1e-6)


def test_strided_inputs_other_types_and_gradients_of_gradients(instructions):
    x = torch.randn(6, 8, dtype=torch.float64).t().requires_grad_()
    assert torch.equal(gelu_tanh(x), plain_gelu_tanh(x))
    x, second = torch.randn(5, requires_grad=True), []
    for function in (gelu_tanh, plain_gelu_tanh):
        (first,) = torch.autograd.grad(function(x).square().sum(), x, create_graph=True)
        second.append(torch.autograd.grad(first.square().sum(), x)[0])
    torch.testing.assert_close(*second, atol=1e-4, rtol=1e-4)
