"""Temporal convolution: the sum it stands for, its reach, and its state."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anncestry.errors import UserError
from anncestry.layers.recurrent.temporal import CausalConvolution, TemporalConvolution
from anncestry.protocols import flatten_state, map_state

D, H = 2, 3


def net(blocks=2, kernel_size=3):
    torch.manual_seed(0)
    return TemporalConvolution(D, H, blocks, kernel_size).double()


@pytest.mark.parametrize(("kernel_size", "dilation"), [(2, 1), (3, 2), (4, 3)])
def test_a_convolution_is_the_sum_over_past_steps(kernel_size, dilation):
    torch.manual_seed(1)
    layer = CausalConvolution(D, H, kernel_size, dilation).double()
    x = torch.randn(2, D, 9, dtype=torch.float64)
    y, _ = layer(x, layer.initial_state(2))
    norm = layer.direction.flatten(1).norm(dim=1)[:, None, None]
    w = layer.gain * layer.direction / norm
    for t in range(9):
        total = layer.bias.expand(2, H)
        for i in range(kernel_size):
            if t - dilation * i >= 0:
                total = total + x[:, :, t - dilation * i] @ w[:, :, kernel_size - 1 - i].t()
        torch.testing.assert_close(y[:, :, t], total)


@pytest.mark.parametrize(("blocks", "kernel_size"), [(1, 2), (2, 3), (3, 2), (3, 4)])
def test_the_receptive_field_is_the_formulas_by_gradient(blocks, kernel_size):
    wiring = net(blocks, kernel_size)
    with torch.no_grad():
        for parameter in wiring.parameters():
            parameter.abs_()  # nothing is silenced by a rectifier
    reach = 1 + 2 * (kernel_size - 1) * (2**blocks - 1)
    assert wiring.receptive_field == reach
    x = torch.rand(1, reach + 5, D, dtype=torch.float64, requires_grad=True)
    y, _ = wiring(x)
    (gradient,) = torch.autograd.grad(y[0, -1].sum(), x)
    seen = gradient[0].abs().amax(1).nonzero().flatten()
    assert seen.tolist() == list(range(5, reach + 5))


@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(1, 7), min_size=1, max_size=5))
def test_windows_of_any_size_are_one_pass(cuts):
    wiring = net(3)
    x = torch.randn(2, sum(cuts), D, dtype=torch.float64)
    whole, end = wiring(x)
    state, parts = None, []
    for window in x.split(cuts, dim=1):
        y, state = wiring(window, state)
        parts.append(y)
    torch.testing.assert_close(torch.cat(parts, 1), whole)
    for a, b in zip(flatten_state(state), flatten_state(end), strict=True):
        torch.testing.assert_close(a, b)


@settings(max_examples=15, deadline=None)
@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_a_padded_batch_is_its_single_sequences(lengths):
    wiring = net()
    x = torch.randn(len(lengths), max(lengths), D, dtype=torch.float64)
    for row, length in enumerate(lengths):
        x[row, length:] = float("nan")
    y, state = wiring(x, None, torch.tensor(lengths))
    y.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in wiring.parameters())
    for row, length in enumerate(lengths):
        alone, end = wiring(x[row : row + 1, :length])
        torch.testing.assert_close(y[row : row + 1, :length], alone)
        of_row = map_state(lambda part, row=row: part[row : row + 1], state)
        for a, b in zip(flatten_state(of_row), flatten_state(end), strict=True):
            torch.testing.assert_close(a, b)


def test_mistakes_are_named():
    with pytest.raises(UserError, match="kernel_size: got 1; must be at least 2"):
        net(kernel_size=1)
    with pytest.raises(UserError, match="at least one step"):
        net()(torch.zeros(1, 0, D, dtype=torch.float64))
    with pytest.raises(UserError, match="state: got 'of 2 rows'"):
        net()(torch.zeros(1, 3, D, dtype=torch.float64), net().initial_state(2))
