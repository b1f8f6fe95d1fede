import pytest
import torch

from anncestry.engine.native.batch_norm import (
    column_statistics,
    norm_relu,
    plain_column_statistics,
    plain_norm_relu,
    plain_relu_back,
    plain_relu_sums,
    relu_back,
    relu_sums,
)

SHAPES = [(1, 1), (3, 7), (700, 65), (1000, 33), (64, 300)]


@pytest.fixture(params=[1, 2])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=[torch.float32, torch.bfloat16, torch.float64])
def dtype(request):
    return request.param


def close(found, wanted, dtype):
    """Against float64; the plain operators round a and b to bfloat16, which moves a few edges."""
    tolerance = {torch.float32: 2e-5, torch.bfloat16: 6e-2, torch.float64: 1e-10}[dtype]
    assert found.shape == wanted.shape
    error = (found.double() - wanted).norm()
    assert error <= tolerance * (wanted.norm() + 1e-3), (float(error), float(wanted.norm()))


def given(shape, dtype, apart=True):
    """g, x, a, b, slope, level; of x the rows lie apart."""
    rows, columns = shape
    g, x = torch.randn(shape).to(dtype), torch.randn(rows, columns + 3 * apart).to(dtype)[:, :columns]
    wide = torch.promote_types(dtype, torch.float32)
    return g, x, *torch.randn(4, columns).to(wide)


@pytest.mark.parametrize("shape", SHAPES)
@torch.no_grad()
def test_statistics(instructions, threads, dtype, shape):
    x = given(shape, dtype)[1] + torch.linspace(-30, 30, shape[1]).to(dtype)
    mean, variance = column_statistics(x)
    close(mean, x.double().mean(0), dtype)
    close(variance, x.double().var(0, unbiased=False), dtype)


@torch.no_grad()
def test_a_large_mean_costs_the_variance_no_digits(instructions):
    x = torch.randn(5000, 3) + 1000
    torch.testing.assert_close(
        column_statistics(x)[1].double(), x.double().var(0, unbiased=False), rtol=1e-4, atol=0
    )


@pytest.mark.parametrize("shape", [(0, 4), *SHAPES])
@torch.no_grad()
def test_forth(instructions, threads, dtype, shape):
    _, x, a, b, *_ = given(shape, dtype)
    close(norm_relu(x, a, b), plain_norm_relu(x.double(), a.double(), b.double()), dtype)


@pytest.mark.parametrize("shape", [(0, 4), *SHAPES])
@pytest.mark.parametrize("apart", [True, False])
@torch.no_grad()
def test_back(instructions, threads, dtype, shape, apart):
    g, x, a, b, slope, level = given(shape, dtype, apart)
    exact = [part.double() for part in (g, x, a, b, slope, level)]
    into = torch.randn(shape[0], shape[1] + 5).to(dtype)
    before = into.clone()
    wanted_into = into[:, : shape[1]].double()
    wanted = plain_relu_sums(*exact[:4], wanted_into)
    for found in (relu_sums(g, x, a, b), relu_sums(g, x, a, b, into[:, : shape[1]])):
        for sums, of in zip(found, wanted, strict=True):
            close(sums, of, dtype)
    close(into[:, : shape[1]], wanted_into, dtype)
    assert torch.equal(into[:, shape[1] :], before[:, shape[1] :])
    close(relu_back(g, x, a, b, slope, level), plain_relu_back(*exact), dtype)


@torch.no_grad()
def test_columns_apart_are_plain(instructions):
    g, x, a, b, slope, level = given((40, 6), torch.float32)
    apart = torch.empty(6, 40).t().copy_(x)
    for found, wanted in (
        (column_statistics(apart), plain_column_statistics(x)),
        ((norm_relu(apart, a, b),), (plain_norm_relu(x, a, b),)),
        (relu_sums(g, apart, a, b), plain_relu_sums(g, x, a, b)),
        (
            (relu_back(g.t().contiguous().t(), x, a, b, slope, level),),
            (plain_relu_back(g, x, a, b, slope, level),),
        ),
    ):
        torch.testing.assert_close(found, wanted)
