"""Variational dropout: one mask for all steps."""

import torch
from torch import nn

from anncestry.layers.dropout import VariationalDropout, share_masks
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
