"""Options as a table of what was given: the command line is parsed once, and says what stood on it.

A dataclass of options (`DataOptions`, `TrainingSettings`) has a default for every field. Which default is
right depends on the architecture and the data, and those are known only when the line has been parsed. So the
parser fills in no defaults: what it hands on holds the options that were given and nothing else.

Imports no torch.
"""

import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Annotated, Any, TypedDict

import tyro
from docstring_parser import parse

from anncestry.amounts import parse_seconds


def given(options: type, without: Sequence[str] = ()) -> Any:
    """The type that `tyro` fills with the given options of a dataclass: a `TypedDict` with no required key.

    Help is the dataclass's docstring, with each default beside its option.

    Args:
        without: fields that the command takes in another way.
    """
    kinds = typing.get_type_hints(options)
    helps = {part.arg_name: part.description for part in parse(options.__doc__ or "").params}
    table = {}
    for field in fields(options):
        if field.name in without:
            continue
        default = field.default if field.default is not MISSING else None
        hint = "" if default in (None, "", False) else f"(default: {default})"
        kind, extra = _without_none(kinds[field.name]), {}
        if field.name == "max_seconds":
            kind, extra = str, {"name": "max-time", "aliases": ("--max-seconds",), "metavar": "TIME"}
        table[field.name] = Annotated[
            kind, tyro.conf.arg(help=helps.get(field.name), help_behavior_hint=hint, **extra)
        ]
    return TypedDict(f"Given{options.__name__}", table, total=False)  # pyright: ignore


def _without_none(kind: Any) -> Any:
    """``int`` for ``int | None``: an option that is given has a value."""
    if typing.get_origin(kind) not in (types.UnionType, typing.Union):
        return kind
    (kind,) = (part for part in typing.get_args(kind) if part is not type(None))
    return kind


def values(options: Mapping[str, Any]) -> dict[str, Any]:
    """The given options as their dataclass takes them: times in seconds.

    Raises:
        UserError: a time is no number with a unit behind it.
    """
    found = dict(options)
    if "max_seconds" in found:
        found["max_seconds"] = parse_seconds(found["max_seconds"], "--max-time")
    return found


def flag(name: str) -> str:
    """An option as it is typed: ``--max-time`` for ``max_seconds``, ``--batch-size`` for ``batch_size``."""
    return "--max-time" if name == "max_seconds" else f"--{name.replace('_', '-')}"
