"""Influence is the norm of the real Jacobian."""

import pytest
import torch

from anncestry.errors import UserError
from anncestry.inspection.influence import influence, reach
from anncestry.models.create import create

T, SIZES = 7, {"input_size": 3, "hidden_size": 4, "output_size": 2}


def jacobian_norms(model, x):
    jacobian = torch.autograd.functional.jacobian(lambda x: model.wiring(x)[0][0], x)  # (T, H, 1, T, D)
    return jacobian[:, :, 0].square().sum((1, 3)).sqrt()


@pytest.mark.parametrize("name", ["rnn", "lstm", "dilated-rnn", "skip-rnn", "tcn", "bilstm"])
def test_influence_is_the_norm_of_the_jacobian(name):
    torch.manual_seed(0)
    model, x = create(name, **SIZES).double(), torch.randn(1, T, 3, dtype=torch.float64)
    found = influence(model, x, num_probes=4000)
    expected = jacobian_norms(model.eval(), x)
    torch.testing.assert_close(found, expected, rtol=0.15, atol=1e-3)
    if name != "bilstm":
        assert (found.triu(1) == 0).all()
    else:
        assert (found.triu(1) > 0).any()
    assert model.training is False


def test_tokens_are_read_through_their_embedding():
    model = create("gru", task="language-model", inputs="tokens", input_size=9, hidden_size=4, output_size=9)
    found = influence(model, torch.randint(9, (1, T)))
    assert found.shape == (T, T)
    assert (found.diagonal() > 0).all()
    assert 0 < reach(found) < T
    assert model.training


def test_reach_is_the_mean_distance():
    assert reach(torch.eye(8)) == 0
    assert reach(torch.diag(torch.ones(6), -2)) == pytest.approx(2)


def test_mistakes_are_named():
    with pytest.raises(UserError, match="reads no sequence step by step"):
        influence(torch.nn.Linear(2, 2), torch.zeros(1, 2))
    with pytest.raises(UserError, match="must be one sequence"):
        influence(create("rnn", **SIZES), torch.zeros(2, T, 3))
