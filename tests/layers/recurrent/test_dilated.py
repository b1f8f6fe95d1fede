"""Dilated, skip and fusing wirings against their loops, step by step, in double precision."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anncestry.errors import UserError
from anncestry.layers.recurrent.cell_variants import FGRCell
from anncestry.layers.recurrent.cells import ElmanCell, GRUCell, LSTMCell
from anncestry.layers.recurrent.dilated import Dilated, Fusing, Skip, exponential
from anncestry.layers.recurrent.wirings import Stacked
from anncestry.protocols import flatten_state, map_state

D, H = 3, 4
CELLS = {"elman": ElmanCell, "lstm": LSTMCell, "gru": GRUCell, "fgr": FGRCell}
KINDS = {"dilated": Dilated, "skip": Skip}


def make(kind: str, cell: str, distance: int):
    return KINDS[kind](CELLS[cell](D, H), distance).double()


def some_state(wiring, batch_size: int):
    return map_state(torch.randn_like, wiring.initial_state(batch_size))


def naive(wiring, x, state):
    """The definition: one step after the other."""
    outputs = []
    for t in range(x.shape[1]):
        y_t, state = wiring.step(x[:, t], state)
        outputs.append(y_t)
    return torch.stack(outputs, 1), state


def assert_states_equal(one, other):
    for a, b in zip(flatten_state(one), flatten_state(other), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cell", CELLS)
@settings(max_examples=12, deadline=None)
@given(
    distance=st.integers(1, 6),
    num_steps=st.integers(1, 17),
    batch_size=st.integers(1, 3),
    seed=st.integers(0, 9),
)
def test_forward_is_the_loop_with_its_gradients(kind, cell, distance, num_steps, batch_size, seed):
    torch.manual_seed(seed)
    wiring = make(kind, cell, distance)
    x = torch.randn(batch_size, num_steps, D, dtype=torch.float64, requires_grad=True)
    state = some_state(wiring, batch_size)
    leaves = [part.requires_grad_() for part in flatten_state(state)]
    results = []
    for run in (wiring, lambda x, state: naive(wiring, x, state)):
        y, after = run(x, state)
        total = y.sin().sum() + sum(part.cos().sum() for part in flatten_state(after))
        gradients = torch.autograd.grad(total, [x, *leaves, *wiring.parameters()], allow_unused=True)
        results.append((y, after, gradients))
    (y, after, gradients), (y_loop, after_loop, gradients_loop) = results
    torch.testing.assert_close(y, y_loop, rtol=0, atol=1e-10)
    assert_states_equal(after, after_loop)
    for ours, loops in zip(gradients, gradients_loop, strict=True):
        assert (ours is None) == (loops is None)
        if ours is not None:
            torch.testing.assert_close(ours, loops, rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(1, 8), min_size=1, max_size=5), distance=st.integers(1, 5))
def test_windows_of_any_size_are_one_pass(kind, cuts, distance):
    torch.manual_seed(0)
    wiring = make(kind, "lstm", distance)
    x = torch.randn(2, sum(cuts), D, dtype=torch.float64)
    whole, end = wiring(x)
    state, parts = None, []
    for window in x.split(cuts, dim=1):
        y, state = wiring(window, state)
        parts.append(y)
    torch.testing.assert_close(torch.cat(parts, 1), whole, rtol=0, atol=1e-10)
    assert_states_equal(state, end)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cell", ["lstm", "fgr"])
@settings(max_examples=15, deadline=None)
@given(lengths=st.lists(st.integers(1, 11), min_size=1, max_size=4), distance=st.integers(1, 6))
def test_a_padded_batch_is_its_single_sequences(kind, cell, lengths, distance):
    torch.manual_seed(1)
    wiring = make(kind, cell, distance)
    x = torch.randn(len(lengths), max(lengths), D, dtype=torch.float64)
    for row, length in enumerate(lengths):
        x[row, length:] = float("nan")
    before = some_state(wiring, len(lengths))
    y, after = wiring(x, before, torch.tensor(lengths))
    y.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in wiring.parameters())
    for row, length in enumerate(lengths):
        alone, end = wiring(x[row : row + 1, :length], map_state(lambda t, row=row: t[row : row + 1], before))
        torch.testing.assert_close(y[row : row + 1, :length], alone, rtol=0, atol=1e-10)
        assert (y[row, length:] == 0).all()
        assert_states_equal(map_state(lambda t, row=row: t[row : row + 1], after), end)


@pytest.mark.parametrize("dilation", [1, 2, 4, 5])
def test_an_output_sees_every_dth_step_and_no_other(dilation):
    """Catches both a wrong lag and outputs put back in a wrong order."""
    wiring = make("dilated", "lstm", dilation)
    x = torch.randn(1, 17, D, dtype=torch.float64, requires_grad=True)
    y, _ = wiring(x)
    for t in range(17):
        (gradient,) = torch.autograd.grad(y[0, t].sum(), x, retain_graph=True)
        seen = {s for s in range(17) if gradient[0, s].abs().max() > 0}
        assert seen == set(range(t, -1, -dilation))


def test_the_memory_cell_is_carried_with_the_output():
    wiring = make("dilated", "lstm", 4)
    _, state = wiring(torch.randn(2, 9, D, dtype=torch.float64))
    assert state.h.shape == state.c.shape == (2, 4, H)
    assert not torch.allclose(state.h, state.c)


@settings(max_examples=20, deadline=None)
@given(width=st.integers(2, 4), num_steps=st.integers(1, 9))
def test_fusing_is_the_sum_of_the_last_outputs(width, num_steps):
    torch.manual_seed(2)
    fusing = Fusing(H, width).double()
    x = torch.randn(2, num_steps, H, dtype=torch.float64)
    y, state = fusing(x)
    for t in range(num_steps):
        # The kernel's last column belongs to the present step.
        terms = [x[:, t - j] @ fusing.weight[:, :, width - 1 - j].t() for j in range(min(width, t + 1))]
        torch.testing.assert_close(y[:, t], torch.stack(terms).sum(0))
    stepped, after = naive(fusing, x, fusing.initial_state(2))
    torch.testing.assert_close(stepped, y)
    torch.testing.assert_close(after, state)


def test_a_net_with_a_first_dilation_sees_every_step_once_it_is_fused():
    dilations = exponential(2, 2, 4)
    assert list(dilations) == [4, 8]
    layers = [Dilated(ElmanCell(H, H), dilation) for dilation in dilations]
    for wiring, gaps in ((Stacked(layers), True), (Stacked([*layers, Fusing(H, 4)]), False)):
        x = torch.randn(1, 24, H, requires_grad=True)
        y, _ = wiring(x)
        (gradient,) = torch.autograd.grad(y[0, -1].sum(), x)
        unseen = [s for s in range(24) if gradient[0, s].abs().max() == 0]
        assert bool(unseen) == gaps


@pytest.mark.wrong_shapes
@pytest.mark.parametrize("kind", KINDS)
def test_mistakes_are_named(kind):
    with pytest.raises(UserError, match="got 0; must be at least 1"):
        make(kind, "lstm", 0)
    wiring = make(kind, "lstm", 3)
    with pytest.raises(UserError, match="at least one step"):
        wiring(torch.zeros(2, 0, D, dtype=torch.float64))
    with pytest.raises(UserError, match="state: got 'of 5 rows'; must be that of this batch's 2 rows"):
        wiring(torch.zeros(2, 4, D, dtype=torch.float64), wiring.initial_state(5))
    with pytest.raises(UserError, match="lengths"):
        wiring(torch.zeros(2, 4, D, dtype=torch.float64), None, torch.tensor([4, 0]))
    with pytest.raises(UserError, match="lengths"):
        wiring(torch.zeros(2, 4, D, dtype=torch.float64), None, torch.tensor([4]))
