"""Options as a table of what was given: the command line is parsed once, and says what stood on it.

A dataclass of options (`DataOptions`, `TrainingSettings`) has a default for every field. Which default is
right depends on the architecture and the data, and those are known only when the line has been parsed. So the
parser fills in no defaults: what it hands on holds the options that were given and nothing else.

Imports no torch.
"""

import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Annotated, Any, TypedDict

import tyro
from docstring_parser import parse

from anncestry.amounts import parse_seconds
from anncestry.cli.groups import Group
from anncestry.cli.options import Default, unwrapped


def given(
    options: type, without: Sequence[str] = (), group_of: Callable[[str], Group | None] = lambda name: None
) -> Any:
    """The type that `tyro` fills with the given options of a dataclass: a `TypedDict` with no required key.

    Help is the dataclass's docstring.

    Args:
        without: fields that the command takes in another way.
        group_of: under which title each field stands in the help; default: what its type is annotated with.
    """
    kinds = typing.get_type_hints(options, include_extras=True)
    helps = {part.arg_name: part.description for part in parse(options.__doc__ or "").params}
    table = {}
    for field in fields(options):
        if field.name in without:
            continue
        (kind, extras), conf = unwrapped(kinds[field.name]), {}
        if field.name == "max_seconds":
            kind, conf = str, {"name": "max-time", "aliases": ("--max-seconds",), "metavar": "TIME"}
        groups = [group for group in (group_of(field.name), *extras) if isinstance(group, Group)]
        own = tyro.conf.arg(help=helps.get(field.name), **conf)
        table[field.name] = Annotated[kind, own, Default(field.default), *groups[:1]]
    return TypedDict(f"Given{options.__name__}", table, total=False)  # pyright: ignore


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
