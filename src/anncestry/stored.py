"""JSON that lies on disk, read with suspicion: objects of known fields, each of the type that it must have.

Imports no torch.
"""

import json
import math
import numbers
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from anncestry.errors import UserError, nearest, require

LARGEST_FILE = 256 * 2**20
"""Bytes of a file of JSON."""
LARGEST = 2**62
"""No size, count or seed of ours is larger; beyond it tensors cannot even be described."""


def read_json(path: Path) -> Any:
    """The value in a file of JSON.

    Raises:
        UserError: it cannot be read, is no JSON in UTF-8, or is nested too deeply.
    """
    try:
        size = path.stat().st_size
        rule = f"has {size:,} bytes; it must not have more than {LARGEST_FILE:,}"
        require(size <= LARGEST_FILE, "file", str(path), rule)
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise UserError("file", str(path), "cannot be read: there is no such file") from error
    except OSError as error:
        raise UserError("file", str(path), f"cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UserError("file", str(path), f"is not readable JSON ({error})") from error
    return parse_json(text, path)


def parse_json(text: str, path: Path) -> Any:
    """The value of the text of a file of JSON, which may have been compressed.

    Raises:
        UserError: it is no JSON, or is nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise UserError("file", str(path), "is not readable JSON: it is nested too deeply") from error
    except ValueError as error:
        raise UserError("file", str(path), f"is not readable JSON ({error})") from error


def read_object(path: Path) -> dict[str, Any]:
    """The same of a file that must hold an object."""
    return object_in(path, read_json(path))


def object_in(path: Path, value: object) -> dict[str, Any]:
    """The value of a file, which must be an object."""
    if not isinstance(value, dict):
        raise UserError("file", str(path), f"must hold an object; it holds {_kind(value)}")
    return value


def typed(cls: type, values: object, source: str) -> dict[str, Any]:
    """Values for fields of a dataclass, of the types that its annotations name; lists become tuples.

    A whole number may stand for a real one, and NumPy's numbers become Python's. Types that JSON has not are
    not looked at.

    Args:
        source: what holds the values, for the message.

    Raises:
        UserError: they are no object, name an unknown field, or a value is of another type.
    """
    if not isinstance(values, Mapping):
        raise UserError(source, values, f"must be an object of named fields; it is {_kind(values)}")
    hints, known = typing.get_type_hints(cls), [field.name for field in fields(cls)]
    for name, value in values.items():
        if name not in known:
            raise UserError(f"{source}: {name}", value, "there is no such field", nearest(str(name), known))
    return {name: _as(hints[name], value, f"{source}: {name}") for name, value in values.items()}


T = TypeVar("T")


def made(cls: type[T], values: object, source: str) -> T:
    """An instance of a dataclass from an object of its fields; those with defaults may be missing.

    Raises:
        UserError: as `typed`; a field is missing; or what the dataclass itself refuses.
    """
    given = typed(cls, values, source)
    needed = [f.name for f in fields(cls) if f.default is MISSING and f.default_factory is MISSING]  # type: ignore[arg-type]
    missing = [name for name in needed if name not in given]
    if missing:
        raise UserError(source, some_keys(given), f"{', '.join(missing)} must be there as well")
    return cls(**given)


def whole(kind: Any, value: object, source: str) -> Any:
    """A value of one type, checked as `typed` checks those of fields: ``tuple[int, ...]``, ``dict``."""
    return _as(kind, value, source)


def check_fields_of(value: Any, source: str) -> None:
    """Raise a `UserError` where a field of a dataclass, or of one in it, is not what its annotation says."""
    hints = typing.get_type_hints(type(value))
    for field in fields(value):
        _as(hints[field.name], getattr(value, field.name), f"{source}: {field.name}")


def entry(values: Mapping[str, Any], name: str, kind: type, source: str) -> Any:
    """A value of an object that must be there and of one type."""
    if name not in values:
        raise UserError(source, some_keys(values), f"{name!r} is missing")
    return _as(kind, values[name], f"{source}: {name}")


def some_keys(values: Mapping[str, Any]) -> str:
    """The first names of an object, for a message."""
    return ", ".join(map(str, list(values)[:8])) or "no fields"


def _as(kind: Any, value: Any, field: str) -> Any:
    if isinstance(value, numbers.Number) and hasattr(value, "item"):
        value = value.item()  # pyright: ignore  # a number of NumPy, which JSON has not
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in parts:
            return None
        rest = [part for part in parts if part is not type(None)]
        if len(rest) == 1:
            return _as(rest[0], value, field)
        return _one_of(rest, value, field)
    if origin is Literal:
        # A list is never in a tuple of words, and cannot be asked whether it is in a set of them.
        if not any(type(value) is type(part) and value == part for part in parts):
            raise UserError(field, value, "must be one of the choices", parts)
        return value
    if origin is tuple:
        return _as_tuple(parts, value, field)
    if kind in (dict, list) or origin in (dict, list):
        kind = origin or kind
        if not isinstance(value, kind):
            raise UserError(field, value, f"must be {_NAMES[kind]}; it is {_kind(value)}")
        return value
    if isinstance(kind, type) and is_dataclass(kind):
        require(isinstance(value, kind), field, value, f"must be a {kind.__name__}; it is {_kind(value)}")
        check_fields_of(value, field)
        return value
    if kind is float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UserError(field, value, f"must be a number; it is {_kind(value)}")
        if not math.isfinite(value) or abs(value) > 1e300:
            raise UserError(field, value, "must be a finite number")
        return value
    if kind is int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise UserError(field, value, f"must be a whole number; it is {_kind(value)}")
        if abs(value) > LARGEST:
            raise UserError(field, f"a number of {len(str(abs(value)))} digits", "is too large a number")
        return value
    if kind in (str, bool) and not isinstance(value, kind):
        raise UserError(field, value, f"must be {_NAMES[kind]}; it is {_kind(value)}")
    return value


def _as_tuple(parts: tuple, value: Any, field: str) -> tuple:
    if not isinstance(value, list | tuple):
        raise UserError(field, value, f"must be a list; it is {_kind(value)}")
    if parts and parts[-1] is Ellipsis:
        parts = (parts[0],) * len(value)
    elif parts and len(parts) != len(value):
        raise UserError(field, value, f"must be a list of {len(parts)}; it has {len(value)}")
    kinds = parts or (object,) * len(value)
    return tuple(
        _as(kind, part, f"{field}[{at}]") for at, (kind, part) in enumerate(zip(kinds, value, strict=True))
    )


def _one_of(kinds: list, value: Any, field: str) -> Any:
    for kind in kinds:
        try:
            return _as(kind, value, field)
        except UserError:
            continue
    choices = [_NAMES.get(kind, str(kind)) for kind in kinds]
    raise UserError(field, value, f"is {_kind(value)}; must be one of", choices)


_NAMES = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "an object of named fields",
    type(None): "null",
}


def _kind(value: Any) -> str:
    return _NAMES.get(type(value), type(value).__name__)
