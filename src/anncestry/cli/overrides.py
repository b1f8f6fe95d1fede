"""``--set name=value``: fields of a config dataclass from the command line, converted by their types.

Imports no torch.
"""

import types
import typing
from collections.abc import Iterable
from dataclasses import fields
from typing import Annotated, Any

import tyro

from anncestry.errors import UserError, nearest
from anncestry.stored import whole

# `--set a=1 b=2` and `--set a=1 --set b=2` are the same.
Overrides = Annotated[
    tyro.conf.UseAppendAction[tuple[tuple[str, ...], ...]], tyro.conf.arg(metavar="NAME=VALUE ...")
]


def parse_overrides(pairs: Iterable[str | tuple[str, ...]], config_class: type) -> dict[str, Any]:
    """Values for fields of a dataclass from words like ``hidden_size=64`` or ``hidden_sizes=64,32``.

    Args:
        pairs: the words, or tuples of them (one for each ``--set``); a hyphen is read as an underscore.
        config_class: the dataclass; its annotations say what a value must be.

    Raises:
        UserError: a word has no ``=``, names no field or names one twice, or the value is of another type.
    """
    kinds = typing.get_type_hints(config_class)
    known = [field.name for field in fields(config_class)]
    values: dict[str, Any] = {}
    for pair in (word for words in pairs for word in ((words,) if isinstance(words, str) else words)):
        name, equals, text = pair.partition("=")
        name = name.strip().replace("-", "_")
        if not equals:
            raise UserError("--set", pair, "must be written name=value", known)
        if name not in known:
            raise UserError(f"--set {name}", text, "there is no such field", nearest(name, known))
        if name in values:
            raise UserError(f"--set {name}", text, f"was given already, as {values[name]!r}")
        values[name] = _convert(f"--set {name}", text.strip(), kinds[name])
    return values


def _convert(field: str, text: str, kind: Any) -> Any:
    """The value that ``text`` spells in a type: bool, int, float, str, a literal, a tuple, or one or None.

    What needs no spelling out is checked as values of JSON are.
    """
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        if type(None) in parts and text.lower() == "none":
            return None
        (kind,) = (part for part in parts if part is not type(None))
        return _convert(field, text, kind)
    if origin is tuple:
        words = [word.strip() for word in text.strip("()[] ").split(",")]
        words = [word for word in words if word]
        if parts[-1] is not Ellipsis and len(words) != len(parts):
            raise UserError(field, text, f"must be {len(parts)} values with commas between them")
        return tuple(_convert(field, word, parts[0]) for word in words)
    if kind is bool:
        spelled = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        if text.lower() not in spelled:
            raise UserError(field, text, "must be true or false")
        return spelled[text.lower()]
    if kind in (int, float):
        try:
            return kind(text)
        except ValueError as error:
            rule = "must be a whole number" if kind is int else "must be a number"
            raise UserError(field, text, rule) from error
    return whole(kind, text, field)
