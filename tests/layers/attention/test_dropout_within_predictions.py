"""Whoever predicts in training mode, to see how predictions vary, has dropout with the fast kernels too."""

import pytest
import torch

from anncestry.engine.prediction import inference
from anncestry.layers.attention.attention import scaled_dot_product
from anncestry.layers.attention.blocks import PostNorm


def test_a_residual_connection_drops():
    x = torch.randn(2, 50, 8)
    around = PostNorm(8, 0.5)
    with inference(torch.device("cpu")):
        assert not torch.equal(around(x, lambda x: 2 * x), around(x, lambda x: 2 * x))
        around.eval()
        assert torch.equal(around(x, lambda x: 2 * x), around(x, lambda x: 2 * x))


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_weights_of_the_softmax_are_dropped(dropout):
    queries, keys, values = torch.randn(3, 2, 2, 20, 16)
    with inference(torch.device("cpu")):
        found = [scaled_dot_product(queries, keys, values, dropout=dropout) for _ in range(2)]
    assert torch.equal(*found) == (dropout == 0)
