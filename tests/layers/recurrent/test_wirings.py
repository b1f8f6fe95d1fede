"""Every fast path against ``unroll_naive``, and every wiring against what it says it is."""

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from anncestry.errors import UserError
from anncestry.layers.recurrent.cells import ElmanCell, GRUCell, HiddenState, LSTMCell
from anncestry.layers.recurrent.wirings import (
    Bidirectional,
    Stacked,
    Unrolled,
    check_lengths,
    reverse,
    stack,
    unroll,
    unroll_naive,
    visible_steps,
)
from anncestry.protocols import flatten_state, map_state

CELLS = {
    "elman-tanh": lambda d, h: ElmanCell(d, h, "tanh"),
    "elman-relu": lambda d, h: ElmanCell(d, h, "relu"),
    "lstm": LSTMCell,
    "gru": GRUCell,
}
SIZES = {name: st.integers(1, 5) for name in ("batch_size", "num_steps", "input_size", "hidden_size")}
B, T, D, H = 4, 6, 3, 5
LENGTHS = torch.tensor([3, 6, 1, 4])  # unsorted, one full, one of a single step


def hoisted(cell, x, state, lengths=None):
    return unroll(cell, x, state, lengths)


def fused(cell, x, state, lengths=None):
    layer = Unrolled(cell)
    assert cell.fused(x, state) is not None
    return layer(x, state, lengths)


def values_and_gradients(run, cell, x, state):
    """Outputs, final state, and the gradients of x, the state before and every parameter."""
    x = x.clone().requires_grad_()
    state = map_state(lambda part: part.clone().requires_grad_(), state)
    y, after = run(cell, x, state)
    results = [y, *flatten_state(after)]
    weights = torch.Generator().manual_seed(1)
    score = sum(
        (part * torch.rand(part.shape, generator=weights, dtype=part.dtype)).sum() for part in results
    )
    wanted = [x, *flatten_state(state), *cell.parameters()]
    return [part.detach() for part in results] + list(torch.autograd.grad(score, wanted))


def assert_all_close(found, expected, tolerance=1e-10):
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=tolerance, rtol=0)


def make(name, input_size=D, hidden_size=H, seed=0):
    torch.manual_seed(seed)
    return CELLS[name](input_size, hidden_size).double()


def random_state(layer, batch_size):
    return map_state(torch.randn_like, layer.initial_state(batch_size))


@pytest.mark.parametrize("run", [hoisted, fused])
@pytest.mark.parametrize("name", CELLS)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 99), **SIZES)
def test_fast_paths_equal_the_naive_loop(name, run, seed, batch_size, num_steps, input_size, hidden_size):
    cell = make(name, input_size, hidden_size, seed)
    x, state = torch.randn(batch_size, num_steps, input_size).double(), random_state(cell, batch_size)
    expected = values_and_gradients(unroll_naive, cell, x, state)
    assert_all_close(values_and_gradients(run, cell, x, state), expected)


@pytest.mark.parametrize("run", [hoisted, fused])
@pytest.mark.parametrize("name", CELLS)
@settings(max_examples=6, deadline=None)
@given(data=st.data(), seed=st.integers(0, 99))
def test_with_lengths_each_row_is_its_own_sequence(name, run, data, seed):
    cell = make(name, seed=seed)
    lengths = data.draw(st.lists(st.integers(1, T), min_size=1, max_size=5))
    x = torch.randn(len(lengths), T, D).double()
    state = random_state(cell, len(lengths))
    inside = visible_steps(torch.tensor(lengths), T)
    x[~inside] = float("nan")
    x.requires_grad_()
    y, after = run(cell, x, state, torch.tensor(lengths))
    assert not y[~inside].any()
    gradient, *of_parameters = torch.autograd.grad(y.sum(), [x, *cell.parameters()])
    assert not gradient[~inside].any()
    assert all(part.isfinite().all() for part in of_parameters)
    sums = [torch.zeros_like(part) for part in of_parameters]
    for row, length in enumerate(lengths):
        alone = x[row : row + 1, :length].detach().requires_grad_()
        before = map_state(lambda part, row=row: part[row : row + 1], state)
        y_alone, after_alone = unroll_naive(cell, alone, before)
        assert_all_close([y[row : row + 1, :length]], [y_alone])
        found = [part[row : row + 1] for part in flatten_state(after)]
        assert_all_close(found, flatten_state(after_alone))
        row_gradient, *row_parameters = torch.autograd.grad(y_alone.sum(), [alone, *cell.parameters()])
        assert_all_close([gradient[row : row + 1, :length]], [row_gradient])
        sums = [total + part for total, part in zip(sums, row_parameters, strict=True)]
    assert_all_close(of_parameters, sums)


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_without_a_kernel_takes_the_loop(name, monkeypatch):
    layer = Unrolled(make(name))
    x = torch.randn(B, T, D).double()
    expected = [layer(x), layer(x, lengths=LENGTHS)]
    monkeypatch.setattr(type(layer.cell), "fused", lambda *arguments: None)
    for (y, state), (y_fused, state_fused) in zip([layer(x), layer(x, None, LENGTHS)], expected, strict=True):
        assert_all_close([y, *flatten_state(state)], [y_fused, *flatten_state(state_fused)])


