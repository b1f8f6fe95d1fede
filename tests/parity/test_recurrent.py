"""Ragged batches and gradients against ``torch.nn`` and its packed sequences, under converted weights."""

import itertools

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from anncestry.checkpoints.converters.torch_rnn import from_torch
from anncestry.checkpoints.store import load_weights
from anncestry.layers.recurrent.cells import ElmanCell, GRUCell, LSTMCell
from anncestry.layers.recurrent.wirings import Bidirectional, Unrolled, stack
from anncestry.protocols import flatten_state

CELLS = {"RNN": ElmanCell, "LSTM": LSTMCell, "GRU": GRUCell}
B, T, D, H, L = 4, 6, 3, 5, 2
LENGTHS = torch.tensor([3, 6, 1, 4])


def pair(kind, bidirectional, **options):
    """PyTorch's module and our wiring with the same weights, in float64."""
    theirs = getattr(nn, kind)(D, H, L, batch_first=True, bidirectional=bidirectional, **options).double()
    make = CELLS[kind]

    def layer(size):
        return (
            Bidirectional(Unrolled(make(size, H)), Unrolled(make(size, H)))
            if bidirectional
            else Unrolled(make(size, H))
        )

    ours = stack(layer, D, L).double()
    load_weights(ours, from_torch(theirs.state_dict()), "torch")
    return theirs, ours


@pytest.mark.parametrize("path", ["fused", "loop"])
@pytest.mark.parametrize(("kind", "bidirectional"), list(itertools.product(CELLS, (False, True))))
def test_ragged_batches_are_packed_sequences(kind, bidirectional, path, monkeypatch):
    if path == "loop":
        monkeypatch.setattr(CELLS[kind], "fused", lambda *arguments: None)
    theirs, ours = pair(kind, bidirectional)
    x = torch.randn(B, T, D).double()
    packed, final = theirs(pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False))
    expected, _ = pad_packed_sequence(packed, batch_first=True, total_length=T)
    y, state = ours(x, None, LENGTHS)
    torch.testing.assert_close(y, expected, atol=1e-12, rtol=0)
    parts = final if kind == "LSTM" else (final,)
    wanted = [part[row] for row in range(parts[0].shape[0]) for part in parts]
    for one, other in zip(flatten_state(state), wanted, strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=0)


@pytest.mark.parametrize(("kind", "bidirectional"), list(itertools.product(CELLS, (False, True))))
def test_gradients_are_those_of_torch(kind, bidirectional):
    theirs, ours = pair(kind, bidirectional)
    x = torch.randn(B, T, D).double()
    theirs(x)[0].square().sum().backward()
    ours(x)[0].square().sum().backward()
    # Each of the two bias vectors gets the gradient of their sum.
    expected = {name: p.grad for name, p in theirs.named_parameters() if name.startswith("weight")}
    found = {name: p.grad for name, p in ours.named_parameters() if "weight" in name}
    for one, other in zip(found.values(), expected.values(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=0)
    biases = {name: p.grad for name, p in theirs.named_parameters() if name.startswith("bias_ih")}
    found = {name: p.grad for name, p in ours.named_parameters() if name.endswith(".bias")}
    for one, other in zip(found.values(), biases.values(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=0)


def test_relu_units_too():
    theirs = nn.RNN(D, H, batch_first=True, nonlinearity="relu")
    ours = stack(lambda size: Unrolled(ElmanCell(size, H, "relu")), D, 1)
    load_weights(ours, from_torch(theirs.state_dict()), "torch")
    x = torch.randn(B, T, D)
    torch.testing.assert_close(ours(x)[0], theirs(x)[0], atol=1e-6, rtol=0)
