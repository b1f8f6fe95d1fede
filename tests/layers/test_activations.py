"""Activations by their values."""

import pytest
import torch

from anncestry.errors import UserError
from anncestry.layers.activations import ACTIVATIONS, Maxout, ScaledTanh, Step, activation


def test_unknown_names():
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
