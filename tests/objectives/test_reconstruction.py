"""The bound and its parts: closed forms in NumPy, Monte Carlo, and what must lie below what."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from anncestry.models.vae import VAE, VAEConfig
from anncestry.objectives import objective_for
from anncestry.objectives.reconstruction import elbo, importance_weighted_bound, kl_to_standard_normal
from anncestry.protocols import Reconstruction
from anncestry.signature import Signature

IMAGES = Signature("reconstruction", "image", (2, 3, 4), 24)
DIGITS = Signature("reconstruction", "image", (1, 8, 8), 64)


def numpy_kl(mean, log_variance):
    """KL(N(m, v) || N(0, 1)) = ln(1 / s) + (v + m^2) / 2 - 1 / 2, summed over the code."""
    variance = np.exp(log_variance)
    return (np.log(1 / np.sqrt(variance)) + (variance + mean**2) / 2 - 0.5).sum(1)


@given(seed=st.integers(0, 100), size=st.integers(1, 9))
def test_the_kl_term_is_its_closed_form(seed, size):
    random = np.random.default_rng(seed)
    mean, log_variance = random.normal(size=(4, size)), 2 * random.normal(size=(4, size))
    found = kl_to_standard_normal(torch.from_numpy(mean), torch.from_numpy(log_variance))
    np.testing.assert_allclose(found.numpy(), numpy_kl(mean, log_variance), rtol=1e-10, atol=1e-10)
    assert (found >= -1e-12).all()


def test_the_kl_term_is_what_sampling_gives():
    random = np.random.default_rng(1)
    mean, log_variance = np.array([0.7, -1.2, 0.0]), np.array([-1.0, 0.5, 0.3])
    z = mean + np.exp(log_variance / 2) * random.normal(size=(400_000, 3))
    log_q = -0.5 * ((z - mean) ** 2 / np.exp(log_variance) + log_variance).sum(1)
    log_p = -0.5 * (z**2).sum(1)
    found = kl_to_standard_normal(torch.from_numpy(mean[None]), torch.from_numpy(log_variance[None])).item()
    assert found == pytest.approx((log_q - log_p).mean(), abs=0.01)
    assert kl_to_standard_normal(torch.zeros(1, 3), torch.zeros(1, 3)).item() == 0


def some(count, code, seed):
    random = torch.Generator().manual_seed(seed)
    outputs = torch.randn(count, 24 + 2 * code, generator=random)
    return outputs, torch.randn(count, 2, 3, 4, generator=random)


@pytest.mark.parametrize("code", [0, 5])
@given(cut=st.integers(1, 29), seed=st.integers(0, 20))
def test_sums_over_parts_are_the_sums_of_the_whole(code, cut, seed):
    objective = objective_for(IMAGES, (0.5, 0.2))
    outputs, targets = some(30, code, seed)
    whole = objective.metrics(objective.tally(outputs, targets))
    parts = objective.tally(outputs[:cut], targets[:cut]) + objective.tally(outputs[cut:], targets[cut:])
    assert objective.metrics(parts) == pytest.approx(whole, rel=1e-5)


@pytest.mark.parametrize("code", [0, 5])
def test_the_figures_are_numpys(code):
    scale = (0.5, 0.2)
    objective = objective_for(IMAGES, scale)
    outputs, targets = some(40, code, 3)
    found = objective.metrics(objective.tally(outputs, targets))
    drawn, wanted = outputs[:, :24].double().numpy().reshape(40, 2, 3, 4), targets.double().numpy()
    loss = ((drawn - wanted) ** 2).sum((1, 2, 3)).mean() / 2
    mse = ((drawn - wanted) * np.reshape(scale, (1, 2, 1, 1))) ** 2
    expected = {"loss": loss, "mse": mse.mean()}
    if code:
        kl = numpy_kl(outputs[:, 24:29].double().numpy(), outputs[:, 29:].double().numpy()).mean()
        expected = {"loss": loss + kl, "mse": mse.mean(), "kl": kl}
    assert found == pytest.approx(expected, rel=1e-5)


def test_outputs_are_split_as_they_were_joined():
    image, mean, log_variance = torch.randn(3, 24), torch.randn(3, 5), torch.randn(3, 5)
    again = Reconstruction.split(Reconstruction(image, mean, log_variance).joined(), 24)
    assert again.mean is not None
    assert again.log_variance is not None
    assert torch.equal(again.image, image)
    assert torch.equal(again.mean, mean)
    assert torch.equal(again.log_variance, log_variance)
    assert Reconstruction.split(Reconstruction(image).joined(), 24).mean is None


class Linear:
    """x = W z + noise with a posterior that is off on purpose: log p(x) is known."""

    def __init__(self):
        random = torch.Generator().manual_seed(0)
        self.weight = torch.randn(6, 2, generator=random, dtype=torch.float64)

    def encode(self, x):
        precision = torch.eye(2, dtype=torch.float64) + self.weight.T @ self.weight
        mean = x.flatten(1) @ self.weight @ precision.inverse() + 0.1
        return mean, (-precision.diagonal().log() + 0.3).expand(len(x), 2)

    def decode(self, z):
        return (z @ self.weight.T).view(-1, 1, 2, 3)

    def log_likelihood(self, x):
        """ln N(x; 0, W W^T + 1), without the constant of an image of noise alone."""
        covariance = self.weight @ self.weight.T + torch.eye(6, dtype=torch.float64)
        flat = x.flatten(1)
        return -0.5 * ((flat @ covariance.inverse() * flat).sum(1) + torch.logdet(covariance))


def test_the_bounds_are_in_order_below_the_likelihood_of_a_linear_model():
    model, x = Linear(), torch.randn(8, 1, 2, 3, dtype=torch.float64)
    truth = model.log_likelihood(x).mean().item()
    random = torch.Generator().manual_seed(1)
    one = elbo(model, x, random, 20_000).mean().item()
    many = importance_weighted_bound(model, x, random, 20_000).mean().item()
    assert one < truth - 0.05
    assert many == pytest.approx(truth, abs=0.01)


def test_more_draws_raise_the_bound_of_a_net():
    model = VAE(VAEConfig.for_signature(DIGITS, width=4)).eval()
    x, random = torch.randn(64, 1, 8, 8), torch.Generator().manual_seed(2)
    with torch.no_grad():
        few = torch.stack([importance_weighted_bound(model, x, random, 1) for _ in range(200)]).mean()
        bound = elbo(model, x, random, 200).mean()
        many = importance_weighted_bound(model, x, random, 200).mean()
    assert few.item() == pytest.approx(bound.item(), rel=0.02)  # the same expectation
    assert many > bound


def test_the_loss_in_training_is_a_sample_of_the_bound():
    model = VAE(VAEConfig.for_signature(DIGITS, width=4))
    x, random, objective = torch.randn(16, 1, 8, 8), torch.Generator().manual_seed(2), objective_for(DIGITS)
    with torch.no_grad():
        losses = torch.stack([objective.loss(model(x), x) / len(x) for _ in range(400)])
        assert losses.std() > 0
        assert losses.mean().item() == pytest.approx(-elbo(model, x, random, 400).mean().item(), rel=0.01)
