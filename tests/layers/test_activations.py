"""Activations by their values, initialisations by their variances."""

import math

import pytest
import torch

from anncestry.errors import UserError
from anncestry.layers.activations import (
    ACTIVATIONS,
    INITIALISATIONS,
    Maxout,
    ScaledTanh,
    Step,
    activation,
    initialise,
)

VARIANCES = {
    "lecun": lambda fan_in, fan_out: 1 / fan_in,
    "glorot": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    "he": lambda fan_in, fan_out: 2 / fan_in,
    "heuristic": lambda fan_in, fan_out: 1 / (3 * fan_in),
}


@pytest.mark.parametrize("shape", [(300, 200), (200, 300), (40, 30, 7, 5)], ids=str)
@pytest.mark.parametrize("scheme", INITIALISATIONS)
def test_variances(scheme, shape):
    weight = torch.empty(shape, dtype=torch.float64)
    initialise(weight, scheme)
    receptive = math.prod(shape[2:])
    variance = VARIANCES[scheme](shape[1] * receptive, shape[0] * receptive)
    bound = math.sqrt(3 * variance)
    # Of n uniform numbers the variance has the relative deviation sqrt(0.8 / n), the mean sqrt(var / n).
    count = weight.numel()
    assert weight.var().item() == pytest.approx(variance, rel=4 * math.sqrt(0.8 / count))
    assert abs(weight.mean().item()) < 4 * math.sqrt(variance / count)
    assert 0.999 * bound < weight.abs().max().item() <= bound


def test_he_takes_the_slope_of_a_leaky_unit():
    weight = torch.empty(300, 200)
    initialise(weight, "he", negative_slope=0.5)
    assert weight.abs().max().item() == pytest.approx(math.sqrt(6 / (1.25 * 200)), rel=1e-3)


def test_the_heuristic_is_what_torch_does():
    weight = torch.empty(300, 200)
    initialise(weight, "heuristic")
    assert weight.abs().max().item() == pytest.approx(1 / math.sqrt(200), rel=1e-3)
    assert torch.nn.Linear(200, 300).weight.var().item() == pytest.approx(weight.var().item(), rel=0.03)


def test_unknown_names():
    with pytest.raises(
        UserError, match=r"init: got 'xavier'; is not known\. Choices: lecun, glorot, he, heur"
    ):
        initialise(torch.empty(2, 2), "xavier")
    with pytest.raises(UserError, match=r"activation: got 'rellu'; is not known\. Choices: relu"):
        activation("rellu")


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_is_made_anew(name):
    first, second = activation(name), activation(name)
    assert first is not second
    y = first(torch.tensor([[-2.0, -0.5, 0.5, 2.0]]))
    assert y.shape == (1, 2 if name == "maxout" else 4)
    assert y.isfinite().all()
    assert (y.diff() >= 0).all() or name in ("gelu", "silu")  # the two that are not monotonic


def test_step():
    x = torch.tensor([-1.0, 0.0, 2.0], requires_grad=True)
    y = Step()(x)
    assert y.tolist() == [0, 0, 1]
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0, 0, 0]


def test_scaled_tanh_keeps_plus_and_minus_one():
    x = torch.tensor([-1.0, 0.0, 1.0, 100.0])
    torch.testing.assert_close(ScaledTanh()(x), torch.tensor([-1.0, 0.0, 1.0, 1.7159]), atol=1e-4, rtol=0)


def test_maxout_takes_the_larger_of_each_pair():
    assert Maxout()(torch.tensor([[1.0, 2.0, -1.0, -3.0]])).tolist() == [[2, -1]]