@pytest.mark.parametrize("lengths", [[0, 6, 1, 4], [3, 7, 1, 4], [-1, 6, 1, 4]])
def test_lengths_out_of_range_are_refused(lengths):
    shown = re.escape(str(lengths))
    text = rf"lengths: got {shown}; every sequence has at least 1 step and at most T = 6"
    for layer in (Unrolled(make("lstm")), Bidirectional(Unrolled(make("gru")), Unrolled(make("gru")))):
        with pytest.raises(UserError, match=text):
            layer(torch.zeros(B, T, D).double(), None, torch.tensor(lengths))


def test_lengths_must_be_one_per_row_and_a_sequence_must_have_a_step():
    with pytest.raises(UserError, match=r"must be one per row of the batch \(4\)"):
        check_lengths(torch.tensor([1, 2]), B, T)
    with pytest.raises(UserError, match=r"x: got \(4, 0, 3\); a sequence has at least one step"):
        Unrolled(make("lstm"))(torch.zeros(B, 0, D).double())


def test_lengths_of_any_integer_type_and_an_empty_batch():
    layer, x = Unrolled(make("lstm")), torch.randn(B, T, D).double()
    for dtype in (torch.int32, torch.int16):
        assert torch.equal(layer(x, None, LENGTHS.to(dtype))[0], layer(x, None, LENGTHS)[0])
    assert layer(x[:0])[0].shape == (0, T, H)


def stacked(name, num_layers, dropout=0.0, input_size=D):
    torch.manual_seed(0)
    return stack(lambda size: Unrolled(CELLS[name](size, H)), input_size, num_layers, dropout).double()


def both_ways(name, num_layers=2):
    torch.manual_seed(0)

    def layer(size):
        return Bidirectional(Unrolled(CELLS[name](size, H)), Unrolled(CELLS[name](size, H)))

    return stack(layer, D, num_layers).double()


@pytest.mark.parametrize("name", CELLS)
def test_steps_equal_the_whole_pass(name):
    network, x = stacked(name, 3), torch.randn(B, T, D).double()
    state = random_state(network, B)
    y, after = network(x, state)
    outputs = []
    for t in range(T):
        y_t, state = network.step(x[:, t], state)
        outputs.append(y_t)
    assert_all_close([torch.stack(outputs, 1), *flatten_state(state)], [y, *flatten_state(after)])


@pytest.mark.parametrize("name", CELLS)
def test_a_state_handed_over_between_chunks_makes_one_pass(name):
    network, x = stacked(name, 2), torch.randn(B, T, D).double()
    y, after = network(x)
    first, state = network(x[:, :2])
    second, state = network(x[:, 2:], state)
    assert_all_close([torch.cat([first, second], 1), *flatten_state(state)], [y, *flatten_state(after)])


@pytest.mark.parametrize("name", CELLS)
def test_a_state_handed_over_behind_ragged_chunks(name):
    """Rows that ended keep their state, so the next chunk goes on from each row's own end."""
    network, x = stacked(name, 2), torch.randn(B, T, D).double()
    _, state = network(x, None, LENGTHS)
    y, _ = network(x[:, :2], state)
    for row, length in enumerate(LENGTHS.tolist()):
        expected, _ = network(torch.cat([x[row : row + 1, :length], x[row : row + 1, :2]], 1))
        assert_all_close([y[row : row + 1]], [expected[:, length:]])


def test_stacked_feeds_each_layer_the_outputs_of_the_one_below():
    network, x = stacked("lstm", 3), torch.randn(B, T, D).double()
    y, states = x, []
    for layer in network.layers:
        y, state = layer(y)
        states.append(state)
    found, after = network(x)
    assert torch.equal(found, y)
    assert [type(state).__name__ for state in after] == ["LSTMState"] * 3
    assert_all_close(flatten_state(after), flatten_state(tuple(states)), 0)
    assert (network.input_size, network.output_size) == (D, H)
    assert [layer.input_size for layer in network.layers] == [D, H, H]


