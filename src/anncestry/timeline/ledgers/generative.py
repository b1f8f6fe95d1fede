"""The fidelity ledgers of the generative line."""

from anncestry.timeline.architecture import Departure
from anncestry.timeline.common import departure

_COARSER = {
    "ours": "a stride of 2; `coarser` takes `pool` or `average` as well",
    "why": "a net of strides alone needs no positions of the maxima on the way back",
    "switch": "coarser",
    "test": "timeline/ledgers/test_generative.py::test_images_are_halved_by_strides_by_default",
}

AUTOENCODER: tuple[Departure, ...] = (
    departure(
        "training",
        "each layer by itself, then all together",
        "all layers together",
        why="with ReLU and He's start the layers below learn at once",
        test="models/test_generative.py::test_an_image_comes_back_at_its_size_and_every_weight_learns",
    ),
    departure(
        "weights of the way back",
        "those of the way down, mirrored",
        "its own",
        test="timeline/ledgers/test_generative.py::test_the_way_back_has_its_own_weights",
    ),
    departure("going coarser", "max-pooling", **_COARSER),
    departure(
        "activation",
        "scaled tanh",
        "ReLU",
        test="timeline/ledgers/test_generative.py::test_units_are_rectifiers",
    ),
    departure(
        "code",
        "the maps of the last convolution",
        "a dense layer's numbers",
        why="a code of any size, whatever the image's",
        switch="code_size",
        test="models/test_generative.py::test_an_image_comes_back_at_its_size_and_every_weight_learns",
    ),
)

VAE: tuple[Departure, ...] = (
    departure(
        "layers",
        "one hidden layer of 500 tanh units on either side",
        "convolutions, ReLU",
        why="the layers of its parent, so that the two differ in the bottleneck alone",
        test="models/test_generative.py::test_the_vae_is_its_definition",
    ),
    departure(
        "distribution of a pixel",
        "Bernoulli for MNIST; normal with a learnt deviation for faces",
        "normal with the deviation 1 of standardised pixels",
        why="pixels of any image; then the loss is the squared error",
        test="objectives/test_reconstruction.py::"
        "test_the_bounds_are_in_order_below_the_likelihood_of_a_linear_model",
    ),
    departure(
        "in evaluation",
        "codes are drawn",
        "the code's mean, so that outputs are reproducible",
        test="models/test_generative.py::test_evaluation_repeats_and_training_draws",
    ),
    departure("going coarser", "no convolutions", **_COARSER),
    departure(
        "optimizer",
        "Adagrad",
        "Adam",
        switch="--optimizer",
        test="timeline/ledgers/test_recipes.py::test_adam_by_default",
    ),
)
