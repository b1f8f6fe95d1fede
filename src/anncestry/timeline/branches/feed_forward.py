"""The feed-forward line: the perceptrons and the multi-layer perceptron; and the first convolutional net."""

from anncestry.timeline.architecture import Architecture, Departure, Preset
from anncestry.timeline.common import CLASSES, FLAT, FLAT_CLASSES, departure

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
    why="what is scored are probabilities of classes",
    test="objectives/test_objective.py::test_classification_is_scikit_learns",
)


def _no_kernel(test: str) -> Departure:
    return departure(
        "kernel",
        "polynomial kernels of degree 1 to 6",
        "none: the inputs as they are",
        why="degree 1 is this; a kernel keeps every mistake and is asked for each of them",
        test=f"models/test_perceptron.py::{test}",
    )


def _mnist_mlp(
    name: str, hidden_sizes: tuple[int, ...], num_parameters: int, source: str, activation: str, init: str
) -> Preset:
    config = {
        "task": CLASSES,
        "inputs": "image",
        "input_shape": (1, 28, 28),
        "hidden_sizes": hidden_sizes,
        "output_size": 10,
        "activation": activation,
        "init": init,
        "dropout": 0.0,
    }
    return Preset(name=name, config=config, num_parameters=num_parameters, source=source)


def _lenet(name: str, image_size: int, pattern: str, num_parameters: int, source: str) -> Preset:
    config = {
        "task": CLASSES,
        "input_shape": (1, image_size, image_size),
        "output_size": 10,
        "pattern": pattern,
        "padding": "valid",
        "init": "lecun",
    }
    return Preset(name=name, config=config, num_parameters=num_parameters, source=source)


_LECUN_1998 = "LeCun et al., Proc. IEEE 86 (1998), MNIST"

