"""Nets that draw images: the convolutional autoencoder, and what makes its codes a distribution."""

from anncestry.timeline.architecture import Architecture
from anncestry.timeline.common import departure

_IMAGES = frozenset({("image", "reconstruction")})
_COARSER = "a stride of 2; `coarser` takes `pool` or `average` as well"
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
        departures=(
            departure("training", "each layer by itself, then all together", "all layers together"),
            departure("weights of the way back", "those of the way down, mirrored", "its own"),
            departure("going coarser", "max-pooling", _COARSER),
            departure("activation", "scaled tanh", "ReLU"),
            departure("code", "the maps of the last convolution", "a dense layer's `code_size` numbers"),
        ),
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
        departures=(
            departure("layers", "one hidden layer of 500 tanh units on either side", "convolutions, ReLU"),
            departure(
                "distribution of a pixel",
                "Bernoulli for MNIST; normal with a learnt deviation for faces",
                "normal with the deviation 1 of standardised pixels",
            ),
            departure("in evaluation", "codes are drawn", "the code's mean, so that an answer repeats"),
            departure("going coarser", "no convolutions", _COARSER),
            departure("optimizer", "Adagrad", "Adam"),
        ),
        fits=_IMAGES,
        module="vae",
        model="VAE",
        config="VAEConfig",
        recipe=_RECIPE,
        aliases=("variational-autoencoder",),
    ),
)
