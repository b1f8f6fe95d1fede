import pytest
import torch
from torch import nn

from anncestry.engine.trained_linear import trained_linear


@pytest.mark.parametrize("shape", [(5,), (1, 5), (3, 5), (2, 4, 5), (0, 5)])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("of_x", [True, False])
def test_it_is_pytorchs_with_gradients_that_lie_as_the_weights_do(shape, bias, of_x):
    layer, x = nn.Linear(5, 7, bias), torch.randn(shape, requires_grad=of_x)
    wanted = layer(x)
    upstream = torch.randn_like(wanted)
    inputs = [*([x] if of_x else []), *layer.parameters()]
    found = trained_linear(x, layer.weight, layer.bias)
    assert torch.equal(found, wanted)
    for mine, other in zip(
        torch.autograd.grad(found, inputs, upstream),
        torch.autograd.grad(wanted, inputs, upstream),
        strict=True,
    ):
        torch.testing.assert_close(mine, other)
    trained_linear(x, layer.weight, layer.bias).backward(upstream)
    assert layer.weight.grad is not None
    assert layer.weight.grad.is_contiguous()


def test_gradients_of_gradients():
    x, weight = torch.randn(3, 4, requires_grad=True), torch.randn(2, 4, requires_grad=True)
    second = []
    for linear in (trained_linear, nn.functional.linear):
        first = torch.autograd.grad(linear(x, weight, None).pow(3).sum(), (x, weight), create_graph=True)
        second.append(torch.autograd.grad(sum(part.square().sum() for part in first), (x, weight)))
    for mine, other in zip(*second, strict=True):
        torch.testing.assert_close(mine, other)


def test_under_autocast_and_in_double_it_is_left_to_pytorch():
    x, weight = torch.randn(3, 4), torch.randn(2, 4, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        assert trained_linear(x, weight, None).dtype == torch.bfloat16
    assert trained_linear(x.double(), weight.double(), None).dtype == torch.float64
