"""Every cell against its equations, written out once more in NumPy."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anncestry.errors import UserError
from anncestry.layers.recurrent.cells import Cell, ElmanCell, GRUCell, HiddenState, LSTMCell, LSTMState
from anncestry.protocols import flatten_state, map_state

CELLS = {
    "elman-tanh": lambda d, h: ElmanCell(d, h, "tanh"),
    "elman-relu": lambda d, h: ElmanCell(d, h, "relu"),
    "lstm": LSTMCell,
    "gru": GRUCell,
}
SIZES = {name: st.integers(1, 5) for name in ("batch_size", "input_size", "hidden_size")}


def sigmoid(a):
    return 1 / (1 + math.exp(-a))


def preactivation(cell, gate, unit, x, h):
    """(W x + b, U h) of one unit of one gate, number by number."""
    row = gate * cell.hidden_size + unit
    inner = float(cell.bias[row]) + sum(float(cell.weight_ih[row, d]) * x[d] for d in range(cell.input_size))
    outer = sum(float(cell.weight_hh[row, k]) * h[k] for k in range(cell.hidden_size))
    return inner, outer


def numpy_step(cell, x, state):
    """One row's step from the papers' equations: a list of floats for every part of the state."""
    h_before = state[0]
    h, c = [], []
    for unit in range(cell.hidden_size):
        a = [preactivation(cell, gate, unit, x, h_before) for gate in range(cell.num_gates)]
        if isinstance(cell, ElmanCell):
            h.append(math.tanh(sum(a[0])) if cell.activation == "tanh" else max(0.0, sum(a[0])))
        elif isinstance(cell, LSTMCell):
            i, f, g, o = sigmoid(sum(a[0])), sigmoid(sum(a[1])), math.tanh(sum(a[2])), sigmoid(sum(a[3]))
            c.append(f * state[1][unit] + i * g)
            h.append(o * math.tanh(c[unit]))
        else:
            r, z = sigmoid(sum(a[0])), sigmoid(sum(a[1]))
            n = math.tanh(a[2][0] + r * (a[2][1] + float(cell.bias_hn[unit])))
            h.append((1 - z) * n + z * h_before[unit])
    return [h, c] if c else [h]


def random_state(cell, batch_size):
    return map_state(torch.randn_like, cell.initial_state(batch_size))


@pytest.mark.parametrize("name", CELLS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 99), **SIZES)
def test_a_step_computes_the_equations(name, seed, batch_size, input_size, hidden_size):
    torch.manual_seed(seed)
    cell = CELLS[name](input_size, hidden_size).double().requires_grad_(False)
    x_t, state = torch.randn(batch_size, input_size).double(), random_state(cell, batch_size)
    y_t, after = cell.step(x_t, state)
    assert type(after) is type(state)
    assert y_t is after.h
    for row in range(batch_size):
        expected = numpy_step(cell, x_t[row].tolist(), [part[row].tolist() for part in state])
        for part, values in zip(after, expected, strict=True):
            np.testing.assert_allclose(part[row].numpy(), values, atol=1e-12, rtol=0)


@pytest.mark.parametrize("name", CELLS)
def test_a_step_is_projection_and_advance_and_leaves_the_state_it_got_alone(name):
    torch.manual_seed(0)
    cell = CELLS[name](3, 4)
    x, state = torch.randn(2, 5, 3), random_state(cell, 2)
    kept = map_state(torch.clone, state)
    projected = cell.project(x)
    for t in range(5):
        torch.testing.assert_close(cell.advance(projected[:, t], state)[0], cell.step(x[:, t], state)[0])
    assert all(map(torch.equal, flatten_state(state), flatten_state(kept)))


@pytest.mark.parametrize("name", CELLS)
def test_the_fused_kernel_takes_a_state_and_returns_one(name):
    torch.manual_seed(0)
    cell = CELLS[name](3, 4).double()
    x, state = torch.randn(2, 1, 3).double(), random_state(cell, 2)
    y, after = cell.fused(x, state)
    y_t, expected = cell.step(x[:, 0], state)
    assert type(after) is type(expected)
    torch.testing.assert_close(y[:, 0], y_t, atol=1e-12, rtol=0)
    for part, wanted in zip(after, expected, strict=True):
        torch.testing.assert_close(part, wanted, atol=1e-12, rtol=0)


@pytest.mark.parametrize("name", CELLS)
def test_gradients_are_right(name):
    torch.manual_seed(0)
    cell = CELLS[name](2, 3).double()
    x_t, state = torch.randn(2, 2).double().requires_grad_(), random_state(cell, 2)
    parts = [part.requires_grad_() for part in state]
    assert torch.autograd.gradcheck(lambda x, *s: tuple(cell.step(x, type(state)(*s))[1]), (x_t, *parts))


def test_the_kernel_keeps_what_a_backward_pass_needs_in_evaluation_mode_too(monkeypatch):
    """cuDNN refuses to go backwards through a call that was not made with train=True."""
    cell, real, seen = LSTMCell(3, 4).eval(), torch.lstm, []

    def spy(x, hidden, weights, has_biases, num_layers, dropout, train, bidirectional, batch_first):
        seen.append(train)
        return real(x, hidden, weights, has_biases, num_layers, dropout, train, bidirectional, batch_first)

    monkeypatch.setattr(torch, "lstm", spy)
    cell.fused(torch.randn(2, 5, 3), cell.initial_state(2))
    with torch.no_grad():
        cell.fused(torch.randn(2, 5, 3), cell.initial_state(2))
    assert seen == [True, False]


@pytest.mark.parametrize(("name", "count"), [("elman-tanh", 1), ("lstm", 4), ("gru", 3)])
def test_parameters_are_one_bias_per_gate(name, count):
    cell = CELLS[name](3, 5)
    gates = count * 5
    expected = {"weight_ih": (gates, 3), "weight_hh": (gates, 5), "bias": (gates,)}
    if name == "gru":
        expected["bias_hn"] = (5,)
    assert {key: tuple(tensor.shape) for key, tensor in cell.state_dict().items()} == expected
    assert {key for key, _ in cell.named_parameters()} == set(expected)


@pytest.mark.parametrize("name", CELLS)
def test_weights_start_uniform_within_one_over_root_h(name):
    torch.manual_seed(0)
    cell = CELLS[name](40, 100)
    bound = 0.1
    for key, parameter in cell.named_parameters():
        values = parameter.detach().clone()
        if name == "lstm" and key == "bias":
            values[100:200] -= cell.forget_bias
        assert values.abs().max() <= bound + 1e-6, key
        assert abs(values.std() - bound / math.sqrt(3)) < 0.1 * bound, key


def test_the_forget_gate_starts_open_by_as_much_as_is_asked():
    means = []
    for forget_bias in (0.0, 1.0, 3.0):
        torch.manual_seed(0)
        means.append(LSTMCell(2, 200, forget_bias).bias.detach().view(4, 200).mean(1))
    for changed, forget_bias in ((1, 1.0), (2, 3.0)):
        expected = torch.tensor([0.0, forget_bias, 0.0, 0.0])
        torch.testing.assert_close(means[changed] - means[0], expected, atol=1e-5, rtol=0)


def test_states_start_at_zero_in_the_type_of_the_weights():
    state = LSTMCell(2, 3).double().initial_state(4)
    assert isinstance(state, LSTMState)
    assert isinstance(GRUCell(2, 3).initial_state(1), HiddenState)
    for part in state:
        assert part.shape == (4, 3)
        assert part.dtype == torch.float64
        assert not part.any()


def test_users_mistakes_are_named():
    with pytest.raises(UserError, match=r"input_size: got 0; must be at least 1"):
        GRUCell(0, 3)
    with pytest.raises(UserError, match=r"hidden_size: got -1; must be at least 1"):
        LSTMCell(2, -1)
    with pytest.raises(UserError, match=r"activation: got 'gelu'; must be one of. Choices: tanh, relu"):
        ElmanCell(2, 3, "gelu")


def test_a_cell_without_a_kernel_says_so():
    class Plain(Cell):
        pass

    assert Plain(2, 3).fused(torch.zeros(1, 1, 2), HiddenState(torch.zeros(1, 3))) is None
    with pytest.raises(NotImplementedError):
        Plain(2, 3).step(torch.zeros(1, 2), HiddenState(torch.zeros(1, 3)))
    assert "2, 3" in repr(LSTMCell(2, 3))


def test_a_second_bias_adds_to_the_first_and_gets_the_same_gradient():
    cell, one = LSTMCell(3, 4, second_bias=True).double(), LSTMCell(3, 4).double()
    assert cell.second_bias is not None
    one.weight_ih.data, one.weight_hh.data = cell.weight_ih.data, cell.weight_hh.data
    one.bias.data = cell.bias.data + cell.second_bias.data
    x = torch.randn(2, 5, 3, dtype=torch.float64)
    for two_run, one_run in (
        (cell.fused(x, cell.initial_state(2)), one.fused(x, one.initial_state(2))),
        (cell.step(x[:, 0], cell.initial_state(2)), one.step(x[:, 0], one.initial_state(2))),
    ):
        torch.testing.assert_close(two_run[0], one_run[0])
    y, _ = cell.fused(x, cell.initial_state(2))
    y.square().sum().backward()
    torch.testing.assert_close(cell.bias.grad, cell.second_bias.grad)


@pytest.mark.parametrize("width", [2, 5])
def test_a_kernel_that_looks_at_no_sizes_is_not_given_wrong_ones(width):
    cell = LSTMCell(3, 4)
    with pytest.raises(UserError, match=r"the last dimension must be the 3 features that the layer reads"):
        cell.fused(torch.zeros(2, 6, width), cell.initial_state(2))