FEED_FORWARD: tuple[Architecture, ...] = (
    Architecture(
        id="perceptron",
        name="Perceptron",
        year=1958,
        paper="Rosenblatt, The perceptron: a probabilistic model, Psychological Review 65",
        parents=(),
        adds="a threshold unit whose weights are learnt from its own errors",
        removes="the hand-set weights of the McCulloch-Pitts unit",
        departures=(
            departure(
                "association layer",
                "fixed random connections from the retina to association units, in front of the trained unit",
                "the trained unit reads the inputs themselves",
                why="that layer learns nothing; any data may have passed through one",
                test="models/test_perceptron.py::test_two_classes_are_rosenblatts_rule",
            ),
            departure(
                "more than two classes",
                "units that answer yes or no",
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
                "a score of exactly zero",
                "a mistake",
                "a mistake",
                "not consulted; code that corrects below zero alone never leaves its zero weights",
                test="models/test_perceptron.py::test_outputs_are_those_before_the_own_update",
            ),
        ),
        one_class=True,
        fits=FLAT_CLASSES,
        module="perceptron",
        model="Perceptron",
        config="PerceptronConfig",
        has_width=False,
        aliases=("rosenblatt",),
    ),
    Architecture(
        id="adaline",
        name="ADALINE",
        year=1960,
        paper="Widrow & Hoff, Adaptive switching circuits, IRE WESCON Convention Record",
        parents=("perceptron",),
        adds="the squared error of the linear output (delta rule, LMS)",
        removes="the threshold inside the learning rule",
        departures=(
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
                "one unit that answers +1 or -1",
                "one unit for each class against the rest, or for each real-valued target",
                test="models/test_adaline.py::test_criterion_is_the_squared_error",
            ),
        ),
        one_class=True,
        fits=FLAT,
        module="adaline",
        model="Adaline",
        config="AdalineConfig",
        has_width=False,
        aliases=("lms", "widrow-hoff"),
    ),
    Architecture(
        id="mlp",
        name="Multi-layer perceptron",
        year=1986,
        paper="Rumelhart, Hinton & Williams, Learning representations by back-propagating errors, Nature 323",
        parents=("perceptron", "adaline"),
        adds="hidden layers of differentiable units, trained by the chain rule",
        removes="the hard threshold",
        departures=(
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
                test="timeline/ledgers/test_recipes.py::test_adam_unless_told",
            ),
            departure(
                "digits of the presets mlp-800 and mlp-ciresan",
                "distorted anew in every pass, by elastic deformations too",
                "as they are; `--augment shift` moves them",
                why="the presets are the published sizes; their errors with distortions are not ours",
                switch="--augment",
                test="timeline/ledgers/test_recipes.py::test_what_presets_are_trained_with",
            ),
        ),
        fits=FLAT,
        module="mlp",
        model="MLP",
        config="MLPConfig",
        presets=(
            _mnist_mlp("mlp-300", (300,), 238_510, _LECUN_1998, "scaled-tanh", "lecun"),
            _mnist_mlp("mlp-1000", (1000,), 795_010, _LECUN_1998, "scaled-tanh", "lecun"),
            _mnist_mlp("mlp-300-100", (300, 100), 266_610, _LECUN_1998, "scaled-tanh", "lecun"),
            _mnist_mlp("mlp-500-150", (500, 150), 469_160, _LECUN_1998, "scaled-tanh", "lecun"),
            _mnist_mlp(
                "mlp-800",
                (800,),
                636_010,
                "the sizes of Simard, Steinkraus & Platt, ICDAR 2003, MNIST",
                "tanh",
                "glorot",
            ),
            _mnist_mlp(
                "mlp-ciresan",
                (2500, 2000, 1500, 1000, 500),
                11_972_510,
                "Ciresan et al., Neural Computation 22 (2010), MNIST",
                "scaled-tanh",
                "lecun",
            ),
        ),
        aliases=("feed-forward", "ffn"),
    ),
    Architecture(
        id="averaged-perceptron",
        name="Averaged perceptron",
        year=1999,
        paper="Freund & Schapire, Large margin classification using the perceptron, Machine Learning 37",
        parents=("perceptron",),
        adds="the answer by the average of all weights along the way",
        removes="the last weights as the only judge",
        departures=(
            _MULTICLASS,
            _no_kernel("test_averaged_is_the_mean_of_all_weights"),
            departure(
                "what is averaged",
                "the weights, each as often as it survived an example",
                "the same, bias included, and the zero weights before the first example",
                why="they only rescale the mean; over mistakes alone it would be another, worse algorithm",
                test="models/test_perceptron.py::test_averaged_is_the_mean_of_all_weights",
            ),
        ),
        one_class=True,
        fits=FLAT_CLASSES,
        module="averaged_perceptron",
        model="AveragedPerceptron",
        config="AveragedPerceptronConfig",
        has_width=False,
    ),
    Architecture(
        id="voted-perceptron",
        name="Voted perceptron",
        year=1999,
        paper="Freund & Schapire, Large margin classification using the perceptron, Machine Learning 37",
        parents=("perceptron",),
        adds="the vote of every weight vector, weighted by the examples it survived",
        removes="the last weights as the only judge",
        departures=(
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
        ),
        fits=FLAT_CLASSES,
        module="voted_perceptron",
        model="VotedPerceptron",
        config="VotedPerceptronConfig",
        has_width=False,
    ),
)

FIRST_CONVOLUTIONAL = Architecture(
    id="cnn",
    name="Convolutional network",
    year=1989,
    paper="LeCun et al., Backpropagation applied to handwritten zip code recognition, Neural Comp. 1",
    parents=("mlp",),
    adds="convolution kernels: local windows with shared weights, trained by back-propagation",
    removes="the dense first layers",
    departures=(
        departure(
            "going coarser",
            "every second place is taken (stride 2)",
            "pooling layers; CONV5/2 in a pattern takes every second place",
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
    ),
    fits=frozenset({("image", CLASSES), ("image", "regression")}),
    module="cnn",
    model="CNN",
    config="CNNConfig",
    presets=(
        _lenet(
            "lenet-1-modern",
            28,
            "INPUT -> CONV5-4 -> TANH -> AVGPOOL2 -> CONV5-12 -> TANH -> AVGPOOL2 -> FC",
            3_246,
            "the maps of LeNet-1 (LeCun et al. 1990), fully connected, plain average pooling",
        ),
        _lenet(
            "lenet-5-modern",
            32,
            "INPUT -> CONV5-6 -> TANH -> AVGPOOL2 -> CONV5-16 -> TANH -> AVGPOOL2"
            " -> FC-120 -> TANH -> FC-84 -> TANH -> FC",
            61_706,
            "the sizes of LeNet-5 (LeCun et al. 1998) with full C3, plain pooling and a dense output",
        ),
    ),
    aliases=("convnet",),
)
"""Of the convolutional branch; what it shares with the nets here is here."""
