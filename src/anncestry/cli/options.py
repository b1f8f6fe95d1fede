"""The options of a command, read from the fields of its ``Arguments``: names, types, defaults, docstrings.

Imports no torch.
"""

import ast
import inspect
import textwrap
import types
import typing
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Annotated, Any, Literal

import tyro

from anncestry.cli.groups import INPUT, OTHER, Group


@dataclass(frozen=True)
class Default:
    """What an option is where it is not given; an annotation of options that the parser leaves out then."""

    value: Any


@dataclass(frozen=True, kw_only=True)
class Option:
    """One option of a command, or one argument without a flag.

    Attributes:
        name: its field.
        shown: how it is typed: ``--batch-size INT``; of an argument without a flag its name.
        text: what it does, with its default.
        group: where it stands.
        has_choices: whether its values can be listed.
        is_required: whether it must be given.
        is_flagged: whether a flag stands in front.
    """

    name: str
    shown: str
    text: str
    group: Group
    has_choices: bool
    is_required: bool
    is_flagged: bool


def options_of(arguments: type) -> Iterator[Option]:
    """The options of a command, in the order of its fields.

    Args:
        arguments: its dataclass. Tables of options (see `anncestry.cli.given`) stand in it as fields without
            a name.
    """
    texts, kinds = _docstrings(arguments), typing.get_type_hints(arguments, include_extras=True)
    for field in fields(arguments):
        kind, extras = unwrapped(kinds[field.name])
        if typing.is_typeddict(kind):
            for name, inner in typing.get_type_hints(kind, include_extras=True).items():
                yield _option(name, *unwrapped(inner))
        else:
            default = () if field.default_factory is not MISSING else field.default
            yield _option(field.name, kind, (*extras, Default(default)), texts.get(field.name, ""))


def _option(name: str, kind: Any, extras: Sequence[Any], text: str = "") -> Option:
    """An option from the type of its field, and what that is annotated with."""
    own: Any = next((extra for extra in extras if hasattr(extra, "metavar")), tyro.conf.arg())
    default = next((extra.value for extra in extras if isinstance(extra, Default)), None)
    group = next((extra for extra in extras if isinstance(extra, Group)), None)
    is_flagged = tyro.conf.Positional not in extras
    flag = f"--{(own.name or name).replace('_', '-')}"
    if not is_flagged:
        shown = name.upper() + (" ..." if typing.get_origin(kind) is tuple else "")
    elif kind is bool:  # a switch that is off can only be put on
        shown = flag if default is False else f"{flag}, --no-{flag[2:]}"
    else:
        shown = f"{flag} {own.metavar or _metavar(kind)}"
    text = own.help or text
    unsaid = default is None or default is False or default in ((), "", MISSING)
    if not unsaid and "default:" not in text.lower():
        text += f" (default: {default})"
    return Option(
        name=name,
        shown=shown,
        text=" ".join(text.split()),
        group=group or (OTHER if is_flagged else INPUT),
        has_choices=typing.get_origin(kind) is Literal,
        is_required=default is MISSING,
        is_flagged=is_flagged,
    )


def unwrapped(kind: Any) -> tuple[Any, tuple[Any, ...]]:
    """A type without None in it, and what it is annotated with, inside and outside."""
    extras: tuple[Any, ...] = ()
    while True:
        if typing.get_origin(kind) is Annotated:
            kind, extras = kind.__origin__, (*kind.__metadata__, *extras)
        elif typing.get_origin(kind) in (types.UnionType, typing.Union):
            (kind,) = (part for part in typing.get_args(kind) if part is not type(None))
        elif typing.get_origin(kind) in (typing.Required, typing.NotRequired):
            (kind,) = typing.get_args(kind)
        else:
            return kind, extras


def _metavar(kind: Any) -> str:
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return "{" + ",".join(map(str, parts)) + "}"
    if origin is tuple:
        return f"{_metavar(parts[0])} ..."
    return "TEXT" if kind is str else str(kind.__name__).upper()


def _docstrings(arguments: type) -> dict[str, str]:
    """The text below each field of a dataclass and of its parents."""
    texts: dict[str, str] = {}
    for cls in reversed(arguments.__mro__[:-1]):
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
        assert isinstance(tree, ast.ClassDef)
        for field, text in zip(tree.body, tree.body[1:], strict=False):
            match field, text:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(said))):
                    texts[name] = said
    return texts
