"""The kernel's attention and its gradients are the plain twin's, with the same weights dropped."""

import pytest
import torch

from anncestry.engine.native.library import kernel
from anncestry.engine.native.training_attention import can_train, plain_attention, training_attention

SHAPES = [(1, 1, 1, 1, 16), (2, 3, 7, 7, 16), (2, 2, 65, 65, 48), (1, 2, 24, 130, 32), (2, 1, 50, 33, 80)]


def found_by(attention, parts, upstream):
    parts = [part.detach().clone().requires_grad_() for part in parts]
    torch.manual_seed(11)
    out = attention(*parts)
    return [out.detach(), *torch.autograd.grad(out, parts, upstream)]


def masks(batch, queries, keys):
    visible = torch.rand(batch, 1, queries, keys) < 0.6
    visible[..., 0] = True
    return {"none": None, "keys": visible[:, :, :1], "all": visible}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("mask", ["none", "keys", "all"])
def test_it_is_the_plain_one(instructions, shape, dropout, causal, mask):
    torch.manual_seed(0)
    batch, heads, queries, keys, size = shape
    parts = [torch.randn(batch, length, heads, size).transpose(1, 2) for length in (queries, keys, keys)]
    upstream = torch.randn(batch, heads, queries, size)
    visible = masks(batch, queries, keys)[mask]
    shown = visible
    if causal and visible is not None:
        shown = visible & torch.ones(queries, keys, dtype=torch.bool).tril()
    both = causal and visible is None
    if not can_train(*[part.requires_grad_() for part in parts]):
        assert instructions == "0"
        return
    wanted = found_by(lambda *parts: plain_attention(*parts, shown, both, dropout), parts, upstream)
    for threads in (1, 2):
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            found = found_by(lambda *p: training_attention(*p, visible, causal, dropout), parts, upstream)
        finally:
            torch.set_num_threads(before)
        for mine, plain in zip(found, wanted, strict=True):
            torch.testing.assert_close(mine, plain, atol=2e-5, rtol=2e-5)


def test_in_bfloat16_it_is_nearer_to_the_exact_than_the_plain_one(instructions):
    parts = [torch.randn(2, 4, 70, 32).bfloat16().requires_grad_() for _ in range(3)]
    upstream = torch.randn(2, 4, 70, 32).bfloat16()
    if not can_train(*parts):
        return
    run = [
        lambda *p: training_attention(*p, None, True, 0.2),
        lambda *p: plain_attention(*p, None, True, 0.2),
    ]
    found, plain = (found_by(attention, parts, upstream) for attention in run)
    exact = found_by(run[1], [part.float() for part in parts], upstream.float())
    for mine, other, wanted in zip(found, plain, exact, strict=True):
        assert mine.dtype == torch.bfloat16
        assert (mine.float() - wanted).norm() <= 1.1 * (other.float() - wanted).norm()
        assert (mine.float() - wanted).norm() < 0.01 * wanted.norm()


def test_long_texts_and_large_scores(instructions):
    parts = [30 * torch.randn(1, 1, 600, 16).requires_grad_() for _ in range(3)]
    parts = [part.detach().requires_grad_() for part in parts]
    if not can_train(*parts):
        return
    upstream = torch.randn(1, 1, 600, 16)
    wanted = found_by(lambda *p: plain_attention(*p, None, True, 0.1), parts, upstream)
    found = found_by(lambda *p: training_attention(*p, None, True, 0.1), parts, upstream)
    for mine, plain in zip(found, wanted, strict=True):
        assert (mine - plain).norm() < 1e-4 * plain.norm()


def test_gradients_of_gradients(instructions):
    parts = [torch.randn(1, 2, 5, 16, requires_grad=True) for _ in range(3)]
    if not can_train(*parts):
        return

    def second(attention):
        torch.manual_seed(3)
        first = torch.autograd.grad(
            attention(*parts, None, True, 0.2).square().sum(), parts, create_graph=True
        )
        return torch.autograd.grad(sum(part.square().sum() for part in first), parts)

    for mine, plain in zip(second(training_attention), second(plain_attention), strict=True):
        torch.testing.assert_close(mine, plain, atol=1e-3, rtol=1e-3)


def test_what_it_leaves_to_others(instructions):
    good = torch.randn(1, 1, 4, 16, requires_grad=True)
    assert can_train(good, good, good) == (instructions != "0")
    with torch.no_grad():
        assert not can_train(good, good, good)
    for other in (good.double(), good[..., :15], good.to("meta"), good[:, :, :0]):
        assert not can_train(other, other, other)


def test_only_tensors_that_fit_each_other_are_the_kernels():
    queries, keys = torch.randn(2, 3, 5, 16, requires_grad=True), torch.randn(2, 3, 7, 16)
    if kernel("attention_forward_float", "pppppppff") is None:
        pytest.skip("there are no kernels")
    assert can_train(queries, keys, keys)
    assert not can_train(queries, keys, keys[:, :, :6])
    assert not can_train(queries, keys[:1], keys[:1])
    assert not can_train(queries, *2 * [torch.randn(2, 3, 7, 32)])
