import copy

import pytest
import torch
from torch import nn

from anncestry.layers.dropout import Dropout, add_dropped


def test_it_is_dropout_to_whoever_looks_for_one():
    module = Dropout(0.3)
    assert isinstance(module, nn.Dropout)
    assert repr(module) == "Dropout(p=0.3, inplace=False)"
    assert not module.state_dict()
    assert copy.deepcopy(module).p == 0.3
    with pytest.raises(ValueError, match="dropout probability"):
        Dropout(1.5)


def test_in_evaluation_it_is_nothing():
    x = torch.randn(4)
    assert Dropout(0.5).eval()(x) is x
    assert torch.equal(add_dropped(x, x, Dropout(0.5).eval()), x + x)


@pytest.mark.parametrize("p", [0.0, 0.5])
def test_a_residual_connection_is_the_sum_of_its_parts(p):
    x, y, module = torch.randn(4, 50), torch.randn(4, 50), Dropout(p)
    torch.manual_seed(2)
    wanted = x + module(y)
    torch.manual_seed(2)
    assert torch.equal(add_dropped(x, y, module), wanted)
    seen = []
    module.register_forward_hook(lambda module, inputs, output: seen.append(output))
    torch.manual_seed(2)
    assert torch.equal(add_dropped(x, y, module), wanted)
    assert torch.equal(x + seen[0], wanted)  # who watches it sees what it is for


def test_what_someone_put_in_its_place_is_called():
    x = torch.randn(4)
    assert torch.equal(add_dropped(x, x, nn.Identity()), 2 * x)
    torch.manual_seed(0)
    other = add_dropped(x, x, nn.Dropout(0.5))
    torch.manual_seed(0)
    assert torch.equal(other, x + nn.functional.dropout(x, 0.5))
