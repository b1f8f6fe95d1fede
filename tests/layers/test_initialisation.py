"""Initialisations by their variances."""

import math

import pytest
import torch

from anncestry.errors import UserError
from anncestry.layers.initialisation import INITIALISATIONS, initialise

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


def test_an_unknown_scheme_is_named():
    text = r"init: got 'xavier'; is not known\. Choices: lecun, glorot, he, heur"
    with pytest.raises(UserError, match=text):
        initialise(torch.empty(2, 2), "xavier")
