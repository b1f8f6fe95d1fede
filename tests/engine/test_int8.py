"""Products of 8-bit integers against the numbers they stand for."""

import pytest
import torch

from anncestry.engine import int8, packed
from anncestry.engine.int8 import Int8Weight, int8_kind, works
from anncestry.engine.int8_narrow import NarrowInt8Weight
from anncestry.engine.native.int8_linear import NativeInt8Weight
from anncestry.engine.packed import linear
from anncestry.engine.weight_cache import caching_weights

NONE = "this PyTorch or processor has no such products"
needs_int8 = pytest.mark.skipif(int8_kind() is None, reason=NONE)
each_kind = pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=pytest.mark.skipif(not works(kind), reason=NONE))
        for kind in (NativeInt8Weight, Int8Weight, NarrowInt8Weight)
    ],
)


def by_hand(x, weight, bias, kind):
    """Each row of both rounded to integers, in float64: the weight's of at most as many as the kind has, the
    input's of at most 127, or the kernel's of the 256 between its least and its largest number."""
    rows, columns = x.double(), weight.double()
    if kind is NativeInt8Weight:
        low, high = rows.amin(1, keepdim=True).clamp(max=0), rows.amax(1, keepdim=True).clamp(min=0)
        of_rows = (high - low).clamp(min=1e-30) / 255
        zero = (-low / of_rows).round()
        whole = (rows / of_rows + zero).round().clamp(0, 255) - zero
    else:
        of_rows = rows.abs().amax(1, keepdim=True).clamp(min=1e-30) / 127
        whole = (rows / of_rows).round()
    of_columns = columns.abs().amax(1, keepdim=True) / kind.largest
    return whole @ (columns / of_columns).round().t() * of_rows * of_columns.t() + bias


@each_kind
def test_it_is_the_product_of_the_rounded_numbers(kind):
    x, weight, bias = torch.randn(7, 96), torch.randn(40, 96), torch.randn(40)
    x[2] *= 1e-3
    x[3] *= 100  # a row with a scale of its own
    x[4] = 0
    found = kind(weight)(x, bias)
    wanted = by_hand(x, weight, bias, kind)
    torch.testing.assert_close(found.double(), wanted, atol=1e-3, rtol=1e-4)
    exact = x.double() @ weight.double().t()
    error = (found.double() - bias - exact).norm(dim=1) / exact.norm(dim=1).clamp(min=1e-9)
    assert error[[0, 1, 2, 3, 5, 6]].max() < 2.6 / kind.largest
    assert torch.equal(found[4], bias)


@each_kind
def test_the_largest_sums_are_exact(kind):
    """Where two products share 16 bits, they would be cut off."""
    x, weight = torch.ones(3, 512), torch.ones(16, 512)
    weight[8:] = -1
    torch.testing.assert_close(kind(weight)(x), x @ weight.t(), rtol=1e-6, atol=0)
    torch.testing.assert_close(kind(weight)(x[:1]), x[:1] @ weight.t(), rtol=1e-6, atol=0)


@each_kind
def test_a_row_alone_is_nearly_as_among_others(kind):
    x, weight, bias = torch.randn(4, 96), torch.randn(40, 96), torch.randn(40)
    x[1] = 0
    product = kind(weight)
    together = product(x, bias)
    for row in range(4):
        alone = product(x[row : row + 1], bias)
        gap = (alone - together[row]).norm() / (together[row] - bias).norm().clamp(min=1e-9)
        assert gap < 2.6 / kind.largest
    assert torch.equal(product(x[1]), torch.zeros(40))


@each_kind
def test_any_leading_axes_no_bias_and_bfloat16(kind):
    x, weight = torch.randn(2, 3, 64), torch.randn(32, 64)
    product = kind(weight)
    torch.testing.assert_close(product(x).flatten(0, 1), product(x.flatten(0, 1)))
    rounded = product(x.bfloat16())
    assert rounded.dtype == torch.bfloat16
    torch.testing.assert_close(rounded.float(), product(x), atol=0.3, rtol=0.05)


def test_the_first_that_works_is_taken(monkeypatch):
    for working, wanted in (
        ((0, 1, 2), NativeInt8Weight),
        ((1, 2), Int8Weight),
        ((2,), NarrowInt8Weight),
        ((), None),
    ):
        kinds = [(NativeInt8Weight, Int8Weight, NarrowInt8Weight)[place] for place in working]
        monkeypatch.setattr(int8, "works", lambda kind, kinds=kinds: kind in kinds)
        assert int8_kind.__wrapped__() is wanted


@needs_int8
def test_it_is_used_where_it_was_asked_for_alone(monkeypatch):
    x, weight, bias = torch.randn(5, 600), torch.randn(500, 600), torch.randn(500)
    exact = torch.nn.functional.linear(x, weight, bias)
    used = []
    kind = int8_kind()
    assert kind is not None
    monkeypatch.setattr(packed, "int8_kind", lambda: lambda weight: used.append(weight) or kind(weight))
    with torch.no_grad():
        with caching_weights():
            torch.testing.assert_close(linear(x, weight, bias), exact, atol=1e-4, rtol=1e-5)
            assert not used
        with caching_weights(int8=True):
            first, second = linear(x, weight, bias), linear(x, weight, bias)
            small = linear(x[:, :8], weight[:, :8], bias)
    assert len(used) == 1
    assert torch.equal(first, second)
    assert 0 < (first - exact).norm() / exact.norm() < 2.6 / kind.largest
    torch.testing.assert_close(small, torch.nn.functional.linear(x[:, :8], weight[:, :8], bias))
    with caching_weights(int8=True):  # with gradients nothing is rounded
        torch.testing.assert_close(linear(x, weight.requires_grad_(), bias), exact, atol=1e-4, rtol=1e-5)


def test_without_the_operators_nothing_is_rounded(monkeypatch):
    x, weight = torch.randn(5, 600), torch.randn(500, 600)
    monkeypatch.setattr(packed, "int8_kind", lambda: None)
    with torch.no_grad(), caching_weights(int8=True):
        torch.testing.assert_close(linear(x, weight), x @ weight.t(), atol=1e-4, rtol=1e-5)