class Watched(nn.Module):
    """Passes its inputs on and remembers them."""

    input_size = output_size = D

    def forward(self, x, state=None, lengths=None):
        self.seen = x
        return x, HiddenState(x[:, -1])

    def step(self, x_t, state):
        self.seen = x_t
        return x_t, HiddenState(x_t)


def test_dropout_acts_between_layers_alone():
    torch.manual_seed(0)
    network, x = Stacked([Watched(), Watched(), Watched()], dropout=0.5), torch.ones(20, 10, D)
    for run in (lambda: network(x)[0], lambda: network.step(x[:, 0], [None] * 3)[0]):
        network.train()
        y = run()
        first, second, third = (layer.seen for layer in network.layers)
        assert (first == 1).all()
        assert set(second.unique().tolist()) == {0.0, 2.0}
        assert set(third.unique().tolist()) == {0.0, 4.0}
        assert torch.equal(y, third)
        network.eval()
        assert (run() == 1).all()


@pytest.mark.parametrize("name", CELLS)
def test_bidirectional_reads_each_sequence_from_both_ends(name):
    layer, x = both_ways(name, 1).layers[0], torch.randn(B, T, D).double()
    inside = visible_steps(LENGTHS, T)
    x[~inside] = float("nan")
    y, (ahead, back) = layer(x, None, LENGTHS)
    assert layer.output_size == 2 * H
    assert not y[~inside].any()
    for row, length in enumerate(LENGTHS.tolist()):
        alone = x[row : row + 1, :length]
        zeros = layer.ahead.initial_state(1)
        forwards, after_ahead = unroll_naive(layer.ahead.cell, alone, zeros)
        backwards, after_back = unroll_naive(layer.back.cell, alone.flip(1), zeros)
        assert_all_close([y[row : row + 1, :length]], [torch.cat([forwards, backwards.flip(1)], 2)])
        for found, expected in ((ahead, after_ahead), (back, after_back)):
            assert_all_close((part[row : row + 1] for part in found), expected)


@pytest.mark.parametrize("name", CELLS)
def test_stacked_bidirectional_with_lengths_and_nan_in_the_padding(name):
    network, x = both_ways(name), torch.randn(B, T, D).double()
    inside = visible_steps(LENGTHS, T)
    x[~inside] = float("nan")
    x.requires_grad_()
    y, state = network(x, None, LENGTHS)
    gradient, *of_parameters = torch.autograd.grad(y.square().sum(), [x, *network.parameters()])
    assert not gradient[~inside].any()
    assert all(part.isfinite().all() for part in (gradient, *of_parameters))
    for row, length in enumerate(LENGTHS.tolist()):
        expected, state_alone = network(x[row : row + 1, :length])
        assert_all_close([y[row : row + 1, :length]], [expected])
        assert_all_close((part[row : row + 1] for part in flatten_state(state)), flatten_state(state_alone))


def test_bidirectional_takes_the_state_it_returns():
    layer, x = both_ways("lstm", 1).layers[0], torch.randn(B, T, D).double()
    state = (random_state(layer.ahead, B), random_state(layer.back, B))
    y, after = layer(x, state)
    assert_all_close([y[:, :, :H]], [layer.ahead(x, state[0])[0]])
    assert_all_close([y[:, :, H:]], [layer.back(x.flip(1), state[1])[0].flip(1)])
    assert [type(part).__name__ for part in after] == ["LSTMState", "LSTMState"]


def test_bidirectional_is_not_causal_and_has_no_step():
    assert not hasattr(both_ways("gru").layers[0], "step")


@settings(max_examples=25, deadline=None)
@given(lengths=st.lists(st.integers(1, 7), min_size=1, max_size=5))
def test_reverse_mirrors_each_row_within_its_length_and_is_its_own_inverse(lengths):
    x = torch.arange(len(lengths) * 7 * 2.0).reshape(len(lengths), 7, 2)
    mirrored = reverse(x, torch.tensor(lengths))
    for row, length in enumerate(lengths):
        assert torch.equal(mirrored[row, :length], x[row, :length].flip(0))
        assert torch.equal(mirrored[row, length:], x[row, length:])
    assert torch.equal(reverse(mirrored, torch.tensor(lengths)), x)
    assert torch.equal(reverse(x), x.flip(1))


def test_visible_steps():
    assert visible_steps(torch.tensor([1, 3]), 3).tolist() == [[True, False, False], [True, True, True]]
