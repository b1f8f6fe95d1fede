"""The LSTM's variants against NumPy written from the formulas, and against their own naive loop."""

import numpy as np
import pytest
import torch

from anncestry.layers.recurrent.cell_variants import SEARCH_SPACE, LSTM1997Cell, ResetFirstGRUCell
from anncestry.layers.recurrent.cells import GRUCell, LSTMCell
from anncestry.layers.recurrent.wirings import Bidirectional, Unrolled, stack, unroll, unroll_naive

M, N, B, T = 3, 4, 2, 6
CELLS = {**SEARCH_SPACE, "lstm-1997": LSTM1997Cell, "reset-first-gru": ResetFirstGRUCell}


def sigma(x):
    return 1 / (1 + np.exp(-x))


def new(name: str):
    torch.manual_seed(1)
    cell = CELLS[name](M, N).double()
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))  # peepholes start at zero
    return cell


def numpy_lstm(name: str, cell, x):
    """One sequence (T, M) by the equations of the paper, gate by gate."""
    rows = dict(zip(cell.gates, range(len(cell.gates)), strict=True))
    W, R, b = (p.detach().numpy() for p in (cell.weight_ih, cell.weight_hh, cell.bias))
    diagonals = [] if cell.peepholes is None else cell.peepholes.detach().numpy()
    peep = dict(zip(cell.peeping, diagonals, strict=True))
    G = cell.weight_gates.detach().numpy() if name == "fgr" else np.zeros((3 * N, 3 * N))
    y, c, gates, outputs = np.zeros(N), np.zeros(N), np.zeros(3 * N), []

    def weighted(gate, x_t):
        at = slice(rows[gate] * N, (rows[gate] + 1) * N)
        return W[at] @ x_t + R[at] @ y + b[at]

    def opened(gate, x_t, cell_seen, place):
        if gate not in rows:
            return np.ones(N)
        recurrent = G[place * N : (place + 1) * N] @ gates
        return sigma(weighted(gate, x_t) + peep.get(gate, 0) * cell_seen + recurrent)

    for x_t in x:
        i = opened("i", x_t, c, 0)
        f = 1 - i if name == "cifg" else opened("f", x_t, c, 1)
        g = weighted("g", x_t)
        g = {"niaf": g, "lstm-1997": 4 * sigma(g) - 2}.get(name, np.tanh(g))
        c_new = f * c + i * g
        o = opened("o", x_t, c_new, 2)
        c = c_new
        gates = np.concatenate([i, f, o])
        y = o * {"noaf": c, "lstm-1997": 2 * sigma(c) - 1}.get(name, np.tanh(c))
        outputs.append(y)
    return np.stack(outputs)


@pytest.mark.parametrize("name", [name for name in CELLS if name != "reset-first-gru"])
def test_the_equations(name):
    cell, x = new(name), torch.randn(B, T, M, dtype=torch.float64)
    y, _ = unroll_naive(cell, x, cell.initial_state(B))
    wanted = np.stack([numpy_lstm(name, cell, row.numpy()) for row in x])
    np.testing.assert_allclose(y.detach().numpy(), wanted, atol=1e-12)


def test_the_reset_gate_comes_first():
    cell, x = new("reset-first-gru"), torch.randn(T, M, dtype=torch.float64)
    W, U, b = (p.detach().numpy() for p in (cell.weight_ih, cell.weight_hh, cell.bias))
    h, wanted = np.zeros(N), []
    for x_t in x.numpy():
        r, z = (
            sigma(W[:N] @ x_t + U[:N] @ h + b[:N]),
            sigma(W[N : 2 * N] @ x_t + U[N : 2 * N] @ h + b[N : 2 * N]),
        )
        n = np.tanh(W[2 * N :] @ x_t + U[2 * N :] @ (r * h) + b[2 * N :])
        h = z * h + (1 - z) * n
        wanted.append(h)
    y, _ = unroll_naive(cell, x.unsqueeze(0), cell.initial_state(1))
    np.testing.assert_allclose(y[0].detach().numpy(), np.stack(wanted), atol=1e-12)


def test_the_two_placements_are_two_functions():
    first, after = new("reset-first-gru"), GRUCell(M, N).double()
    with torch.no_grad():
        after.load_state_dict({**first.state_dict(), "bias_hn": torch.zeros(N)})
    x = torch.randn(B, T, M, dtype=torch.float64)
    assert (Unrolled(first)(x)[0] - Unrolled(after)(x)[0]).abs().max() > 1e-3


@pytest.mark.parametrize("name", CELLS)
def test_hoisted_equals_naive_in_values_and_gradients(name):
    cell, x = new(name), torch.randn(B, T, M, dtype=torch.float64)
    results = []
    for run in (unroll_naive, unroll):
        cell.zero_grad()
        y, state = run(cell, x, cell.initial_state(B))
        (y.square().sum() + sum(part.sum() for part in state)).backward()
        results.append([y, *state, *(parameter.grad for parameter in cell.parameters())])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("name", CELLS)
def test_padding_is_never_read_under_any_wiring(name):
    x, lengths = torch.randn(3, T, M, dtype=torch.float64), torch.tensor([2, 6, 4])
    for row, length in enumerate(lengths):
        x[row, length:] = torch.nan
    for wiring in (
        stack(lambda size: Unrolled(CELLS[name](size, N)), M, 2).double(),
        Bidirectional(Unrolled(CELLS[name](M, N)), Unrolled(CELLS[name](M, N))).double(),
    ):
        y, _ = wiring(x, None, lengths)
        for row, length in enumerate(lengths):
            alone, _ = wiring(x[row : row + 1, :length])
            torch.testing.assert_close(y[row : row + 1, :length], alone, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("vanilla", 4 * N * (M + N + 1) + 3 * N),
        *((name, 3 * N * (M + N + 1) + 2 * N) for name in ("nig", "nfg", "nog", "cifg")),
        *((name, 4 * N * (M + N + 1) + 3 * N) for name in ("niaf", "noaf")),
        ("np", 4 * N * (M + N + 1)),
        ("fgr", 4 * N * (M + N + 1) + 3 * N + 9 * N**2),
        ("lstm-1997", 3 * N * (M + N + 1)),
        ("reset-first-gru", 3 * N * (M + N + 1)),
    ],
)
def test_parameter_counts_are_the_papers(name, count):
    assert sum(parameter.numel() for parameter in CELLS[name](M, N).parameters()) == count


def test_without_peepholes_it_is_the_lstm():
    cell, lstm = new("np"), LSTMCell(M, N).double()
    state = cell.state_dict()
    lstm.load_state_dict(state)
    x = torch.randn(B, T, M, dtype=torch.float64)
    torch.testing.assert_close(Unrolled(cell)(x)[0], Unrolled(lstm)(x)[0], atol=1e-12, rtol=1e-12)


def test_the_forget_gate_starts_open_where_there_is_one():
    for name, cell in SEARCH_SPACE.items():
        torch.manual_seed(0)
        raised = cell(M, N, forget_bias=1.0).bias.detach()
        torch.manual_seed(0)
        flat = cell(M, N, forget_bias=0.0).bias.detach()
        moved = (raised - flat).view(-1, N)
        wanted = (
            torch.tensor([1.0 if gate == "f" else 0.0 for gate in cell.gates]).unsqueeze(1).expand_as(moved)
        )
        torch.testing.assert_close(moved, wanted, msg=name)
