"""What the ledgers of the perceptrons, the MLP and the CNN say and no other test holds."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from anncestry.models import create as models
from anncestry.models.cnn import CNN, CNNConfig
from anncestry.models.mlp import MLP, MLPConfig


def create(*arguments, **fields) -> Any:
    return models.create(*arguments, **fields)


def some_problem(num_classes=4):
    x = torch.randn(60, 5, dtype=torch.float64)
    return x, torch.randint(num_classes, (60,))


def loop(x, targets, num_classes, step=1.0):
    """A unit for each class; after a mistake the right one is moved to the example, the best rival away."""
    weight, mistakes = torch.zeros(num_classes, x.shape[1] + 1, dtype=torch.float64), 0
    for row, right in zip(torch.cat([x, torch.ones(len(x), 1)], 1), targets.tolist(), strict=True):
        scores = weight @ row
        own, scores[right] = scores[right].clone(), -math.inf
        if own <= scores.max():
            weight[right] += step * row
            weight[scores.argmax()] -= step * row
            mistakes += 1
    return weight, mistakes


@pytest.mark.parametrize("name", ["perceptron", "averaged-perceptron", "voted-perceptron"])
def test_the_right_class_must_beat_every_other(name):
    x, targets = some_problem()
    model = create(name, input_shape=(5,), output_size=4).double()
    model.learn(x, targets)
    weight, mistakes = loop(x, targets, 4)
    torch.testing.assert_close(model.weight, weight)
    assert int(model.mistakes) == mistakes > 10


def test_the_size_of_a_correction_only_rescales():
    x, targets = some_problem()
    model = create("perceptron", input_shape=(5,), output_size=4).double()
    model.learn(x, targets)
    weight, mistakes = loop(x, targets, 4, step=0.25)
    torch.testing.assert_close(model.weight / 4, weight)
    assert int(model.mistakes) == mistakes


def test_units_and_start_of_an_mlp():
    sizes = {"input_shape": (300,), "hidden_sizes": (200,), "output_size": 2}
    ours = MLP(MLPConfig(**sizes))
    papers = MLP(MLPConfig(**sizes, activation="sigmoid", init="glorot"))
    for model, unit, variance in ((ours, nn.ReLU, 2 / 300), (papers, nn.Sigmoid, 2 / (300 + 200))):
        _, first, between, _ = model.layers
        assert isinstance(between, unit)
        assert isinstance(first, nn.Linear)
        assert first.weight.var().item() == pytest.approx(variance, rel=0.05)


def test_a_cnn_pools_unless_a_stride_is_written():
    usual = CNN(CNNConfig(input_shape=(1, 12, 12), output_size=2))
    strided = CNN(CNNConfig(input_shape=(1, 12, 12), output_size=2, pattern="INPUT -> CONV5/2 -> TANH -> FC"))
    for model, pooled, stride in ((usual, True, 1), (strided, False, 2)):
        assert any(isinstance(layer, nn.MaxPool2d) for layer in model.layers) == pooled
        assert {layer.stride[0] for layer in model.layers if isinstance(layer, nn.Conv2d)} == {stride}
