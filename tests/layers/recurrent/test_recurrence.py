"""Recurrent products prepared for a whole sequence are the plain ones, in values and in every gradient."""

import pytest
import torch
from torch import nn

from anncestry.engine import packed
from anncestry.layers.recurrent import recurrence
from anncestry.layers.recurrent.recurrence import prepared, recur
from anncestry.layers.recurrent.registry import CELLS, make_cell
from anncestry.layers.recurrent.wirings import Bidirectional, Unrolled, unroll_naive
from anncestry.protocols import flatten_state, map_state

B, T, D, H = 3, 7, 4, 6


@pytest.fixture(autouse=True)
def prepare_all(monkeypatch):
    """Weights of any size are prepared."""
    monkeypatch.setattr(recurrence, "SMALLEST", 1)
    monkeypatch.setattr(packed, "SMALLEST", 1)


@pytest.mark.parametrize("name", CELLS)
def test_the_loop_is_the_naive_one_with_all_gradients(name):
    torch.manual_seed(0)
    cell = make_cell(name, D, H).double()
    x = torch.randn(B, T, D, dtype=torch.float64, requires_grad=True)
    state = map_state(lambda part: torch.randn_like(part).requires_grad_(), cell.initial_state(B))
    found = []
    for loop in (lambda: recurrence_loop(cell, x, state), lambda: unroll_naive(cell, x, state)):
        y, after = loop()
        total = y.sin().sum() + sum(part.cos().sum() for part in flatten_state(after))
        leaves = [x, *flatten_state(state), *cell.parameters()]
        gradients = torch.autograd.grad(total, leaves, allow_unused=True)
        found.append((y, *flatten_state(after), *gradients))
    for fast, slow in zip(*found, strict=True):
        if slow is not None:
            torch.testing.assert_close(fast, slow, rtol=0, atol=1e-10)


def recurrence_loop(cell, x, state):
    from anncestry.layers.recurrent.wirings import unroll

    return unroll(cell, x, state)


def test_contributions_are_really_collected(monkeypatch):
    taken = []
    take = recurrence.Contributions.take
    monkeypatch.setattr(
        recurrence.Contributions, "take", lambda self: taken.append(len(self.noted)) or take(self)
    )
    cell = make_cell("lstm-fgr", D, H)
    y, _ = recurrence_loop(cell, torch.randn(B, T, D), cell.initial_state(B))
    y.sum().backward()
    assert taken == [T, T]  # two recurrent weights, every step of each at once


def test_a_pass_that_asks_for_the_inputs_alone_leaves_nothing_behind():
    torch.manual_seed(1)
    cell = make_cell("lstm-vanilla", D, H).double()
    x = torch.randn(B, T, D, dtype=torch.float64, requires_grad=True)
    y, _ = recurrence_loop(cell, x, cell.initial_state(B))
    for t in (5, 2):  # parts of the sequence, several times, as an influence map does
        torch.autograd.grad(y[:, t].sum(), x, retain_graph=True)
    got = torch.autograd.grad(y.sum(), cell.weight_hh, retain_graph=True)[0]
    again = torch.autograd.grad(y.sum(), cell.weight_hh)[0]
    z, _ = unroll_naive(cell, x, cell.initial_state(B))
    expected = torch.autograd.grad(z.sum(), cell.weight_hh)[0]
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-10)
    torch.testing.assert_close(again, expected, rtol=0, atol=1e-10)


def test_a_cell_used_twice_gets_both_gradients():
    torch.manual_seed(2)
    cell = make_cell("lstm-cifg", D, H).double()
    both, x = Bidirectional(Unrolled(cell), Unrolled(cell)), torch.randn(B, T, D, dtype=torch.float64)
    both(x)[0].square().sum().backward()
    got = [parameter.grad for parameter in cell.parameters()]
    cell.zero_grad(set_to_none=True)
    ahead, _ = unroll_naive(cell, x, cell.initial_state(B))
    back, _ = unroll_naive(cell, x.flip(1), cell.initial_state(B))
    (ahead.square().sum() + back.square().sum()).backward()
    for ours, wanted in zip(got, cell.parameters(), strict=True):
        torch.testing.assert_close(ours, wanted.grad, rtol=0, atol=1e-10)


def test_a_second_derivative_is_refused():
    weight = torch.randn(H, H, requires_grad=True)
    h = torch.randn(B, H, requires_grad=True)
    with prepared(10):
        y = recur(h, weight)
    (first,) = torch.autograd.grad(y.square().sum(), h, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()


@pytest.mark.skipif(not packed.packing_works(), reason="this PyTorch has no packed products")
def test_without_gradients_weights_are_packed():
    torch.manual_seed(3)
    weight, h = nn.Parameter(torch.randn(2 * H, H)), torch.randn(B, H)
    for added in (None, torch.randn(B, 2 * H)):
        with torch.no_grad(), prepared(10):
            y = recur(h, weight, added)
            assert isinstance(next(iter(recurrence._loop.products.values())), packed.PackedWeight)
        torch.testing.assert_close(y, packed.plain_product(h, weight, added))


def test_short_loops_and_autocast_take_the_plain_product():
    weight, h = nn.Parameter(torch.randn(H, H)), torch.randn(B, H)
    with prepared(2):
        assert recur(h, weight).grad_fn.name() != "_StepBackward"  # pyright: ignore
    with prepared(10), torch.autocast("cpu", torch.bfloat16):
        recur(h, weight).sum().backward()
    with prepared(10):
        assert recur(h, weight).grad_fn.name() == "_StepBackward"  # pyright: ignore


def test_loops_nest_and_end():
    with prepared(10):
        outer = recurrence._loop.products
        with prepared(10):
            assert recurrence._loop.products is not outer
        assert recurrence._loop.products is outer
    assert recurrence._loop.products is None


def test_a_weight_made_anew_at_every_step_is_not_taken_for_the_last_one():
    torch.manual_seed(4)
    base, h = torch.randn(2 * H, H), torch.randn(B, H)
    with torch.no_grad(), prepared(10):
        for t in range(10):
            weight = base * (t + 1)
            torch.testing.assert_close(recur(h, weight), h @ base.t() * (t + 1))
            del weight  # its memory is free for the next one


def test_a_detached_weight_does_not_hide_the_real_one():
    weight, h = torch.randn(H, H, requires_grad=True), torch.randn(B, H)
    with prepared(10):
        recur(h, weight.detach())
        recur(h, weight).sum().backward()
    torch.testing.assert_close(weight.grad, h.sum(0).expand(H, H))


def test_function_transforms_take_the_plain_product():
    weights, h = torch.randn(2, H, H), torch.randn(B, H)

    def total(weight):
        with prepared(10):
            return recur(h, weight).sum()

    torch.testing.assert_close(torch.vmap(total)(weights), torch.stack([total(w) for w in weights]))
    torch.testing.assert_close(torch.func.grad(total)(weights[0]), h.sum(0).expand(H, H))
