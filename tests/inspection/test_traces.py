"""Traces are what the cells computed: hidden states, memory cells and gates."""

import pytest
import torch

from anncestry.errors import UserError
from anncestry.inspection.traces import traces
from anncestry.models.create import create

T, SIZES = 7, {"input_size": 3, "hidden_size": 4, "output_size": 2}


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


def test_mistakes_are_named():
    with pytest.raises(UserError, match="reads no sequence step by step"):
        traces(torch.nn.Linear(2, 2), torch.zeros(1, 2))
    with pytest.raises(UserError, match="must be one sequence"):
        traces(create("rnn", **SIZES), torch.zeros(2, T, 3))
