import pytest
import torch

from anncestry.engine.native.activations import CODES
from anncestry.engine.native.int8_linear import WIDEST, NativeInt8Weight, plain_int8_linear
from anncestry.engine.native.library import kernel

NAME, ARGUMENTS = "int8_linear_float", "ppppppiiiii"


@pytest.fixture
def native():
    if kernel(NAME, ARGUMENTS) is None:
        pytest.skip("there is no such kernel here")


def test_without_the_kernel_it_is_refused(instructions):
    if kernel(NAME, ARGUMENTS) is None:
        with pytest.raises(RuntimeError, match="no kernel"):
            NativeInt8Weight(torch.ones(4, 4))
    else:
        assert instructions == "avx512"
        torch.testing.assert_close(
            NativeInt8Weight(torch.ones(4, 4))(torch.ones(2, 4)), torch.full((2, 4), 4.0)
        )


def check(found, wanted):
    """Equal but for numbers of a row on the brink between two integers, which may fall either way."""
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
    gap = (found.float() - wanted.float()).norm(dim=-1)
    tolerance = 1e-3 if found.dtype == torch.float32 else 3e-3  # a number of a bfloat16 row may round apart
    assert (gap <= tolerance * wanted.float().norm(dim=-1) + 1e-9).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rows", [0, 1, 2, 5, 6, 7, 13, 47, 48, 101])
@pytest.mark.parametrize(("columns", "width"), [(1, 1), (64, 4), (65, 7), (130, 301), (17, 4097)])
@torch.no_grad()
def test_it_is_the_plain_one(native, monkeypatch, dtype, rows, columns, width):
    random = torch.Generator().manual_seed(rows)
    x, weight, bias = (
        torch.randn(size, generator=random).to(dtype)
        for size in ((rows, width), (columns, width), (columns,))
    )
    x[1:] *= 1e-3
    x[2:] *= 1e5
    x[3:4] = 0
    product = NativeInt8Weight(weight)
    for count in (1, 2):
        monkeypatch.setattr("anncestry.engine.native.int8_linear.WORTH_SHARING", 0 if count == 2 else 2**60)
        check(product(x, bias), plain_int8_linear(x, weight, bias))
        check(product(x), plain_int8_linear(x, weight))


@pytest.mark.parametrize("activation", CODES)
@torch.no_grad()
def test_activations(native, activation):
    x, weight, bias = torch.linspace(-9, 9, 300).view(3, 100), torch.eye(100), torch.linspace(-3, 3, 100)
    found = NativeInt8Weight(weight)(x, bias, activation)
    torch.testing.assert_close(found, plain_int8_linear(x, weight, bias, activation), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_rows_that_are_not_dense(native):
    weight = torch.randn(40, 60)[:, ::2]
    x, bias = torch.randn(2, 30, 5).transpose(1, 2), torch.randn(80)[::2]
    check(NativeInt8Weight(weight)(x, bias), plain_int8_linear(x, weight, bias))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@torch.no_grad()
def test_what_is_no_number_is_not_hidden(native, bad):
    x = torch.randn(3, 70)
    x[1, 3] = bad
    found = NativeInt8Weight(torch.randn(9, 70))(x)
    assert found.isfinite().all(1).tolist() == [True, False, True]
    assert not found[1].isfinite().any()


@torch.no_grad()
def test_rows_too_wide_are_left_to_others(native):
    with pytest.raises(RuntimeError):
        NativeInt8Weight(torch.ones(1, WIDEST + 1))
    x, weight = torch.randn(30, WIDEST), torch.randn(3, WIDEST)
    check(NativeInt8Weight(weight)(x), plain_int8_linear(x, weight))
