"""Products of 8-bit integers against the numbers they stand for."""

import pytest
import torch

from anncestry.engine import packed
from anncestry.engine.int8 import Int8Weight, int8_works
from anncestry.engine.keeping import keeping
from anncestry.engine.packed import linear

needs_int8 = pytest.mark.skipif(not int8_works(), reason="this PyTorch or processor has no such products")


def by_hand(x, weight, bias):
    """Each row of both rounded to integers of at most 127, in float64."""
    steps = [part.double().abs().amax(1, keepdim=True).clamp(min=1e-30) / 127 for part in (x, weight)]
    whole = [(part.double() / step).round() for part, step in zip((x, weight), steps, strict=True)]
    return whole[0] @ whole[1].t() * steps[0] * steps[1].t() + bias


@needs_int8
def test_it_is_the_product_of_the_rounded_numbers():
    x, weight, bias = torch.randn(7, 96), torch.randn(40, 96), torch.randn(40)
    x[2] *= 1e-3
    x[3] *= 100  # a row with a scale of its own
    x[4] = 0
    found = Int8Weight(weight)(x, bias)
    torch.testing.assert_close(found.double(), by_hand(x, weight, bias), atol=1e-3, rtol=1e-4)
    exact = x.double() @ weight.double().t()
    error = (found.double() - bias - exact).norm(dim=1) / exact.norm(dim=1).clamp(min=1e-9)
    assert error[[0, 1, 2, 3, 5, 6]].max() < 0.02
    assert torch.equal(found[4], bias)


@needs_int8
def test_any_leading_axes_no_bias_and_bfloat16():
    x, weight = torch.randn(2, 3, 64), torch.randn(32, 64)
    product = Int8Weight(weight)
    torch.testing.assert_close(product(x).flatten(0, 1), product(x.flatten(0, 1)))
    rounded = product(x.bfloat16())
    assert rounded.dtype == torch.bfloat16
    torch.testing.assert_close(rounded.float(), product(x), atol=0.3, rtol=0.05)


@needs_int8
def test_it_is_used_where_it_was_asked_for_alone(monkeypatch):
    x, weight, bias = torch.randn(5, 600), torch.randn(500, 600), torch.randn(500)
    exact = torch.nn.functional.linear(x, weight, bias)
    used = []
    monkeypatch.setattr(packed, "Int8Weight", lambda weight: used.append(weight) or Int8Weight(weight))
    with torch.no_grad():
        with keeping():
            torch.testing.assert_close(linear(x, weight, bias), exact, atol=1e-4, rtol=1e-5)
            assert not used
        with keeping(int8=True):
            first, second = linear(x, weight, bias), linear(x, weight, bias)
            small = linear(x[:, :8], weight[:, :8], bias)
    assert len(used) == 1
    assert torch.equal(first, second)
    assert 0 < (first - exact).norm() / exact.norm() < 0.02
    torch.testing.assert_close(small, torch.nn.functional.linear(x[:, :8], weight[:, :8], bias))
    with keeping(int8=True):  # with gradients nothing is rounded
        torch.testing.assert_close(linear(x, weight.requires_grad_(), bias), exact, atol=1e-4, rtol=1e-5)


def test_without_the_operators_nothing_is_rounded(monkeypatch):
    x, weight = torch.randn(5, 600), torch.randn(500, 600)
    monkeypatch.setattr(packed, "int8_works", lambda: False)
    with torch.no_grad(), keeping(int8=True):
        torch.testing.assert_close(linear(x, weight), x @ weight.t(), atol=1e-4, rtol=1e-5)
