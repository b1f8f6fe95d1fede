"""Projected, residual, highway and Jordan cells against NumPy from the formulas; parameters as published."""

import numpy as np
import pytest
import torch
from torch import nn

from anncestry.errors import UserError
from anncestry.layers.recurrent.cells import GRUCell, LSTMCell
from anncestry.layers.recurrent.dilated import Dilated
from anncestry.layers.recurrent.highway import HighwayLSTMCell, HighwayStack, OpenLSTMCell, RHNCell
from anncestry.layers.recurrent.jordan import JordanCell
from anncestry.layers.recurrent.projection import LSTMPCell
from anncestry.layers.recurrent.registry import CELLS, find_cell, make_cell
from anncestry.layers.recurrent.residual import Residual, ResidualLSTMCell
from anncestry.layers.recurrent.wirings import Stacked, Unrolled, unroll_naive
from anncestry.protocols import flatten_state, map_state

B, T, D, M, N = 3, 6, 4, 5, 2


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def weights(cell):
    return {name: value.detach().numpy() for name, value in cell.named_parameters()}


def lstmp(w, x, h, c):
    i, f, g, o = np.split(w["weight_ih"] @ x + w["weight_hh"] @ h + w["bias"], 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    h = w["weight_p"] @ (sigmoid(o) * np.tanh(c))
    return h, (h, c)


def residual(w, x, h, c):
    sums = w["weight_ih"] @ x + w["weight_hh"] @ h + w["bias"]
    i, f, g, o = sums[:M], sums[M : 2 * M], sums[2 * M : 3 * M], sums[3 * M :]
    i, f = sigmoid(i + w["peepholes"][0] * c), sigmoid(f + w["peepholes"][1] * c)
    c = f * c + i * np.tanh(g)
    o = sigmoid(o + w["weight_co"] @ c)
    shortcut = w["weight_shortcut"] @ x if "weight_shortcut" in w else x
    h = o * (w["weight_p"] @ np.tanh(c) + shortcut)
    return h, (h, c)


def highway(w, x, h, c):
    below_h, below_c = (x[:-M], x[-M:]) if "depth_peepholes" in w else (x, None)
    sums = w["weight_ih"] @ below_h + w["bias"]
    i, f, g, o = np.split(sums[: 4 * M] + w["weight_hh"] @ h, 4)
    i, f = sigmoid(i + w["peepholes"][0] * c), sigmoid(f + w["peepholes"][1] * c)
    new = f * c + i * np.tanh(g)
    if below_c is not None:
        w1, w2 = w["depth_peepholes"]
        new = new + sigmoid(sums[4 * M :] + w1 * c + w2 * below_c) * below_c
    o = sigmoid(o + w["peepholes"][2] * new)
    h = o * np.tanh(new)
    h = w["weight_p"] @ h if "weight_p" in w else h
    return np.concatenate([h, new]), (h, new)


def rhn(w, x, s):
    layers = [(w["weight_hh"], w["bias"] + w["weight_ih"] @ x)]
    layers += [(w[f"weight_depth.{i}"], w[f"bias_depth.{i}"]) for i in range(9) if f"bias_depth.{i}" in w]
    for matrix, bias in layers:
        h, t = np.split(matrix @ s + bias, 2)
        s = s + (np.tanh(h) - s) * sigmoid(t)
    return s, (s,)


def jordan(w, x, context):
    h = np.tanh(w["weight_ih"] @ x + w["weight_hh"] @ context + w["bias"])
    y = w["weight_answer"] @ h + w["bias_answer"]
    return y, (0.5 * context + sigmoid(y),)


CASES = {
    "lstmp": (lambda: LSTMPCell(D, M, N), lstmp),
    "residual": (lambda: ResidualLSTMCell(D, M, N), residual),
    "residual-identity": (lambda: ResidualLSTMCell(N, M, N), residual),
    "open": (lambda: OpenLSTMCell(D, M), highway),
    "open-projected": (lambda: OpenLSTMCell(D, M, N), highway),
    "highway": (lambda: HighwayLSTMCell(N + M, M), highway),
    "highway-projected": (lambda: HighwayLSTMCell(N + M, M, N), highway),
    "rhn": (lambda: RHNCell(D, M, depth=3), rhn),
    "rhn-shallow": (lambda: RHNCell(D, M, depth=1), rhn),
    "jordan": (lambda: JordanCell(D, M, N), jordan),
}


@pytest.mark.parametrize("name", CASES)
def test_a_step_computes_the_equations(name):
    torch.manual_seed(0)
    cell, twin = CASES[name][0]().double(), CASES[name][1]
    x_t = torch.randn(B, cell.input_size, dtype=torch.float64)
    state = map_state(torch.randn_like, cell.initial_state(B))
    y_t, after = cell.step(x_t, state)
    w = weights(cell)
    for row in range(B):
        expected, expected_state = twin(w, x_t[row].numpy(), *(part[row].numpy() for part in state))
        np.testing.assert_allclose(y_t[row].detach(), expected, atol=1e-12)
        for part, wanted in zip(after, expected_state, strict=True):
            np.testing.assert_allclose(part[row].detach(), wanted, atol=1e-12)
    assert y_t.shape == (B, cell.output_size)


@pytest.mark.parametrize("name", CASES)
def test_the_unrolled_cell_is_its_loop_with_gradients(name):
    torch.manual_seed(1)
    cell = CASES[name][0]().double()
    x = torch.randn(B, T, cell.input_size, dtype=torch.float64, requires_grad=True)
    state = map_state(torch.randn_like, cell.initial_state(B))
    found = []
    for run in (Unrolled(cell), lambda x, state: unroll_naive(cell, x, state)):
        y, after = run(x, state)
        total = y.sin().sum() + sum(part.cos().sum() for part in flatten_state(after))
        found.append((y, *flatten_state(after), *torch.autograd.grad(total, [x, *cell.parameters()])))
    for fast, slow in zip(*found, strict=True):
        torch.testing.assert_close(fast, slow, rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    ("cell", "count"),
    [
        (lambda: OpenLSTMCell(512, 1024, 512), 4_725_760),  # the plain LSTM with peepholes and a projection
        (lambda: HighwayLSTMCell(512 + 1024, 1024, 512), 5_253_120),
        (lambda: ResidualLSTMCell(512, 1024, 512), 4_724_224),
        (lambda: LSTMPCell(512, 1024, 512), 4_725_760 - 3 * 1024),
    ],
)
def test_parameter_counts_are_the_papers(cell, count):
    with torch.device("meta"):
        assert sum(parameter.numel() for parameter in cell().parameters()) == count


def test_the_residual_lstm_saves_a_tenth_of_the_highways_parameters():
    assert 1 - 4_724_224 / 5_253_120 > 0.10


def test_lstmp_is_pytorchs():
    torch.manual_seed(2)
    ours, theirs = LSTMPCell(D, M, N).double(), nn.LSTM(D, M, proj_size=N, batch_first=True).double()
    theirs.load_state_dict({
        "weight_ih_l0": ours.weight_ih, "weight_hh_l0": ours.weight_hh, "bias_ih_l0": ours.bias,
        "bias_hh_l0": torch.zeros(4 * M).double(), "weight_hr_l0": ours.weight_p,
    })  # fmt: skip
    x = torch.randn(B, T, D, dtype=torch.float64)
    y, (h, c) = Unrolled(ours)(x)
    expected, (h_n, c_n) = theirs(x)
    for got, wanted in ((y, expected), (h, h_n[0]), (c, c_n[0])):
        torch.testing.assert_close(got, wanted, rtol=0, atol=1e-12)


def test_every_part_of_the_residual_lstm_matters():
    """What public implementations leave out: x in the candidate, the shortcut, where the gate acts."""
    torch.manual_seed(3)
    cell = ResidualLSTMCell(D, M, N).double()
    x, state = torch.randn(1, D, dtype=torch.float64), map_state(torch.randn_like, cell.initial_state(1))
    y, _ = cell.step(x, state)
    for name, rows in (
        ("weight_ih", slice(2 * M, 3 * M)),
        ("weight_shortcut", slice(None)),
        ("weight_co", slice(None)),
    ):
        changed = ResidualLSTMCell(D, M, N).double()
        changed.load_state_dict(cell.state_dict())
        getattr(changed, name).data[rows] = 0
        assert not torch.allclose(changed.step(x, state)[0], y), name
    with torch.no_grad():
        cell.bias[3 * M :] = -1e3  # a closed output gate shuts the shortcut too
    assert cell.step(x, state)[0].abs().max() < 1e-12


def test_the_shortcut_is_the_identity_where_sizes_agree():
    assert ResidualLSTMCell(M, M).weight_shortcut is None
    assert ResidualLSTMCell(D, M).weight_shortcut is not None


def test_a_residual_wiring_adds_its_input_and_recurs_without_it():
    inner = Unrolled(LSTMCell(M, M)).double()
    wiring, x = Residual(inner), torch.randn(B, T, M, dtype=torch.float64)
    y, state = wiring(x)
    plain, plain_state = inner(x)
    torch.testing.assert_close(y, plain + x)
    torch.testing.assert_close(state.h, plain_state.h)
    with pytest.raises(UserError, match=r"sizes: got .4, 5.; a shortcut needs as many features out as in"):
        Residual(Unrolled(LSTMCell(D, M)))


def test_a_dilated_residual_gru_is_one_line():
    wiring = Stacked([Residual(Dilated(GRUCell(M, M), 2**layer)) for layer in range(3)])
    assert wiring(torch.randn(B, T, M))[0].shape == (B, T, M)


def test_the_highway_is_never_dropped_out():
    torch.manual_seed(4)
    wiring = HighwayStack(D, M, 2, dropout=0.9)
    below = torch.randn(B, T, 2 * M)
    up = wiring.between(below)
    assert torch.equal(up[..., M:], below[..., M:])
    assert (up[..., :M] == 0).float().mean() > 0.5
    assert wiring.output_size == M
    assert wiring(torch.randn(B, T, D))[0].shape == (B, T, M)


def test_transform_gates_start_closed():
    cell = RHNCell(D, M, depth=3, transform_bias=-4.0)
    assert (cell.bias[M:] < -3).all()
    assert all((bias[M:] < -3).all() and (bias[:M].abs() < 1).all() for bias in cell.bias_depth)


@pytest.mark.parametrize("name", CELLS)
def test_every_named_cell_runs_under_every_wiring(name):
    x = torch.randn(B, T, D)
    for wiring in (Unrolled(make_cell(name, D, 4)), Dilated(make_cell(name, D, 4), 2)):
        y, state = wiring(x)
        again, _ = wiring(x[:, :2], state)
        assert y.shape == (B, T, wiring.output_size)
        assert again.isfinite().all()


def test_an_unknown_cell_names_the_nearest():
    assert find_cell(" LSTM_CIFG ").__name__ == "CIFGCell"
    with pytest.raises(UserError, match=r"cell: got 'lstm-cifgg'; is no cell.*lstm-cifg"):
        find_cell("lstm-cifgg")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LSTMPCell(D, M, 0), "proj_size: got 0"),
        (lambda: ResidualLSTMCell(D, M, 0), "proj_size: got 0"),
        (lambda: HighwayLSTMCell(M, M), "input_size: got 5; must hold the 5 memory cells"),
        (lambda: RHNCell(D, M, depth=0), "depth: got 0; must be at least 1"),
        (lambda: JordanCell(D, M, N, memory=1.0), "memory: got 1.0; must be at least 0 and below 1"),
    ],
)
def test_sizes_that_cannot_be_are_refused(make, message):
    with pytest.raises(UserError, match=message):
        make()
