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
_SEQUENCES = frozenset(
    {("image", "classification"), ("image", "regression"), ("tokens", "classification"),
     ("series", "classification"), ("series", "regression"), ("series", "forecasting")}
)  # fmt: skip
_CAUSAL = _SEQUENCES | {("tokens", "language-model")}
_RECURRENT_RECIPE = {"learning_rate": 2e-3, "clip_norm": 1.0}

TIMELINE: tuple[Architecture, ...] = (
    Architecture(
        id="mlp",
        name="Multi-layer perceptron",
        year=1986,
        paper="Rumelhart, Hinton & Williams, Learning representations by back-propagating errors, Nature 323",
        parents=("perceptron", "adaline"),
        adds="hidden layers of differentiable units, trained by the chain rule",
        removes="the hard threshold",
        fits=_FLAT,
        module="mlp",
        model="MLP",
        config="MLPConfig",
        aliases=("feed-forward", "ffn"),
    ),
    Architecture(
        id="rnn",
        name="Simple recurrent network",
        year=1990,
        paper="Elman, Finding structure in time, Cognitive Science 14",
        parents=("mlp",),
        adds="the hidden state fed back as context",
        removes="the fixed input window",
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
        fits=_SEQUENCES,
        module="brnn",
        model="BRNN",
        config="BRNNConfig",
        recipe=_RECURRENT_RECIPE,
        aliases=("bidirectional",),
    ),
    Architecture(
        id="lstm",
        name="Long short-term memory",
        year=2000,
        paper="Hochreiter & Schmidhuber, Neural Computation 9 (1997); Gers, Schmidhuber & Cummins, NC 12 (2000)",
        parents=("rnn",),
        adds="an additive memory cell behind input, forget and output gates",
        removes="repeated squashing of the carried state",
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
        fits=_CAUSAL,
        module="gru",
        model="GRU",
        config="GRUConfig",
        recipe=_RECURRENT_RECIPE,
    ),
)
