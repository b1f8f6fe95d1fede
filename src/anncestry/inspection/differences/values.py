"""A named value on both sides of a comparison."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Value:
    """What a field is on each side; None where a side has no such field."""

    name: str
    a: Any
    b: Any

    def mirrored(self) -> "Value":
        return Value(self.name, self.b, self.a)


def values_apart(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[Value, ...]:
    """The fields that differ, in the order of ``a`` and then of ``b``; what is nested has dots in its name.

    A list equals a tuple of the same values: configs have tuples where JSON has lists.
    """
    first, second = dict(_flat(a)), dict(_flat(b))
    names = dict.fromkeys((*first, *second))
    every = (Value(name, first.get(name), second.get(name)) for name in names)
    return tuple(value for value in every if value.a != value.b)


def _flat(tree: Mapping[str, Any], prefix: str = ""):
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", list(value) if isinstance(value, tuple) else value
