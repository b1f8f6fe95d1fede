from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from anncestry.layers.recurrent.cells import HiddenState, LSTMState
from anncestry.protocols import Batch, SequenceModel, detach_state, flatten_state, map_state, outputs_of


class Decoder(NamedTuple):
    layers: tuple
    memory: Tensor


def nested(value=0.0):
    layers = (
        LSTMState(torch.full((3, 2), value), torch.full((3, 2), value + 1)),
        HiddenState(torch.zeros(3, 1)),
    )
    return Decoder(layers, torch.full((3, 4), value + 2))


def test_map_state_keeps_the_nesting_and_its_types():
    mapped = map_state(lambda part: part + 10, nested())
    assert isinstance(mapped, Decoder)
    assert [type(layer) for layer in mapped.layers] == [LSTMState, HiddenState]
    assert type(mapped.layers) is tuple
    assert mapped.layers[0].c.tolist() == [[11, 11]] * 3
    assert mapped.memory[0, 0] == 12
    assert map_state(torch.neg, torch.ones(2)).tolist() == [-1, -1]


def test_map_state_joins_several_states_place_by_place():
    mapped = map_state(lambda one, other: one - other, nested(5.0), nested(2.0))
    assert mapped.layers[0].h[0, 0] == 3
    assert mapped.memory[0, 0] == 3
    with pytest.raises(ValueError, match="zip"):
        map_state(torch.add, (torch.ones(1), torch.ones(1)), (torch.ones(1),))


def test_map_state_reorders_beams():
    state = LSTMState(torch.arange(3.0).unsqueeze(1), torch.arange(3.0, 6).unsqueeze(1))
    rows = torch.tensor([2, 0, 0])
    chosen = map_state(lambda part: part.index_select(0, rows), state)
    assert chosen.h.flatten().tolist() == [2, 0, 0]
    assert chosen.c.flatten().tolist() == [5, 3, 3]


def test_flatten_state_gives_the_tensors_outermost_first():
    assert [part.shape[1] for part in flatten_state(nested())] == [2, 2, 1, 4]
    assert [float(part[0, 0]) for part in flatten_state(nested())] == [0, 1, 0, 2]


def test_detach_state_cuts_the_graph_and_keeps_the_values():
    state = map_state(lambda part: part.requires_grad_() * 2, nested(1.0))
    cut = detach_state(state)
    assert not any(part.requires_grad for part in flatten_state(cut))
    assert all(map(torch.equal, flatten_state(cut), flatten_state(state)))


class Stateful(nn.Module):
    def forward(self, x, state=None):
        return x, (0 if state is None else state) + 1


def test_outputs_of_any_model():
    x = torch.ones(2, 3)
    outputs, state = outputs_of(nn.Identity(), x)
    assert outputs is x
    assert state is None
    assert outputs_of(Stateful(), x) == (x, 1)
    assert outputs_of(Stateful(), x, 4) == (x, 5)


def test_a_model_without_a_step_is_no_sequence_model():
    assert not isinstance(nn.Linear(1, 1), SequenceModel)


def test_a_batch_begins_anew_by_default():
    assert Batch(torch.ones(1), torch.ones(1)).continues is False
