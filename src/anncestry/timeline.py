"""The one ordered catalogue of architectures. Everything that speaks of "all of them" reads it.

Entries are plain data and name their classes as text, so that listing the family imports no torch.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from anncestry.errors import UserError, nearest

if TYPE_CHECKING:
    from torch import nn

    from anncestry.signature import Signature


@dataclass(frozen=True, kw_only=True)
class Departure:
    """One line of the fidelity ledger: where paper, the authors' code and this project part ways."""

    subject: str
    paper: str
    authors_code: str
    ours: str


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A published or customary size: the config that makes it and the parameters it must count."""

    name: str
    config: dict[str, Any]
    num_parameters: int
    source: str


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """One node of the family tree.

    Attributes:
        id: its name on the command line.
        name: its name in prose.
        year: the first public version.
        paper: authors, title, place.
        parents: ids, the main parent first; the others contributed one idea.
        adds, removes: the change against the main parent.
        departures: the fidelity ledger.
        fits: the pairs (kind of input, task) it can be built for.
        module: ``anncestry.models.`` file that holds it; the classes are ``model`` and ``config``.
        fixed: config fields that this entry sets (a variant that differs from its file's model by numbers).
        recipe: how it is trained unless told otherwise (fields of ``TrainingSettings``).
        has_width: whether one number scales it (the race solves for it under equal parameters).
        presets: named sizes.
        aliases: other names it answers to.
    """

    id: str
    name: str
    year: int
    paper: str
    parents: tuple[str, ...]
    adds: str
    removes: str
    departures: tuple[Departure, ...] = ()
    fits: frozenset[tuple[str, str]]
    module: str
    model: str
    config: str
    fixed: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    has_width: bool = True
    presets: tuple[Preset, ...] = ()
    aliases: tuple[str, ...] = ()

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks it can be built for."""
        return tuple(dict.fromkeys(task for _, task in sorted(self.fits)))

    def config_class(self) -> type:
        """The frozen dataclass of its sizes."""
        return getattr(importlib.import_module(f"anncestry.models.{self.module}"), self.config)

    def model_class(self) -> type[nn.Module]:
        """The ``torch.nn.Module``; its only argument is a config."""
        return getattr(importlib.import_module(f"anncestry.models.{self.module}"), self.model)

    def fits_signature(self, signature: Signature) -> bool:
        """Whether it can be built for this learning problem."""
        return (signature.inputs, signature.task) in self.fits

    def configure(self, signature: Signature, *, width: int | None = None, **overrides: Any) -> Any:
        """The config for a data set.

        Raises:
            UserError: it does not fit the data, or an override names no field of the config.
        """
        if not self.fits_signature(signature):
            fitting = [a.id for a in TIMELINE if a.fits_signature(signature)]
            rule = f"does not fit {signature.inputs} inputs with the task {signature.task}"
            raise UserError("model", self.id, rule, fitting or ["none yet"])
        check_fields(self.config_class(), overrides, self.id)
        return self.config_class().for_signature(signature, width=width, **{**self.fixed, **overrides})

    def build(self, config: Any) -> nn.Module:
        """The model of a config."""
        return self.model_class()(config)


def check_fields(config_class: type, values: dict[str, Any], name: str) -> None:
    """Raise a `UserError` where ``values`` names no field of ``config_class``."""
    known = [f.name for f in fields(config_class)]
    for key in values:
        if key not in known:
            raise UserError(f"--set {key}", values[key], f"{name} has no such field", nearest(key, known))


def find(name: str) -> Architecture:
    """The architecture of that id, alias or preset; an underscore is read as a hyphen.

    Raises:
        UserError: nothing has that name; the nearest names are given.
    """
    wanted = name.strip().lower().replace("_", "-")
    for architecture in TIMELINE:
        names = (architecture.id, *architecture.aliases, *(preset.name for preset in architecture.presets))
        if wanted in names:
            return architecture
    raise UserError("model", name, "is not on the timeline", nearest(wanted, [a.id for a in TIMELINE]))


def find_preset(name: str) -> Preset | None:
    """The preset of that name, or None where the name is an architecture's own."""
    wanted = name.strip().lower().replace("_", "-")
    return next((p for a in TIMELINE for p in a.presets if p.name == wanted), None)


_CLASSES = "classification"
_FLAT = frozenset(
    (inputs, task)
    for inputs in ("vector", "image", "series")
    for task in ("classification", "regression", "forecasting")
)
_FLAT_CLASSES = frozenset((inputs, task) for inputs, task in _FLAT if task == _CLASSES)
_SEQUENCES = frozenset(
    {("image", "classification"), ("image", "regression"), ("tokens", "classification"),
     ("series", "classification"), ("series", "regression"), ("series", "forecasting")}
)  # fmt: skip
_CAUSAL = _SEQUENCES | {("tokens", "language-model")}
_RECURRENT_RECIPE = {"learning_rate": 2e-3, "clip_norm": 1.0}


def _departure(subject: str, paper: str, ours: str, authors_code: str = "not consulted") -> Departure:
    return Departure(subject=subject, paper=paper, authors_code=authors_code, ours=ours)


_MULTICLASS = _departure(
    "more than two classes",
    "one unit against the rest for each class",
    "one rule for all: the right class must beat every other; for two it is the binary rule",
)
_NO_KERNEL = _departure("kernel", "polynomial kernels of degree 1 to 6", "none: the inputs as they are")
_FULL_GRADIENT = _departure(
    "gradient",
    "cut where it leaves the memory cell through the gates (1997, 2000)",
    "full back-propagation through the window",
)
_FORGET_BIAS = _departure(
    "bias of the forget gate",
    "differs by experiment",
    "starts at 1, the later advice of Jozefowicz et al. (2015); `forget_bias`",
)
_BOTH_ENDS = _departure(
    "one answer for a whole sequence",
    "an answer for every step, from both nets at that step",
    "joins the forward net's last output with the backward net's output at the first step",
)


def _mnist_mlp(
    name: str, hidden_sizes: tuple[int, ...], num_parameters: int, source: str, activation: str, init: str
) -> Preset:
    config = {
        "task": _CLASSES,
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
        "task": _CLASSES,
        "input_shape": (1, image_size, image_size),
        "output_size": 10,
        "pattern": pattern,
        "padding": "valid",
        "init": "lecun",
    }
    return Preset(name=name, config=config, num_parameters=num_parameters, source=source)


_LECUN_1998 = "LeCun et al., Proc. IEEE 86 (1998), MNIST"

TIMELINE: tuple[Architecture, ...] = (
    Architecture(
        id="perceptron",
        name="Perceptron",
        year=1958,
        paper="Rosenblatt, The perceptron: a probabilistic model, Psychological Review 65",
        parents=(),
        adds="a threshold unit whose weights are learnt from its own errors",
        removes="the hand-set weights of the McCulloch-Pitts unit",
        departures=(
            _departure(
                "association layer",
                "fixed random connections from the retina to association units, in front of the trained unit",
                "the trained unit reads the inputs themselves",
            ),
            _departure(
                "more than two classes",
                "units that answer yes or no",
                "one rule for all: the right class must beat every other; for two it is Rosenblatt's",
            ),
        ),
        fits=_FLAT_CLASSES,
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
            _departure(
                "step",
                "a chosen part of the error is corrected at every example",
                "a fixed step, `learning_rate` in units of 1 / (D + 1)",
            ),
            _departure(
                "outputs",
                "one unit that answers +1 or -1",
                "one unit for each class against the rest, or for each real-valued target",
            ),
        ),
        fits=_FLAT,
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
            _departure(
                "hidden unit",
                "the logistic function",
                'ReLU with He\'s initialisation; `activation="sigmoid", init="glorot"` is the paper\'s kind',
            ),
            _departure("loss", "squared error", "cross-entropy for classes, squared error for real values"),
            _departure(
                "optimiser",
                "the gradient of all examples, with momentum",
                "mini-batches with Adam; `--optimizer sgd` has momentum",
            ),
        ),
        fits=_FLAT,
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
        id="cnn",
        name="Convolutional network",
        year=1989,
        paper="LeCun et al., Backpropagation applied to handwritten zip code recognition, Neural Comp. 1",
        parents=("mlp",),
        adds="convolution kernels: local windows with shared weights, trained by back-propagation",
        removes="the dense first layers",
        departures=(
            _departure("going coarser", "every second place is taken (stride 2)", "pooling layers"),
            _departure(
                "connections of the second layer",
                "a table says which maps each map reads",
                "every map reads all maps of the layer before",
            ),
            _departure("hidden unit", "scaled tanh", "ReLU with He's initialisation; TANH in a pattern"),
            _departure("loss", "squared error", "cross-entropy for classes, squared error for real values"),
        ),
        fits=frozenset({("image", _CLASSES), ("image", "regression")}),
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
    ),
    Architecture(
        id="rnn",
        name="Simple recurrent network",
        year=1990,
        paper="Elman, Finding structure in time, Cognitive Science 14",
        parents=("mlp",),
        adds="the hidden state fed back as context",
        removes="the fixed input window",
        departures=(
            _departure("hidden unit", "the logistic function", "tanh, or ReLU"),
            _departure(
                "gradient through time",
                "none: the last hidden state is copied and taken as a constant input",
                "back-propagation through the whole window",
            ),
        ),
        fits=_CAUSAL,
        module="rnn",
        model="RNN",
        config="RNNConfig",
        recipe=_RECURRENT_RECIPE,
        aliases=("elman",),
    ),
    Architecture(
        id="brnn",
        name="Bidirectional RNN",
        year=1997,
        paper="Schuster & Paliwal, Bidirectional recurrent neural networks, IEEE TSP 45",
        parents=("rnn",),
        adds="a second net that reads from the end",
        removes="the causal restriction",
        departures=(
            _BOTH_ENDS,
            _departure("depth", "one layer", "`num_layers`; the layers above the first read both directions"),
        ),
        fits=_SEQUENCES,
        module="brnn",
        model="BRNN",
        config="BRNNConfig",
        recipe=_RECURRENT_RECIPE,
        aliases=("bidirectional",),
    ),
    Architecture(
        id="averaged-perceptron",
        name="Averaged perceptron",
        year=1999,
        paper="Freund & Schapire, Large margin classification using the perceptron, Machine Learning 37",
        parents=("perceptron",),
        adds="the answer by the average of all weights along the way",
        removes="the last weights as the only judge",
        departures=(_MULTICLASS, _NO_KERNEL),
        fits=_FLAT_CLASSES,
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
            _NO_KERNEL,
            _departure("memory", "every weight vector votes", "the latest `max_vectors` of them"),
        ),
        fits=_FLAT_CLASSES,
        module="voted_perceptron",
        model="VotedPerceptron",
        config="VotedPerceptronConfig",
        has_width=False,
    ),
    Architecture(
        id="lstm",
        name="Long short-term memory",
        year=2000,
        paper="Hochreiter & Schmidhuber, Neural Computation 9 (1997); Gers et al., NC 12 (2000)",
        parents=("rnn",),
        adds="an additive memory cell behind input, forget and output gates",
        removes="repeated squashing of the carried state",
        departures=(
            _FULL_GRADIENT,
            _departure("blocks", "memory cells may share their gates", "every cell has its own gates"),
            _departure(
                "squashing",
                "4 sigma(x) - 2 for the cell's input and 2 sigma(x) - 1 for its output",
                "tanh for both",
            ),
            _FORGET_BIAS,
        ),
        fits=_CAUSAL,
        module="lstm",
        model="LSTM",
        config="LSTMConfig",
        recipe=_RECURRENT_RECIPE,
    ),
    Architecture(
        id="bilstm",
        name="Bidirectional LSTM",
        year=2005,
        paper="Graves & Schmidhuber, Framewise phoneme classification, Neural Networks 18",
        parents=("lstm", "brnn"),
        adds="LSTM cells in both directions",
        removes="the simple units of the BRNN",
        departures=(
            _departure("peepholes", "the gates see the cell", "they do not"),
            _BOTH_ENDS,
            _FORGET_BIAS,
        ),
        fits=_SEQUENCES,
        module="bilstm",
        model="BiLSTM",
        config="BiLSTMConfig",
        recipe=_RECURRENT_RECIPE,
    ),
    Architecture(
        id="stacked-lstm",
        name="Stacked LSTM",
        year=2013,
        paper="Graves, Mohamed & Hinton, Speech recognition with deep recurrent neural networks, 1303.5778",
        parents=("lstm",),
        adds="depth: each layer reads the output sequence of the one below",
        removes="the single layer",
        departures=(
            _departure("peepholes", "the gates see the cell", "they do not"),
            _departure(
                "direction",
                "mostly layers in both directions, trained with CTC or a transducer on speech",
                "one direction, so that the stack can also be run step by step",
            ),
            _FORGET_BIAS,
        ),
        fits=_CAUSAL,
        module="stacked_lstm",
        model="StackedLSTM",
        config="StackedLSTMConfig",
        recipe=_RECURRENT_RECIPE,
        aliases=("deep-lstm",),
    ),
    Architecture(
        id="gru",
        name="Gated recurrent unit",
        year=2014,
        paper="Cho et al., Learning phrase representations using RNN encoder-decoder, 1406.1078",
        parents=("lstm",),
        adds="an update gate that both keeps and writes",
        removes="the separate cell and the output gate",
        departures=(
            _departure(
                "reset gate",
                "before the recurrent product: U (r * h)",
                "after it: r * (U h + b), as in PyTorch and cuDNN; the weights are not interchangeable",
            ),
            _departure(
                "update gate",
                "z keeps the old state: z h + (1 - z) n",
                "the same; Chung et al. (1412.3555) write it the other way round",
            ),
            _departure(
                "around it",
                "an encoder and a decoder for phrases",
                "one network; the last output is read out",
            ),
        ),
        fits=_CAUSAL,
        module="gru",
        model="GRU",
        config="GRUConfig",
        recipe=_RECURRENT_RECIPE,
    ),
)
