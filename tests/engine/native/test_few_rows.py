import pytest
import torch

from anncestry.engine import packed
from anncestry.engine.native import few_rows
from anncestry.engine.native.activations import CODES
from anncestry.engine.native.few_rows import (
    MOST,
    few_rows_linear,
    plain_few_rows_linear,
    takes_few_rows,
)
from anncestry.engine.weight_cache import caching_weights


def numbers(*sizes, dtype=torch.float32):
    random = torch.Generator().manual_seed(sum(sizes[0]))
    return [torch.randn(size, generator=random).to(dtype) for size in sizes]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rows", [0, *range(1, MOST + 2)])
@pytest.mark.parametrize(("columns", "width"), [(1, 1), (64, 16), (67, 5), (130, 301)])
@torch.no_grad()
def test_it_is_the_plain_one(instructions, monkeypatch, dtype, rows, columns, width):
    x, weight, bias = numbers((rows, width), (columns, width), (columns,), dtype=dtype)
    tolerance = 3e-5 if dtype == torch.float32 else 3e-2
    for sharing in (0, 2**60):
        monkeypatch.setattr(few_rows, "WORTH_SHARING", sharing)
        monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
        for added in (bias, None):
            found = few_rows_linear(x, weight, added)
            assert found.dtype == dtype
            wanted = plain_few_rows_linear(
                x.double(), weight.double(), None if added is None else added.double()
            )
            torch.testing.assert_close(found.double(), wanted, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("activation", CODES)
@torch.no_grad()
def test_activations(instructions, activation):
    x, weight, bias = torch.linspace(-9, 9, 300).view(3, 100), torch.eye(100), torch.linspace(-3, 3, 100)
    found = few_rows_linear(x, weight, bias, activation)
    torch.testing.assert_close(
        found, plain_few_rows_linear(x, weight, bias, activation), atol=2e-6, rtol=2e-6
    )


@torch.no_grad()
def test_what_is_not_dense(instructions):
    x, weight, bias = numbers((2, 30, 4), (80, 60), (160,))
    x, weight, bias = x.transpose(1, 2), weight[:, ::2], bias[::2]
    assert not takes_few_rows(x, weight)
    wanted = plain_few_rows_linear(x, weight, bias)
    torch.testing.assert_close(few_rows_linear(x, weight, bias), wanted, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(few_rows_linear(x, weight.contiguous(), bias), wanted, atol=1e-5, rtol=1e-5)


def test_with_gradients_the_plain_one_runs(instructions):
    x = torch.randn(2, 8, requires_grad=True)
    few_rows_linear(x, torch.ones(3, 8)).sum().backward()
    assert x.grad is not None


def test_predictions_use_it_for_few_rows(monkeypatch):
    seen = []
    monkeypatch.setattr(packed, "takes_few_rows", lambda x, weight: seen.append(len(x)))
    x, weight = numbers((3, 600), (500, 600))
    with torch.no_grad(), caching_weights():
        packed.linear(x, weight)
    packed.linear(x, weight)
    assert seen == [3]


@pytest.mark.wrong_shapes
def test_rows_of_another_width_are_refused(instructions):
    x, weight = torch.randn(2, 128), torch.randn(64, 32)
    with torch.no_grad(), pytest.raises(RuntimeError):
        few_rows_linear(x, weight)
