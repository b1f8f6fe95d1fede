"""The multi-layer perceptron: gradients by finite differences, sizes, published parameter counts."""

import pytest
import torch
from torch import nn

from anncestry.errors import UserError
from anncestry.layers.activations import ACTIVATIONS
from anncestry.models.mlp import MLP, MLPConfig
from anncestry.signature import Signature

SMOOTH_OR_PIECEWISE = [name for name in ACTIVATIONS if name != "step"]  # a step's gradient is zero


@pytest.mark.parametrize("activation", SMOOTH_OR_PIECEWISE)
def test_gradients_are_the_slopes(activation):
    model = MLP(
        MLPConfig(input_shape=(4,), hidden_sizes=(5, 3), output_size=2, activation=activation)
    ).double()
    x, targets = torch.randn(6, 4, dtype=torch.float64), torch.tensor([0, 1, 1, 0, 1, 0])

    def loss():
        return nn.functional.cross_entropy(model(x), targets)

    loss().backward()
    step = 1e-6
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None
        numerical = torch.zeros_like(parameter)
        flat, slopes = parameter.data.view(-1), numerical.view(-1)
        for i in range(len(flat)):
            value = flat[i].item()
            flat[i] = value + step
            above = loss().item()
            flat[i] = value - step
            slopes[i] = (above - loss().item()) / (2 * step)
            flat[i] = value
        difference = (parameter.grad - numerical).norm() / (parameter.grad.norm() + numerical.norm())
        assert difference < 1e-6, name
        assert parameter.grad.any(), name


def test_step_units_let_no_gradient_through():
    model = MLP(MLPConfig(input_shape=(4,), hidden_sizes=(5,), output_size=2, activation="step"))
    model(torch.randn(3, 4)).sum().backward()
    first, last = (layer for layer in model.layers if isinstance(layer, nn.Linear))
    assert first.weight.grad is not None
    assert not first.weight.grad.any()
    assert last.weight.grad is not None
    assert last.weight.grad.any()


@pytest.mark.parametrize(
    ("hidden_sizes", "num_parameters"),
    [
        ((300,), 238_510),
        ((1000,), 795_010),
        ((300, 100), 266_610),
        ((500, 150), 469_160),
        ((800,), 636_010),
        ((2500, 2000, 1500, 1000, 500), 11_972_510),
        ((), 7_850),
    ],
)
def test_published_parameter_counts(hidden_sizes, num_parameters):
    with torch.device("meta"):
        model = MLP(
            MLPConfig(inputs="image", input_shape=(1, 28, 28), hidden_sizes=hidden_sizes, output_size=10)
        )
    assert sum(parameter.numel() for parameter in model.parameters()) == num_parameters


def test_it_is_linear_layers_with_a_unit_between():
    model = MLP(MLPConfig(input_shape=(4,), hidden_sizes=(5,), output_size=2, activation="tanh"))
    first, last = (layer for layer in model.layers if isinstance(layer, nn.Linear))
    x = torch.randn(3, 4)
    expected = (x @ first.weight.t() + first.bias).tanh() @ last.weight.t() + last.bias
    torch.testing.assert_close(model(x), expected)
    assert first.bias is not None
    assert not first.bias.any()


def test_maxout_has_two_pieces_for_each_unit():
    model = MLP(MLPConfig(input_shape=(4,), hidden_sizes=(5, 3), output_size=2, activation="maxout"))
    shapes = [tuple(layer.weight.shape) for layer in model.layers if isinstance(layer, nn.Linear)]
    assert shapes == [(10, 4), (6, 5), (2, 3)]


def test_dropout_acts_in_training_alone():
    model = MLP(MLPConfig(input_shape=(4,), hidden_sizes=(50,), output_size=2, dropout=0.5))
    x = torch.randn(3, 4)
    assert not torch.equal(model(x), model(x))
    model.eval()
    assert torch.equal(model(x), model(x))


def test_for_signature():
    signature = Signature("forecasting", "series", (6, 2), 3)
    config = MLPConfig.for_signature(signature, width=7, activation="tanh")
    assert (config.hidden_sizes, config.signature) == ((7,), signature)
    assert MLP(config)(signature.example(4)[0]).shape == (4, 3)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"hidden_sizes": (5, 0)}, "hidden_sizes: got (5, 0); must be at least 1."),
        ({"init": "zero"}, "init: got 'zero'; must be one of. Choices: lecun, glorot, he, heuristic."),
        ({"dropout": 1.0}, "dropout: got 1.0; is a probability below 1."),
        ({"task": "language-model"}, "task: got 'language-model'; an MLP has no order in time"),
    ],
)
def test_wrong_fields(fields, message):
    with pytest.raises(UserError) as caught:
        MLPConfig(input_shape=(4,), output_size=2, **fields)
    assert message in str(caught.value)
