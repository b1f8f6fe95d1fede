"""What a person means by a model: a name of the timeline, a run folder, a config, or a module of her own."""

from collections.abc import Mapping
from dataclasses import is_dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from anncestry.errors import UserError
from anncestry.inspection.costs import without_weights
from anncestry.inspection.differences.side import Side, same_input
from anncestry.inspection.example_inputs import (
    DEFAULT_INPUTS,
    OF_SEQUENCES,
    example_config,
    input_text,
    parse_input,
    signature_of_module,
)
from anncestry.models.create import architecture_of, configure
from anncestry.runs.folder import RunFolder
from anncestry.runs.own_modules import attribute, own_module
from anncestry.signature import Signature
from anncestry.timeline import Architecture, find, find_preset

Subject = Any
"""A `str`: an architecture, a preset, the path of a run folder, or ``module:attribute``; a `Path` or a `Run`;
a config of the timeline; a ``torch.nn.Module``, or what makes one when it is called without arguments."""


def configured(
    subject: str | Path | RunFolder,
    *,
    input: str | None = None,
    task: str | None = None,
    width: int | None = None,
    values: Mapping[str, Any] | None = None,
) -> tuple[Architecture, Any]:
    """The architecture and the config of a name or a run folder, of which nothing but its config is read.

    Args:
        input, task, width, values: of a name alone; see `anncestry.inspection.example_inputs.example_config`.

    Raises:
        UserError: a name, shape or field is not what it must be, or a run is given a size.
    """
    if not isinstance(subject, str) or is_run(subject):
        given = {"input": input, "task": task, "width": width, **(values or {})}
        for option, value in given.items():
            if value is not None:
                rule = "a run has its size; name its architecture to try another one"
                raise UserError(option, value, rule)
        run = subject if isinstance(subject, RunFolder) else RunFolder(subject)
        return run.architecture, configure(run.architecture.id, run.config["model"])
    if Path(subject).is_dir() and "/" in subject:
        raise UserError("model", subject, "is a folder, but no run folder: it has no config.json")
    return example_config(subject, input=input, task=task, width=width, fields=values)


def config_class(subject: str | Path | RunFolder) -> type:
    """The class of the config of a name or a run folder.

    Raises:
        UserError: there is no such name or run.
    """
    if isinstance(subject, RunFolder) or is_run(subject):
        run = subject if isinstance(subject, RunFolder) else RunFolder(subject)
        return run.architecture.config_class()
    return find(str(subject)).config_class()


def is_run(subject: str | Path) -> bool:
    """Whether it is the path of a run folder."""
    return (Path(subject).expanduser() / "config.json").is_file()


def find_sides(
    a: Subject, b: Subject, input: str | None = None, task: str | None = None
) -> tuple[Side, Side, list[str]]:
    """Both sides of a comparison, and notes on what they are given.

    The input is the given one; else that of the side whose sizes are fixed (a preset, a run, a module with a
    config); else one that both fit; else each has its own.

    Raises:
        UserError: a name is not known, a folder is no run, a module cannot be made; the input or the task
            does not fit one of the two.
    """
    names = [subject for subject in (a, b) if isinstance(subject, str)]
    for name in dict.fromkeys(names):
        if is_free(name) or is_preset(name):
            require_fits(name, input, task)
    if is_free(a) and is_free(b):
        shared = _shared(find(a), find(b), input, task)
        first, second = (_named(name, shared[0], shared[1]) for name in (a, b))
    elif is_free(a):
        second = _side(b, input, task, None)
        first = _side(a, input, task, second.signature)
    else:
        first = _side(a, input, task, None)
        second = _side(b, input, task, first.signature)
    if first.signature is None and second.signature is not None:
        first = replace(first, signature=second.signature)
    return first, second, list(_notes(first, second))


def is_free(subject: Subject) -> bool:
    """Whether it is an architecture, whose sizes are yet to be chosen."""
    return _is_name(subject) and find_preset(subject) is None


def is_preset(subject: Subject) -> bool:
    """Whether it is a published size."""
    return _is_name(subject) and find_preset(subject) is not None


def _is_name(subject: Subject) -> bool:
    return isinstance(subject, str) and not is_run(subject) and ":" not in subject


def require_fits(name: str, input: str | None, task: str | None) -> None:
    """Raise a `UserError` that says what an architecture fits, where it does not fit what is given."""
    if "/" in name:
        is_folder = Path(name).expanduser().is_dir()
        rule = "is a folder, but no run folder: it has no config.json" if is_folder else "is no folder"
        raise UserError("model", name, rule)
    architecture = find(name)
    kinds = sorted({kind for kind, _ in architecture.fits})
    if input is not None:
        kind = parse_input(input)[0]
        if kind not in kinds:
            choices = [f"{known} ({DEFAULT_INPUTS[known]})" for known in kinds]
            raise UserError("input", input, f"reads as {kind}, which does not fit {name}", choices)
        kinds = [kind]
    if task is not None and not any((kind, task) in architecture.fits for kind in kinds):
        choices = sorted({known for kind, known in architecture.fits if kind in kinds})
        of = f" with {kinds[0]} inputs" if input is not None else ""
        raise UserError("task", task, f"does not fit {name}{of}", choices)


