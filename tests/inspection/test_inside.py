"""Traces are what the cells computed; influence is the norm of the real Jacobian."""

import pytest
import torch

from anncestry.errors import UserError
from anncestry.inspection.influence import influence, reach
from anncestry.inspection.traces import traces
from anncestry.models.create import create

T, SIZES = 7, {"input_size": 3, "hidden_size": 4, "output_size": 2}


def jacobian_norms(model, x):
    jacobian = torch.autograd.functional.jacobian(lambda x: model.wiring(x)[0][0], x)  # (T, H, 1, T, D)
    return jacobian[:, :, 0].square().sum((1, 3)).sqrt()


@pytest.mark.parametrize("name", ["rnn", "lstm", "dilated-rnn", "skip-rnn", "tcn", "bilstm"])
def test_influence_is_the_norm_of_the_jacobian(name):
    torch.manual_seed(0)
    model, x = create(name, **SIZES).double(), torch.randn(1, T, 3, dtype=torch.float64)
    found = influence(model, x, num_probes=4000)
    expected = jacobian_norms(model.eval(), x)
    torch.testing.assert_close(found, expected, rtol=0.15, atol=1e-3)
    if name != "bilstm":
        assert (found.triu(1) == 0).all()
    else:
        assert (found.triu(1) > 0).any()
    assert model.training is False


def test_tokens_are_read_through_their_embedding():
    model = create("gru", task="language-model", inputs="tokens", input_size=9, hidden_size=4, output_size=9)
    found = influence(model, torch.randint(9, (1, T)))
    assert found.shape == (T, T)
    assert (found.diagonal() > 0).all()
    assert 0 < reach(found) < T
    assert model.training


def test_reach_is_the_mean_distance():
    assert reach(torch.eye(8)) == 0
    assert reach(torch.diag(torch.ones(6), -2)) == pytest.approx(2)


@pytest.mark.parametrize(
    ("name", "fields", "parts"),
    [
        ("rnn", {}, {"h"}),
        ("lstm", {"num_layers": 2}, {"h", "c", "i", "f", "g", "o"}),
        ("gru", {}, {"h", "r", "z", "n"}),
        ("peephole-lstm", {}, {"h", "c", "i", "f", "g", "o"}),
        ("peephole-lstm", {"variant": "cifg"}, {"h", "c", "i", "f", "g", "o"}),
        ("peephole-lstm", {"variant": "nog"}, {"h", "c", "i", "f", "g"}),
        ("peephole-lstm", {"variant": "fgr"}, {"h", "c"}),
        ("dilated-rnn", {}, {"h"}),
        ("skip-rnn", {}, {"h"}),
        ("residual-rnn", {}, {"h", "c"}),
        ("tcn", {}, {"h"}),
        ("bilstm", {}, {"h", "c", "i", "f", "g", "o"}),
    ],
)
def test_a_trace_has_the_parts_of_its_cell(name, fields, parts):
    torch.manual_seed(1)
    model, x = create(name, **SIZES, **fields).double(), torch.randn(1, T, 3, dtype=torch.float64)
    found = traces(model, x)
    assert found
    for trace in found:
        assert set(trace.values) == parts
        assert all(len(value) == T for value in trace.values.values())
    if name in ("rnn", "lstm", "gru", "dilated-rnn", "skip-rnn", "residual-rnn", "peephole-lstm"):
        y, _ = model.wiring(x)
        torch.testing.assert_close(found[-1].values["h"], y[0])


@pytest.mark.parametrize("name", ["lstm", "peephole-lstm"])
def test_the_gates_make_the_memory(name):
    torch.manual_seed(2)
    (trace,) = traces(create(name, **SIZES).double(), torch.randn(1, T, 3, dtype=torch.float64))
    v = trace.values
    before = torch.cat([torch.zeros(1, 4, dtype=torch.float64), v["c"][:-1]])
    torch.testing.assert_close(v["c"], v["f"] * before + v["i"] * v["g"])
    torch.testing.assert_close(v["h"], v["o"] * v["c"].tanh())


def test_the_gates_of_a_gru_make_its_output():
    torch.manual_seed(3)
    (trace,) = traces(create("gru", **SIZES).double(), torch.randn(1, T, 3, dtype=torch.float64))
    v = trace.values
    before = torch.cat([torch.zeros(1, 4, dtype=torch.float64), v["h"][:-1]])
    torch.testing.assert_close(v["h"], (1 - v["z"]) * v["n"] + v["z"] * before)


@pytest.mark.parametrize("look", [influence, traces])
def test_mistakes_are_named(look):
    with pytest.raises(UserError, match="reads no sequence step by step"):
        look(torch.nn.Linear(2, 2), torch.zeros(1, 2))
    with pytest.raises(UserError, match="must be one sequence"):
        look(create("rnn", **SIZES), torch.zeros(2, T, 3))
