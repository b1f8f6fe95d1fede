"""The fidelity ledgers of the perceptrons, the multi-layer perceptron and the first convolutional net."""

from anncestry.timeline.architecture import Departure
from anncestry.timeline.common import departure

_MULTICLASS = departure(
    "more than two classes",
    "one unit against the rest for each class",
    "one rule for all: the right class must beat every other; for two it is the binary rule",
    why="one set of mistakes for all classes, and a bound on them",
    test="timeline/ledgers/test_feed_forward.py::test_the_right_class_must_beat_every_other",
)
_LOSS = departure(
    "loss",
    "squared error",
    "cross-entropy for classes, squared error for real values",
    why="metrics are of probabilities of classes",
    test="objectives/test_objective.py::test_classification_is_scikit_learns",
)


def _no_kernel(test: str) -> Departure:
    return departure(
        "kernel",
        "polynomial kernels of degree 1 to 6",
        "none: the inputs as they are",
        why="degree 1 is this; a kernel stores every mistake and is evaluated for each of them",
        test=f"models/test_perceptron.py::{test}",
    )


PERCEPTRON: tuple[Departure, ...] = (
    departure(
        "association layer",
        "fixed random connections from the retina to association units, in front of the trained unit",
        "the trained unit reads the inputs themselves",
        why="that layer learns nothing; any data may have passed through one",
        test="models/test_perceptron.py::test_two_classes_are_rosenblatts_rule",
    ),
    departure(
        "more than two classes",
        "units that output yes or no",
        "one rule for all: the right class must beat every other; for two it is Rosenblatt's",
        test="timeline/ledgers/test_feed_forward.py::test_the_right_class_must_beat_every_other",
    ),
    departure(
        "size of a correction",
        "any",
        "1",
        why="from zero weights it only rescales them",
        test="timeline/ledgers/test_feed_forward.py::test_the_size_of_a_correction_only_rescales",
    ),
    departure(
        "an output of exactly zero",
        "a mistake",
        "a mistake",
        "not consulted; code that corrects below zero alone never leaves its zero weights",
        test="models/test_perceptron.py::test_outputs_are_those_before_the_own_update",
    ),
)

ADALINE: tuple[Departure, ...] = (
    departure(
        "step",
        "a chosen part of the error is corrected at every example",
        "a fixed step, in units of 1 / (D + 1)",
        why="so its bound is 2 for standardised inputs of any size",
        switch="learning_rate",
        test="models/test_adaline.py::test_one_example_by_hand",
    ),
    departure(
        "outputs",
        "one unit that outputs +1 or -1",
        "one unit for each class against the rest, or for each real-valued target",
        test="models/test_adaline.py::test_criterion_is_the_squared_error",
    ),
)

MLP: tuple[Departure, ...] = (
    departure(
        "hidden unit",
        "the logistic function",
        'ReLU with He\'s initialisation; `activation="sigmoid", init="glorot"` is the paper\'s kind',
        why="it trains in more layers",
        switch="activation, init",
        test="timeline/ledgers/test_feed_forward.py::test_units_and_start_of_an_mlp",
    ),
    _LOSS,
    departure(
        "optimiser",
        "the gradient of all examples, with momentum",
        "mini-batches with Adam; `--optimizer sgd` has momentum",
        switch="--optimizer",
        test="timeline/ledgers/test_recipes.py::test_adam_by_default",
    ),
    departure(
        "digits of the presets mlp-800 and mlp-ciresan",
        "distorted anew in every pass, by elastic deformations too",
        "as they are; `--augment shift` moves them",
        why="the presets are the published sizes; their errors with distortions are not ours",
        switch="--augment",
        test="timeline/ledgers/test_recipes.py::test_what_presets_are_trained_with",
    ),
)

AVERAGED_PERCEPTRON: tuple[Departure, ...] = (
    _MULTICLASS,
    _no_kernel("test_averaged_is_the_mean_of_all_weights"),
    departure(
        "what is averaged",
        "the weights, each as often as it survived an example",
        "the same, bias included, and the zero weights before the first example",
        why="they only rescale the mean; over mistakes alone it would be another, worse algorithm",
        test="models/test_perceptron.py::test_averaged_is_the_mean_of_all_weights",
    ),
)

VOTED_PERCEPTRON: tuple[Departure, ...] = (
    _MULTICLASS,
    _no_kernel("test_voted_counts_every_vector"),
    departure(
        "memory",
        "every weight vector votes",
        "the latest of them; a quarter of them goes when they are full",
        why="under noise mistakes never end",
        switch="max_vectors",
        test="models/test_perceptron.py::test_voted_forgets_the_oldest_votes_and_nothing_else",
    ),
)

CNN: tuple[Departure, ...] = (
    departure(
        "going coarser",
        "every second position is taken (stride 2)",
        "pooling layers; CONV5/2 in a pattern takes every second position",
        switch="pattern",
        test="timeline/ledgers/test_feed_forward.py::test_a_cnn_pools_unless_a_stride_is_written",
    ),
    departure(
        "connections of the second layer",
        "a table says which maps each map reads",
        "every map reads all maps of the layer before",
        why="the table saved multiplications; no choice of maps is known to be better",
        test="models/test_cnn.py::test_planned_shapes_and_parameters_are_those_of_the_layers",
    ),
    departure(
        "hidden unit",
        "scaled tanh",
        "ReLU with He's initialisation; TANH in a pattern",
        switch="pattern, init",
        test="models/test_cnn.py::test_he_initialisation",
    ),
    _LOSS,
)