def _shared(
    a: Architecture, b: Architecture, input: str | None, task: str | None
) -> tuple[str | None, str | None]:
    """The input and the task that both are shown with; None where each has its own."""
    pairs = {pair for pair in a.fits & b.fits if task in (None, pair[1])}
    kinds = {kind for kind, _ in pairs} or {kind for kind, _ in a.fits} & {kind for kind, _ in b.fits}
    order = tuple(DEFAULT_INPUTS) if "vector" in kinds else OF_SEQUENCES
    kind = parse_input(input)[0] if input is not None else next((k for k in order if k in kinds), None)
    if kind is None:
        return None, task
    tasks = sorted(known for of, known in pairs if of == kind)
    usual = "language-model" if kind == "tokens" else "classification"
    shared = usual if usual in tasks or not tasks else tasks[0]
    return input or DEFAULT_INPUTS[kind], task or (shared if tasks else None)


def _side(subject: Subject, input: str | None, task: str | None, other: Signature | None) -> Side:
    if isinstance(subject, Path | RunFolder) or (isinstance(subject, str) and is_run(subject)):
        return _of_run(subject, input, task)
    if is_dataclass(subject) and not isinstance(subject, type | nn.Module):
        config: Any = subject
        return _built(type(config).__name__, architecture_of(config), config)
    if not isinstance(subject, str) or ":" in subject:
        return _own(subject, input, task, other)
    if is_preset(subject) or other is None or input is not None or task is not None:
        return _named(subject, input, task)
    fits = find(subject).fits
    if other.inputs not in {kind for kind, _ in fits}:
        return _named(subject, None, None)
    return _named(subject, input_text(other), other.task if (other.inputs, other.task) in fits else None)


def _named(name: str, input: str | None, task: str | None) -> Side:
    architecture, config = configured(name, input=input, task=task)
    return _built(name, architecture, config, free=is_free(name))


def _built(name: str, architecture: Architecture, config: Any, **more: Any) -> Side:
    def make() -> nn.Module:
        return architecture.build(config)

    given = {"shadow": without_weights(make), "make": make, **more}
    return Side(name=name, architecture=architecture, config=config, signature=config.signature, **given)


def _of_run(subject: str | Path | RunFolder, input: str | None, task: str | None) -> Side:
    name = str(subject.folder if isinstance(subject, RunFolder) else subject)
    folder = Path(name).expanduser()
    try:
        architecture, config = configured(folder, input=input, task=task)
    except UserError as error:
        if '"model_type"' not in (folder / "config.json").read_text(encoding="utf-8", errors="replace"):
            raise
        hint = f"Import it first: anncestry import {name} FOLDER"
        raise UserError("model", name, "is a folder of Hugging Face's", hint=hint) from error

    def records() -> dict[str, Any]:
        run = RunFolder(folder)
        return {"training": run.config["training"], "data": run.config["data"] or {}, "scores": run.scores()}

    more: dict[str, Any] = {"records": records}
    if (folder / "model.safetensors").is_file():
        more |= {"make": lambda: RunFolder(folder).model, "trained": True}
    return _built(name, architecture, config, **more)


def _own(subject: Subject, input: str | None, task: str | None, other: Signature | None) -> Side:
    """A person's own module, or one that is named ``module:attribute``."""
    if isinstance(subject, str):
        name, found = subject, attribute(subject)
    else:
        kind: Any = subject if hasattr(subject, "__name__") else type(subject)
        name, found = kind.__name__, subject
    own = own_module(found, name)
    config = getattr(own.shadow, "config", None)
    entry = None if isinstance(subject, str) else entry_of(config)
    described = getattr(config, "signature", None)
    signature = signature_of_module(input, task) if input is not None else described or other
    return Side(
        name=name,
        architecture=entry,
        config=config if entry is not None else None,
        signature=signature,
        shadow=own.shadow,
        make=own.make,
        trained=own.trained,
    )


def entry_of(config: Any) -> Architecture | None:
    """The first entry of the timeline that is built from this class of config; None for any other object."""
    try:
        return architecture_of(config)
    except UserError:
        return None


def _notes(a: Side, b: Side):
    """What a reader must know about what the two are given."""
    one, other, same = same_input(a, b)
    for side in (a, b):
        if side.signature is None:
            yield f"{side.name} has no config that says what it reads; --input and --task say it"
    if one is None or other is None:
        return
    if not same:
        shapes = ["x".join(map(str, signature.shape)) for signature in (one, other)]
        yield (
            f"each is given an input of its own: {a.name} {one.inputs} {shapes[0]}, "
            f"{b.name} {other.inputs} {shapes[1]}"
        )
    if one.task != other.task:
        yield f"asked of {a.name} is {one.task}, of {b.name} {other.task}"
