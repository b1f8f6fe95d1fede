"""The objective of nets that draw their input again, and the evidence lower bound of those that sample.

Pixels are standardised, and p(x | z) is the normal distribution of deviation 1 around what is drawn: half the
squared error, summed over the image, is -log p(x | z) but for the constant K / 2 ln(2 pi), which is left out
everywhere here. So bounds can be compared between nets of the same data, in nats for an image.
"""

import math
from typing import Protocol

import torch

from anncestry.arrays import Float, Tensor
from anncestry.objectives.base import Objective
from anncestry.protocols import Reconstruction


class Coder(Protocol):
    """A net whose code is a distribution."""

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]: ...

    def decode(self, z: Tensor) -> Tensor: ...


class Autoencoding(Objective):
    """Half the squared error of an image; where the code is a distribution, the KL term is added.

    ``loss`` is that sum in nats for an image: in training a sample of -ELBO, in evaluation (with the code at
    its mean) a little less (`elbo` draws codes). ``mse`` is the squared error of a pixel, with black at 0 and
    white at 1. ``kl`` is the KL term alone.

    Args:
        shape: (C, H, W) of an image.
        scale: (C,) deviation of each channel, for pixels in [0, 1].
    """

    primary = "mse"
    figures = ("mse", "loss")

    def __init__(self, shape: tuple[int, ...], scale: tuple[float, ...] | None = None) -> None:
        self.num_pixels = math.prod(shape)
        per_channel = torch.tensor(scale or (1.0,) * shape[0], dtype=torch.float64)
        self.scale = per_channel.repeat_interleave(self.num_pixels // shape[0])

    def loss(self, outputs: Float[Tensor, "B pixels"], targets: Float[Tensor, "B C H W"]) -> Tensor:
        image, mean, log_variance = Reconstruction.split(outputs, self.num_pixels)
        error = (image - targets.flatten(1)).square().sum() / 2
        if mean is None or log_variance is None:
            return error
        return error + kl_to_standard_normal(mean, log_variance).sum()

    def count(self, targets: Tensor) -> int:
        return targets.shape[0]

    def tally(self, outputs: Tensor, targets: Tensor, loss: Tensor | None = None) -> Tensor:
        """Loss, count, squared error of all pixels; then the KL term where there is one."""
        loss = self.loss(outputs, targets) if loss is None else loss
        image, mean, log_variance = Reconstruction.split(outputs.detach().double(), self.num_pixels)
        error = (image - targets.flatten(1)) * self.scale.to(outputs.device)
        sums = [loss.detach().double(), error.new_tensor(self.count(targets)), error.square().sum()]
        if mean is not None and log_variance is not None:
            sums.append(kl_to_standard_normal(mean, log_variance).sum())
        return torch.stack(sums)

    def metrics(self, sums: Tensor) -> dict[str, float]:
        loss, count, squared, *kl = sums.tolist()
        figures = {"loss": loss / count, "mse": squared / count / self.num_pixels}
        return {**figures, "kl": kl[0] / count} if kl else figures

    def initial_loss(self) -> float | None:
        return None


def kl_to_standard_normal(
    mean: Float[Tensor, "B Z"], log_variance: Float[Tensor, "B Z"]
) -> Float[Tensor, "B"]:
    """KL(N(mean, e^log_variance) || N(0, 1)) of each row (Kingma & Welling, 1312.6114, appendix B)."""
    return 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum(1)


def elbo(
    model: Coder, x: Float[Tensor, "B C H W"], generator: torch.Generator, num_samples: int = 1
) -> Float[Tensor, "B"]:
    """The evidence lower bound of each image, its expectation over codes taken by ``num_samples`` draws."""
    mean, log_variance = model.encode(x)
    drawn = [_log_likelihood(model, x, z) for z, _ in _codes(mean, log_variance, generator, num_samples)]
    return torch.stack(drawn).mean(0) - kl_to_standard_normal(mean, log_variance)


def importance_weighted_bound(
    model: Coder, x: Float[Tensor, "B C H W"], generator: torch.Generator, num_samples: int
) -> Float[Tensor, "B"]:
    """log of the mean of p(x | z) p(z) / q(z | x): nearer to log p(x) the more codes are drawn.

    With one draw it has the expectation of the ELBO. Source: Burda, Grosse & Salakhutdinov, 1509.00519.
    """
    mean, log_variance = model.encode(x)
    weights = []
    for z, noise in _codes(mean, log_variance, generator, num_samples):
        log_prior = -0.5 * z.square().sum(1)
        log_posterior = -0.5 * (noise.square() + log_variance).sum(1)
        weights.append(_log_likelihood(model, x, z) + log_prior - log_posterior)
    return torch.stack(weights).logsumexp(0) - math.log(num_samples)


def _codes(mean: Tensor, log_variance: Tensor, generator: torch.Generator, num_samples: int):
    """``(z, noise)``, so many times; drawn on the CPU."""
    for _ in range(num_samples):
        noise = torch.randn(mean.shape, generator=generator, dtype=mean.dtype).to(mean.device)
        yield mean + (0.5 * log_variance).exp() * noise, noise


def _log_likelihood(model: Coder, x: Tensor, z: Tensor) -> Float[Tensor, "B"]:
    return -0.5 * (model.decode(z) - x).square().flatten(1).sum(1)
