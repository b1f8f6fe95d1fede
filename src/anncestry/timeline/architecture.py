"""What an entry of the timeline says. Plain data: its classes are named as text, so it imports no torch."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar

from anncestry.errors import UserError, nearest, require

if TYPE_CHECKING:
    from torch import nn

    from anncestry.signature import Signature


@dataclass(frozen=True, kw_only=True)
class Departure:
    """One line of the fidelity ledger: where paper, the authors' code and this project part ways.

    Attributes:
        subject: what it is about.
        paper, authors_code, ours: what each of them does.
        why: what decided for ours; empty where it says so itself.
        switch: the field of the config, or the option of a command, that changes it; empty where none does.
        test: the test that holds it, as ``models/test_bert.py::test_name`` below ``tests``.
    """

    subject: str
    paper: str
    authors_code: str
    ours: str
    why: str = ""
    switch: str = ""
    test: str = ""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A published or customary size: the config that makes it and the parameters it must count.

    Attributes:
        recipe: fields of ``TrainingSettings`` that were published with it, over the architecture's own.
        data: fields of ``DataOptions`` that were published with it, for data that have them.
    """

    name: str
    config: dict[str, Any]
    num_parameters: int
    source: str
    recipe: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """One node of the family tree.

    Attributes:
        id: its name on the command line.
        name: its name in prose.
        year: the first public version.
        paper: authors, title, venue.
        parents: ids, the main parent first; the others contributed one idea.
        adds, removes: the change against the main parent.
        departures: the fidelity ledger.
        fits: the pairs (kind of input, task) it can be built for; with a classification also multi-label.
        one_class: whether its learning rule is for one class, so that it cannot predict several labels.
        module: ``anncestry.models.`` file that holds it; the classes are ``model`` and ``config``.
        fixed: config fields that this entry sets (a variant that differs from its file's model by numbers).
        recipe: how it is trained by default (fields of ``TrainingSettings``).
        fine_tuning: the same for a task, once it was trained on text of any kind.
        data: fields of ``DataOptions`` that it needs, for data that have them.
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
    one_class: bool = False
    module: str
    model: str
    config: str
    fixed: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    fine_tuning: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    has_width: bool = True
    presets: tuple[Preset, ...] = ()
    aliases: tuple[str, ...] = ()
    timeline: ClassVar[tuple[Architecture, ...]] = ()
    """All entries, so that a refusal names those that would fit; `anncestry.timeline` sets it."""

    def __post_init__(self) -> None:
        if not self.one_class:  # the same net, see `Signature.for_net`
            labels = {(kind, "multi-label") for kind, task in self.fits if task == "classification"}
            object.__setattr__(self, "fits", self.fits | labels)

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
        """The config for a data set; for several labels it is that of a classification.

        Raises:
            UserError: it does not fit the data, or an override names no field of the config.
        """
        if not self.fits_signature(signature):
            fitting = [a.id for a in self.timeline if a.fits_signature(signature)]
            rule = f"does not fit {signature.inputs} inputs with the task {signature.task}"
            raise UserError("model", self.id, rule, fitting or ["none yet"])
        check_fields(self.config_class(), overrides, self.id)
        require(width is None or width >= 1, "width", width, "must be at least 1")
        return self.config_class().for_signature(
            signature.for_net, width=width, **{**self.fixed, **overrides}
        )

    def build(self, config: Any) -> nn.Module:
        """The model of a config."""
        return self.model_class()(config)


def check_fields(config_class: type, values: dict[str, Any], name: str) -> None:
    """Raise a `UserError` where ``values`` names no field of ``config_class``."""
    known = [f.name for f in fields(config_class)]
    for key in values:
        if key not in known:
            raise UserError(key, values[key], f"{name} has no such field", nearest(key, known))
