"""The two sides of a comparison: what a name, a run folder or a person's own module stands for, and the input
that both are given.

Imports no torch until a side is looked for.
"""

import importlib
import operator
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anncestry.cli.show import DEFAULT_INPUTS, NUM_CLASSES, Arguments, configured, parse_shape
from anncestry.errors import UserError, nearest
from anncestry.timeline import Architecture, find, find_preset

if TYPE_CHECKING:
    from torch import nn

    from anncestry.signature import Signature

_OF_SEQUENCES = ("series", "image", "tokens", "characters")  # the order in which inputs are preferred there


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of two models.

    Attributes:
        name: as it was given.
        architecture, config: of the timeline; None for a person's own module.
        signature: the learning problem; None where nothing says what a module reads.
        shadow: the model without weights, where it can be made so.
        make: the model with weights: a run's own, else random ones.
        trained: whether these are its own.
        run: its folder.
    """

    name: str
    architecture: Architecture | None = None
    config: Any = None
    signature: "Signature | None" = None
    shadow: "nn.Module"
    make: "Callable[[], nn.Module]"
    trained: bool = False
    run: Path | None = None


def find_sides(a: str, b: str, input: str | None, task: str | None) -> tuple[Side, Side, list[str]]:
    """Both sides, and notes on what they are given.

    The input is the given one; else that of the side whose sizes are fixed (a preset, a run, a module with a
    config); else one that both fit; else each has its own.

    Raises:
        UserError: a name is not known, a folder is no run, a module cannot be made; the input or the task
            does not fit one of the two.
    """
    for name in dict.fromkeys((a, b)):
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


def is_free(name: str) -> bool:
    """Whether it is an architecture, whose sizes are yet to be chosen."""
    return not _is_run(name) and ":" not in name and find_preset(name) is None


def is_preset(name: str) -> bool:
    return not _is_run(name) and ":" not in name and find_preset(name) is not None


def _is_run(name: str) -> bool:
    return (Path(name).expanduser() / "config.json").is_file()


def require_fits(name: str, input: str | None, task: str | None) -> None:
    """Raise a `UserError` that says what an architecture fits, where it does not fit what is given."""
    if "/" in name:
        is_folder = Path(name).expanduser().is_dir()
        rule = "is a folder, but no run folder: it has no config.json" if is_folder else "is no folder"
        raise UserError("model", name, rule)
    architecture = find(name)
    kinds = sorted({kind for kind, _ in architecture.fits})
    if input is not None:
        kind = parse_shape(input)[0]
        if kind not in kinds:
            choices = [f"{known} ({DEFAULT_INPUTS[known]})" for known in kinds]
            raise UserError("--input", input, f"reads as {kind}, which does not fit {name}", choices)
        kinds = [kind]
    if task is not None and not any((kind, task) in architecture.fits for kind in kinds):
        choices = sorted({known for kind, known in architecture.fits if kind in kinds})
        of = f" with {kinds[0]} inputs" if input is not None else ""
        raise UserError("--task", task, f"does not fit {name}{of}", choices)


def _shared(
    a: Architecture, b: Architecture, input: str | None, task: str | None
) -> tuple[str | None, str | None]:
    """The input and the task that both are shown with; None where each has its own."""
    pairs = {pair for pair in a.fits & b.fits if task in (None, pair[1])}
    kinds = {kind for kind, _ in pairs} or {kind for kind, _ in a.fits} & {kind for kind, _ in b.fits}
    order = tuple(DEFAULT_INPUTS) if "vector" in kinds else _OF_SEQUENCES
    kind = parse_shape(input)[0] if input is not None else next((k for k in order if k in kinds), None)
    if kind is None:
        return None, task
    tasks = sorted(known for of, known in pairs if of == kind)
    usual = "language-model" if kind == "tokens" else "classification"
    shared = usual if usual in tasks or not tasks else tasks[0]
    return input or DEFAULT_INPUTS[kind], task or (shared if tasks else None)


def _side(name: str, input: str | None, task: str | None, other: "Signature | None") -> Side:
    if _is_run(name):
        return _of_run(name, input, task)
    if ":" in name:
        return _own(name, input, task, other)
    if is_preset(name) or other is None or input is not None or task is not None:
        return _named(name, input, task)
    fits = find(name).fits
    if other.inputs not in {kind for kind, _ in fits}:
        return _named(name, None, None)
    return _named(name, spelled(other), other.task if (other.inputs, other.task) in fits else None)


def _named(name: str, input: str | None, task: str | None) -> Side:
    architecture, config = configured(Arguments(name, input=input, task=task))
    return _built(Side, name, architecture, config)


def _built(make: type[Side], name: str, architecture: Architecture, config: Any, **more: Any) -> Side:
    from anncestry.inspection.costs import without_weights

    def build() -> "nn.Module":
        return architecture.build(config)

    given = {"shadow": without_weights(build), "make": build, **more}
    return make(name=name, architecture=architecture, config=config, signature=config.signature, **given)


def _of_run(name: str, input: str | None, task: str | None) -> Side:
    from anncestry.runs.run import Run

    folder = Path(name).expanduser()
    try:
        architecture, config = configured(Arguments(str(folder), input=input, task=task))
    except UserError as error:
        if '"model_type"' not in (folder / "config.json").read_text(encoding="utf-8", errors="replace"):
            raise
        hint = f"Import it first: anncestry import {name} FOLDER"
        raise UserError("model", name, "is a folder of Hugging Face's", hint=hint) from error
    made = _built(Side, name, architecture, config, run=folder)
    if not (folder / "model.safetensors").is_file():
        return made
    return replace(made, make=lambda: Run(folder).model, trained=True)


def _own(name: str, input: str | None, task: str | None, other: "Signature | None") -> Side:
    """A person's own module, of a module that Python finds from here."""
    from torch import nn

    found: Any = _attribute(name)
    make: Any
    if isinstance(found, nn.Module):
        make, shadow = lambda: found, found
    elif callable(found):
        try:
            make, shadow = found, _shadow(make=found)
        except Exception as error:  # it is the person's code, which may raise anything
            rule = f"cannot be made without arguments ({type(error).__name__}: {error})"
            hint = "Name a torch.nn.Module, or a function without arguments that makes one."
            raise UserError("model", name, rule, hint=hint) from error
    else:
        make, shadow = None, None
    if make is None or not isinstance(shadow, nn.Module):
        kind = type(found if shadow is None else shadow).__name__
        rule = f"is a {kind}; it must be a torch.nn.Module, or a class or function that makes one"
        raise UserError("model", name, rule)
    own = getattr(getattr(shadow, "config", None), "signature", None)
    signature = _signature(input, task) if input is not None else own or other
    trained = isinstance(found, nn.Module)
    return Side(name=name, signature=signature, shadow=shadow, make=make, trained=trained)


