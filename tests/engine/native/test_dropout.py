"""The kernel drops what its plain twin drops, and both do so as dropout should."""

import pytest
import torch

from anncestry.engine.native.dropout import (
    dropout,
    kept_numbers,
    masks_of_pytorch,
    plain_dropout,
    seeded_dropout,
)

MANY, LARGE_SEED = 1_000_000, 0x7EDCBA9876543210


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64, torch.float16])
@pytest.mark.parametrize("shape", [(0,), (1,), (5,), (3, 7, 33), (2, 0, 4), (70_001,), (2, 512, 64)])
@pytest.mark.parametrize("threads", [1, 2])
def test_it_is_the_plain_one_to_the_bit(instructions, dtype, shape, threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        x, added = torch.randn(2, *shape).to(dtype)
        for p in (0.1, 0.5, 0.99):
            for more in (None, added):
                found = seeded_dropout(x, more, p, LARGE_SEED)
                assert found.dtype == dtype
                assert torch.equal(found, plain_dropout(x, more, p, LARGE_SEED))
    finally:
        torch.set_num_threads(before)


def test_numbers_that_are_none_and_strided_ones(instructions):
    x = torch.tensor([float("inf"), float("nan"), -0.0] * 700)[::2]
    found = seeded_dropout(x, None, 0.5, 3)
    assert torch.equal(found.nan_to_num(7.0), plain_dropout(x.contiguous(), None, 0.5, 3).nan_to_num(7.0))
    assert (found == 0).any()
    assert found.isnan().any()
    assert found.isinf().any()


def test_channels_that_lie_last_stay_there(instructions):
    x = torch.randn(2, 6, 5, 4).to(memory_format=torch.channels_last).requires_grad_()
    torch.manual_seed(1)
    y = dropout(x, 0.5, x)
    assert y.is_contiguous(memory_format=torch.channels_last)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    kept = (y - x).detach() != 0
    torch.testing.assert_close(gradient, 1 + 2.0 * kept)


@pytest.mark.parametrize("p", [0.001, 0.1, 0.5, 0.9])
def test_the_rate_is_right_to_a_thousandth(instructions, p):
    torch.manual_seed(0)
    x = torch.ones(MANY)
    found = dropout(x, p)
    assert abs((found == 0).float().mean().item() - p) < 1e-3
    assert set(found.unique().tolist()) == {0.0, torch.tensor(1 / (1 - p)).item()}
    assert abs(found.mean().item() - 1) < 4 * (p / (1 - p) / MANY) ** 0.5 + 2e-5


def correlation(a, b):
    a, b = a.double() - a.double().mean(), b.double() - b.double().mean()
    return ((a * b).mean() / (a.square().mean() * b.square().mean()).sqrt()).item()


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_numbers_rows_and_calls_are_independent(p):
    kept = kept_numbers(MANY, p, 5).float()
    bound = 5 / MANY**0.5
    for distance in (1, 2, 3, 8, 64, 384, 512, 4096, 65536):
        assert abs(correlation(kept[distance:], kept[:-distance])) < bound, distance
    for seed in (6, 4, 5 + 2**32, 5 + 2**62, 2**31 + 5):  # near seeds too
        other = kept_numbers(MANY, p, seed).float()
        for shift in (0, 1, 2, 1024):
            assert abs(correlation(kept[shift:], other[: MANY - shift])) < bound, (seed, shift)
    rows = kept.view(1000, 1000)
    spread = rows.mean(1).var() / (p * (1 - p) / 1000)
    assert 0.8 < spread < 1.2
    assert 0.8 < rows.mean(0).var() / (p * (1 - p) / 1000) < 1.2


def test_every_bit_of_the_seed_counts():
    first = kept_numbers(4096, 0.5, 0)
    for bit in range(63):
        share = (kept_numbers(4096, 0.5, 1 << bit) == first).float().mean().item()
        assert 0.45 < share < 0.55, bit


def test_one_number_is_drawn_a_call_and_the_seed_decides(instructions):
    x = torch.randn(3, 40)
    torch.manual_seed(3)
    state = torch.get_rng_state()
    first, second = dropout(x, 0.5), dropout(x, 0.5)
    after = torch.rand(())
    assert not torch.equal(first, second)
    torch.set_rng_state(state)
    assert torch.equal(dropout(x, 0.5), first)
    assert torch.equal(dropout(torch.randn(0), 0.5), torch.randn(0))  # of any size, one number
    torch.set_rng_state(state)
    assert torch.equal(dropout(x, 0.5), first)
    assert torch.equal(dropout(x, 0.5), second)
    assert torch.equal(torch.rand(()), after)


def test_the_gradient_is_the_mask(instructions):
    x, added = torch.randn(5, 33, requires_grad=True), torch.randn(5, 33, requires_grad=True)
    y = dropout(x, 0.25, added)
    upstream = torch.randn(33, 5).t()
    of_x, of_added = torch.autograd.grad(y, (x, added), upstream)
    scale = torch.where((y - added).detach() == 0, 0.0, 1 / 0.75)
    torch.testing.assert_close(of_x, upstream * scale)
    assert torch.equal(of_added, upstream)


def test_gradients_of_gradients():
    x = torch.randn(4, 6, dtype=torch.float64, requires_grad=True)

    def seeded(x):
        torch.manual_seed(7)
        return dropout(x, 0.5).square()

    assert torch.autograd.gradcheck(seeded, (x,))
    assert torch.autograd.gradgradcheck(seeded, (x,))


def test_none_and_all():
    x = torch.randn(8)
    assert dropout(x, 0.0) is x
    assert torch.equal(dropout(x, 0.0, x), 2 * x)
    assert torch.equal(dropout(x, 1.0, x), x)
    assert not dropout(x, 1.0).any()


def test_elsewhere_it_is_pytorchs(instructions):
    assert dropout(torch.empty(3, device="meta"), 0.5).device.type == "meta"
    of_each = torch.func.vmap(lambda row: dropout(row, 0.5), randomness="different")(torch.ones(4, 64))
    assert 0 < (of_each == 0).float().mean() < 1
    compiled = torch.compile(lambda x: dropout(x, 0.5), backend="eager", fullgraph=True)
    assert set(compiled(torch.ones(64)).unique().tolist()) == {0.0, 2.0}


def test_a_run_that_began_with_pytorchs_masks_goes_on_with_them(instructions):
    x = torch.randn(40)
    torch.manual_seed(5)
    wanted = torch.nn.functional.dropout(x, 0.5)
    for own in (True, False):
        torch.manual_seed(5)
        with masks_of_pytorch(own):
            assert torch.equal(dropout(x, 0.5), wanted) == own


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # what PyTorch's forward mode imports
def test_tangents_pass_through_pytorchs_own():
    ad = torch.autograd.forward_ad
    with ad.dual_level():
        x = ad.make_dual(torch.ones(50), torch.full((50,), 3.0))
        y, tangent = ad.unpack_dual(dropout(x, 0.5))
    assert tangent is not None
    assert torch.equal(tangent, 3 * y)
