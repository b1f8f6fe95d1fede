"""The layers of two language models: limits that bite, shortcuts, directions."""

import pytest
import torch
from torch import nn

from anncestry.layers.recurrent.bilm import BiLM, ClippedLSTMPCell, DirectedLM
from anncestry.layers.recurrent.wirings import Unrolled, unroll_naive
from anncestry.protocols import flatten_state

B, T, N, M = 3, 6, 4, 10
LENGTHS = torch.tensor([6, 3, 1])


def cell(cell_clip=0.3, proj_clip=0.2) -> ClippedLSTMPCell:
    """With weights so large that limits are reached."""
    made = ClippedLSTMPCell(N, M, N, cell_clip, proj_clip).double()
    with torch.no_grad():
        for weight in made.parameters():
            weight.mul_(4)
    return made


def bilm(skip=True) -> BiLM:
    ahead, back = (DirectedLM([cell(), cell()], skip) for _ in range(2))
    return BiLM(nn.Identity(), ahead, back).double()


X = torch.randn(B, T, N, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_the_limits_are_reached_and_never_passed():
    limited, free = cell(), cell(0.0, 0.0)
    free.load_state_dict(limited.state_dict())
    y, state = Unrolled(limited)(X)
    assert y.abs().max() == 0.2
    assert state.c.abs().max() == 0.3
    assert (y.abs() == 0.2).double().mean() < 1
    y_free, state_free = Unrolled(free)(X)
    assert y_free.abs().max() > 0.2
    assert state_free.c.abs().max() > 0.3


def test_a_step_is_the_equations():
    made, h, c = cell(), torch.randn(B, N).double() / 9, torch.randn(B, M).double() / 9
    i, f, g, o = (X[:, 0] @ made.weight_ih.t() + made.bias + h @ made.weight_hh.t()).chunk(4, 1)
    expected_c = (f.sigmoid() * c + i.sigmoid() * g.tanh()).clamp(-0.3, 0.3)  # before the output gate
    expected_h = ((o.sigmoid() * expected_c.tanh()) @ made.weight_p.t()).clamp(-0.2, 0.2)
    state = type(made.initial_state(B))(h, c)
    got_h, after = made.step(X[:, 0], state)
    torch.testing.assert_close(got_h, expected_h)
    torch.testing.assert_close(after.c, expected_c)
    torch.testing.assert_close(after.h, expected_h)


def test_the_loop_is_the_steps():
    made = cell()
    expected, expected_state = unroll_naive(made, X, made.initial_state(B))
    got, state = Unrolled(made)(X)
    torch.testing.assert_close(got, expected, atol=1e-12, rtol=0)
    for part, other in zip(flatten_state(state), flatten_state(expected_state), strict=True):
        torch.testing.assert_close(part, other, atol=1e-12, rtol=0)


@pytest.mark.parametrize("skip", [True, False])
def test_layers_add_their_input_but_for_the_lowest(skip):
    model = bilm(skip).ahead
    (first, second), _ = model(X)
    lowest, _ = model.layers[0](X)
    torch.testing.assert_close(first, lowest)
    above, _ = model.layers[1](first)
    torch.testing.assert_close(second, above + first if skip else above)


def test_the_backward_model_begins_at_each_texts_own_end():
    model = bilm()
    layers, state = model(X, None, LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        alone, state_alone = model(X[row : row + 1, :length])
        for layer, other in zip(layers, alone, strict=True):
            torch.testing.assert_close(layer[row, :length], other[0], atol=1e-12, rtol=0)
            assert not layer[row, length:].any()
        for part, other in zip(flatten_state(state), flatten_state(state_alone), strict=True):
            torch.testing.assert_close(part[row], other[0], atol=1e-12, rtol=0)
        back, _ = model.back(X[row : row + 1, :length].flip(1))
        torch.testing.assert_close(layers[-1][row, :length, N:], back[-1][0].flip(0), atol=1e-12, rtol=0)


def test_each_direction_sees_its_own_side():
    model, t = bilm(), 3
    before = model(X)[0][-1]
    changed = X.clone()
    changed[:, t] += 1
    after = model(changed)[0][-1]
    same = (before == after).all(2).all(0)
    ahead, back = (
        (before[..., part] == after[..., part]).all(2).all(0) for part in (slice(N), slice(N, None))
    )
    assert ahead.tolist() == [True] * t + [False] * (T - t)
    assert back.tolist() == [False] * (t + 1) + [True] * (T - t - 1)
    assert not same.any()


def test_states_go_on():
    """Forward in two parts is forward in one; the backward model takes up what it left behind the first."""
    model = bilm()
    whole, _ = model.ahead(X)
    _, state = model(X[:, :2])
    rest, _ = model(X[:, 2:], state)
    torch.testing.assert_close(rest[-1][..., :N], whole[-1][:, 2:], atol=1e-12, rtol=0)
    expected, _ = model.back(X[:, 2:].flip(1), state[1])
    torch.testing.assert_close(rest[-1][..., N:], expected[-1].flip(1), atol=1e-12, rtol=0)
    fresh, _ = model(X[:, 2:])
    assert (rest[-1] != fresh[-1]).any()
