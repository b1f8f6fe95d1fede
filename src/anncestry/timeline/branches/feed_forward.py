"""The feed-forward line: the perceptrons and the multi-layer perceptron; and the first convolutional net."""

from anncestry.timeline.architecture import Architecture, Preset
from anncestry.timeline.common import CLASSES, FLAT, FLAT_CLASSES
from anncestry.timeline.ledgers import feed_forward as ledger


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
        departures=ledger.PERCEPTRON,
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
        departures=ledger.ADALINE,
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
        departures=ledger.MLP,
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
        adds="prediction by the average of all weights along the way",
        removes="the last weights as the only judge",
        departures=ledger.AVERAGED_PERCEPTRON,
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
        departures=ledger.VOTED_PERCEPTRON,
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
    departures=ledger.CNN,
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