def _shadow(make: Any) -> Any:
    """On the meta device where that can be: a person's own module may look at its weights."""
    from anncestry.inspection.costs import without_weights

    try:
        return without_weights(make)
    except (RuntimeError, NotImplementedError, AttributeError):
        return make()


def _attribute(name: str) -> Any:
    module_name, _, path = name.partition(":")
    if not module_name or not path:
        raise UserError("model", name, "must be written module:attribute")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # an installed command does not look where it is called
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # whatever the person's file raises
        rule = f"cannot be imported ({type(error).__name__}: {error})"
        raise UserError("model", name, rule, hint="It is looked for from this folder on.") from error
    try:
        return operator.attrgetter(path)(module)
    except AttributeError as error:
        known = [attribute for attribute in vars(module) if not attribute.startswith("_")]
        raise UserError("model", name, f"{module_name} has no {path}", nearest(path, known)) from error


def _signature(input: str, task: str | None) -> "Signature":
    """The learning problem of a module without a config: what it reads; its answers are not looked at."""
    from anncestry.signature import GENERATION_TASKS, Signature

    inputs, shape, vocab_size = parse_shape(input)
    task = task or ("language-model" if inputs == "tokens" else "classification")
    length = shape[0] if task in GENERATION_TASKS else 0
    output_size = {"reconstruction": _product(shape), "span": 2}.get(task, vocab_size or NUM_CLASSES)
    return Signature(task, inputs, shape, output_size, vocab_size, target_len=length)  # pyright: ignore


def _product(sizes: tuple[int, ...]) -> int:
    import math

    return math.prod(sizes)


def spelled(signature: "Signature") -> str:
    """The input of a signature as ``--input`` has it."""
    shape = "x".join(map(str, signature.shape))
    if signature.inputs == "tokens":
        return f"tokens:{shape}x{signature.vocab_size}"
    return f"characters:{shape}" if signature.inputs == "characters" else shape


def _shape(signature: "Signature") -> str:
    return "x".join(map(str, signature.shape))


def same_input(a: Side, b: Side) -> "tuple[Signature | None, Signature | None, bool]":
    """What both are run on, and whether it is the same: sequences are cut to the shorter of the two.

    The vocabulary is a size of the model, not of the input.
    """
    one, other = a.signature, b.signature
    if one is None or other is None:
        return one, other, False
    if one.inputs != other.inputs or one.shape[1:] != other.shape[1:]:
        return one, other, False
    if one.inputs in ("series", "tokens", "characters"):
        steps, answer = min(one.shape[0], other.shape[0]), min(one.target_len, other.target_len)
        one, other = (
            replace(of, shape=(steps, *of.shape[1:]), target_len=answer or of.target_len)
            for of in (one, other)
        )
    return one, other, one.shape == other.shape


def _notes(a: Side, b: Side):
    """What a reader must know about what the two are given."""
    one, other, same = same_input(a, b)
    for side in (a, b):
        if side.signature is None:
            yield f"{side.name} has no config that says what it reads; --input and --task say it"
    if one is None or other is None:
        return
    if not same:
        yield (
            f"each is given an input of its own: {a.name} {one.inputs} {_shape(one)}, "
            f"{b.name} {other.inputs} {_shape(other)}"
        )
    if one.task != other.task:
        yield f"asked of {a.name} is {one.task}, of {b.name} {other.task}"
