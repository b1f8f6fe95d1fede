"""``torch.nn.RNN``, ``LSTM`` and ``GRU`` against our wirings under converted weights."""

import itertools

import pytest
import torch
from torch import nn

from anncestry.checkpoints.converters.recurrent_names import from_state, measure
from anncestry.checkpoints.converters.torch_rnn import from_torch, to_torch
from anncestry.checkpoints.store import load_weights
from anncestry.errors import UserError
from anncestry.layers.recurrent.cells import ElmanCell, GRUCell, LSTMCell
from anncestry.layers.recurrent.wirings import Bidirectional, Unrolled, stack
from anncestry.protocols import flatten_state

CELLS = {"RNN": ElmanCell, "LSTM": LSTMCell, "GRU": GRUCell}
D, H, B, T = 3, 4, 2, 7


def ours(kind, num_layers, bidirectional, dtype=torch.float32):
    def layer(size):
        if bidirectional:
            return Bidirectional(Unrolled(CELLS[kind](size, H)), Unrolled(CELLS[kind](size, H)))
        return Unrolled(CELLS[kind](size, H))

    return stack(layer, D, num_layers).to(dtype)


@pytest.mark.parametrize(
    ("kind", "num_layers", "bidirectional", "bias"),
    list(itertools.product(CELLS, (1, 2, 3), (False, True), (False, True))),
)
@pytest.mark.parametrize("path", ["fused", "loop"])
def test_outputs_and_states_are_those_of_torch(kind, num_layers, bidirectional, bias, path, monkeypatch):
    if path == "loop":
        monkeypatch.setattr(CELLS[kind], "fused", lambda *arguments: None)
    theirs = getattr(nn, kind)(D, H, num_layers, bias=bias, batch_first=True, bidirectional=bidirectional)
    wiring = ours(kind, num_layers, bidirectional)
    load_weights(wiring, from_torch(theirs.state_dict()), "test")
    x = torch.randn(B, T, D)
    expected, final = theirs(x)
    y, state = wiring(x)
    torch.testing.assert_close(y, expected, atol=1e-6, rtol=0)
    # Theirs: h of every layer and direction, then c; ours: per layer and direction h and c.
    parts = final if kind == "LSTM" else (final,)
    expected_state = [part[row] for row in range(parts[0].shape[0]) for part in parts]
    for found, wanted in zip(flatten_state(state), expected_state, strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("kind", "bidirectional"), list(itertools.product(CELLS, (False, True))))
def test_there_and_back_is_identical_and_torch_computes_the_same(kind, bidirectional):
    torch.manual_seed(1)
    wiring = ours(kind, 2, bidirectional)
    theirs = getattr(nn, kind)(D, H, 2, batch_first=True, bidirectional=bidirectional)
    exported = to_torch(wiring.state_dict())
    theirs.load_state_dict(exported)
    x = torch.randn(B, T, D)
    torch.testing.assert_close(theirs(x)[0], wiring(x)[0], atol=1e-6, rtol=0)
    back = from_torch(exported)
    assert back.keys() == wiring.state_dict().keys()
    assert all(torch.equal(back[name], tensor) for name, tensor in wiring.state_dict().items())


def test_sizes_are_read_from_the_weights():
    state = from_torch(nn.GRU(D, H, 2, bidirectional=True).state_dict())
    assert tuple(measure(from_state(state))) == ("gru", D, H, 2, True)


def test_a_projection_is_refused():
    with pytest.raises(UserError, match=r"proj_size projects its outputs; ours does not"):
        from_torch(nn.LSTM(D, H, proj_size=2).state_dict())


def change(**changes):
    """The state dict of a small LSTM with some entries replaced, or removed where None."""
    tensors = dict(nn.LSTM(D, H, 2).state_dict()) | changes
    return {name: tensor for name, tensor in tensors.items() if tensor is not None}


@pytest.mark.parametrize(
    ("tensors", "text"),
    [
        (change(other=torch.zeros(1)), r"'other'; torch.nn.RNN, LSTM and GRU have no such weights"),
        (change(weight_hh_l1=None), r"layers.1.cell. with weight_ih, bias_ih, bias_hh'; a cell has"),
        (change(bias_hh_l0=None), r"bias_ih and bias_hh or no bias"),
        (change(bias_hh_l0=torch.zeros(1)), r"bias_hh \(1,\)'; weight_hh must have the shape"),
        (change(weight_hh_l0=torch.zeros(5, 4)), r"weight_hh \(5, 4\).* must have the shape \(G, H\)"),
        (change(weight_hh_l0=torch.zeros(())), r"weight_hh must have the shape \(G, H\)"),
        (change(weight_ih_l1=torch.zeros(16, 5)), r"layer 1: \(16, 5\)'; weight_ih must"),
        (
            {f"weight_{k}_l{n}": torch.zeros(4, 4) for n in (0, 2) for k in ("ih", "hh")},
            r"missing: layers.1.cell",
        ),
        (change(weight_ih_l0_reverse=torch.zeros(16, 3)), r"a cell has weight_ih and weight_hh"),
        ({}, r"holds no recurrent layer"),
    ],
)
def test_what_is_wrong_with_a_state_dict_is_said(tensors, text):
    with pytest.raises(UserError, match=text):
        from_torch(tensors, "weights.safetensors")
