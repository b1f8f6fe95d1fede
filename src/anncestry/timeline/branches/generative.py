"""Nets that draw images: the convolutional autoencoder, and what makes its codes a distribution."""

from anncestry.timeline.architecture import Architecture
from anncestry.timeline.ledgers import generative as ledger

_IMAGES = frozenset({("image", "reconstruction")})
_RECIPE = {"learning_rate": 2e-3}

GENERATIVE: tuple[Architecture, ...] = (
    Architecture(
        id="autoencoder",
        name="Convolutional autoencoder",
        year=2011,
        paper="Masci et al., Stacked convolutional auto-encoders, ICANN; Rumelhart, Hinton & Williams, PDP 1 "
        "(1986)",
        parents=("cnn", "mlp"),
        adds="the input as target; a bottleneck, and a way back to the image",
        removes="classes",
        departures=ledger.AUTOENCODER,
        fits=_IMAGES,
        module="autoencoder",
        model="Autoencoder",
        config="AutoencoderConfig",
        recipe=_RECIPE,
        aliases=("convolutional-autoencoder", "cae"),
    ),
    Architecture(
        id="vae",
        name="Variational autoencoder",
        year=2013,
        paper="Kingma & Welling, Auto-encoding variational Bayes, 1312.6114",
        parents=("autoencoder",),
        adds="a distribution for a code, drawn from in training; a KL term; new images from random codes",
        removes="the certainty of the code",
        departures=ledger.VAE,
        fits=_IMAGES,
        module="vae",
        model="VAE",
        config="VAEConfig",
        recipe=_RECIPE,
        aliases=("variational-autoencoder",),
    ),
)
