"""Variational dropout: one mask for all steps."""

import torch
from torch import nn

from anncestry.engine.native.dropout import dropout
from anncestry.layers.recurrent.cells import GRUCell
from anncestry.layers.recurrent.dropout import VariationalDropout, share_masks
from anncestry.layers.recurrent.wirings import Unrolled
from anncestry.models.create import create


def test_the_same_features_are_zero_at_every_step():
    torch.manual_seed(0)
    x = torch.ones(200, 7, 5)
    y = VariationalDropout(0.4)(x)
    assert torch.equal(y, y[:, :1].expand_as(y))
    assert set(y.unique().tolist()) <= {0.0, (1 / torch.tensor(0.6)).item()}
    assert abs(y.mean() - 1) < 0.05  # the expectation is that of x
    assert not torch.equal(y[0, 0], y[1, 0]) or not torch.equal(y[1, 0], y[2, 0])


def test_in_evaluation_it_is_the_identity():
    x = torch.randn(2, 3, 4)
    assert torch.equal(VariationalDropout(0.9).eval()(x), x)


def test_models_share_masks_when_asked():
    model = create("stacked-lstm", input_size=3, hidden_size=4, output_size=2, dropout=0.5, variational=True)
    dropouts = [module for module in model.modules() if isinstance(module, nn.Dropout)]
    assert dropouts
    assert all(type(module) is VariationalDropout for module in dropouts)
    plain = nn.Sequential(nn.Dropout(0.3), nn.Sequential(nn.Dropout(0.2)))
    share_masks(plain)
    assert [type(module) for module in plain.modules()].count(VariationalDropout) == 2


def test_the_state_loses_the_same_features_at_every_step():
    torch.manual_seed(1)
    cell, x = GRUCell(3, 5), torch.randn(2, 6, 3)
    layer = Unrolled(cell, state_dropout=0.5)
    torch.manual_seed(7)
    y, state = layer(x)
    torch.manual_seed(7)
    mask = dropout(torch.ones(2, 5), 0.5)
    h, expected = torch.zeros(2, 5), []
    for t in range(6):  # the recurrent weights see h * mask, the carried state is whole
        recurrent = (h * mask) @ cell.weight_hh.t()
        r, z = (cell.project(x[:, t])[:, :10] + recurrent[:, :10]).sigmoid().chunk(2, -1)
        n = (cell.project(x[:, t])[:, 10:] + r * (recurrent[:, 10:] + cell.bias_hn)).tanh()
        h = n + z * (h - n)
        expected.append(h)
    torch.testing.assert_close(y, torch.stack(expected, 1))
    torch.testing.assert_close(state.h, h)
    assert (mask == 0).any()
    layer.eval()
    torch.testing.assert_close(layer(x)[0], Unrolled(cell)(x)[0])


def test_models_drop_their_states_when_asked():
    model = create("rhn", input_size=3, hidden_size=8, output_size=2, state_dropout=0.5)
    x = torch.randn(2, 6, 3)
    assert not torch.equal(model(x)[0], model(x)[0])
    model.eval()
    assert torch.equal(model(x)[0], model(x)[0])
