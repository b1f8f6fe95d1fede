"""The variational autoencoder: the code of an image is a distribution, so that a random code is an image too.

Paper: D. Kingma & M. Welling, "Auto-encoding variational Bayes", 1312.6114 (2013).

    q(z | x) = N(mean(x), e^log_variance(x))     the encoder
    z = mean + e^(log_variance / 2) epsilon      epsilon ~ N(0, 1), section 2.4
    p(x | z) = N(decoder(z), 1)                  of standardised pixels
    log p(x) >= E_q log p(x | z) - KL(q(z | x) || N(0, 1))      equation 3, the evidence lower bound (ELBO)

Differs from the autoencoder: the bottleneck. The encoder gives a mean and a log variance for each number of
the code, training draws one code of it, and the KL term keeps all codes together near N(0, 1).

Departures from the paper: convolutions where it has one hidden layer of 500 tanh units; a normal distribution
of fixed deviation for the pixels, where it takes Bernoulli's for MNIST and learns the deviation for faces;
Adam where it takes Adagrad.
"""

from dataclasses import dataclass

import torch
from torch import nn

from anncestry.arrays import Float, Tensor
from anncestry.layers.images.autoencoding import Decoder, Encoder, ImageCodingConfig, NormalSample
from anncestry.protocols import Reconstruction


@dataclass(frozen=True, kw_only=True)
class VAEConfig(ImageCodingConfig):
    """Sizes of a variational autoencoder; see `ImageCodingConfig`."""


class VAE(nn.Module):
    """Code as a distribution, draw a code of it (in training), draw the image."""

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config, 2 * config.code_size)
        self.bottleneck = NormalSample()
        self.decoder = Decoder(config)

    def encode(self, x: Float[Tensor, "B C H W"]) -> tuple[Float[Tensor, "B Z"], Float[Tensor, "B Z"]]:
        """``(mean, log_variance)`` of each image's code."""
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        return mean, log_variance

    def decode(self, z: Float[Tensor, "B Z"]) -> Float[Tensor, "B C H W"]:
        """The image of each code."""
        return self.decoder(z)

    def sample(self, count: int, generator: torch.Generator | None = None) -> Float[Tensor, "B C H W"]:
        """So many new images: those of codes from N(0, 1), drawn on the CPU."""
        z = torch.randn(count, self.config.code_size, generator=generator)
        return self.decode(z.to(self.decoder.code.weight))

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B pixels"]:
        """A `Reconstruction`, joined: N = K + 2 Z."""
        mean, log_variance = self.encode(x)
        image = self.decode(self.bottleneck(mean, log_variance))
        return Reconstruction(image.flatten(1), mean, log_variance).joined()
