"""Rules of fields: said in a dataclass where the field stands, and checked with its type by one function.

>>> @dataclass(frozen=True, kw_only=True)
... class BlockConfig(Checked):
...     hidden_size: Annotated[Size, multiple_of("num_heads")]
...     num_heads: Size = 4
...     kernel_sizes: tuple[Size, ...] = (3, 3)
...     dropout: Rate = 0.1
...     norm: Annotated[str, one_of(("pre", "post"))] = "post"
>>> BlockConfig(hidden_size=10)
Traceback (most recent call last):
anncestry.errors.UserError: hidden_size: got 10; must be a multiple of `num_heads`, which is 4.

A rule stands in the field's type and changes nothing in it: type checkers, `dataclasses` and readers of JSON
see ``int`` where ``Size`` is written. Inside a type it is about what is inside: in ``tuple[Size, ...]`` about
every element, in ``Size | None`` about a value that is not None. What a class asks of a field, its subclasses
ask as well, also where they give the field another default.

Imports no torch.
"""

import inspect
import operator
import types
import typing
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Annotated, Any

from anncestry.errors import UserError
from anncestry.stored import whole


@dataclass(frozen=True)
class Rule:
    """What the value of a field must be.

    Attributes:
        holds: whether a value follows the rule; the second argument is the object that has the field.
        text: the rule in an error; ``{name}`` in it becomes the value of the field of that name.
        choices: the accepted values, where they can be listed, or the name of the attribute that has them.
        compares: whether other fields decide too. Such rules are checked when each field by itself is right.
    """

    holds: Callable[[Any, Any], bool]
    text: str
    choices: tuple[Any, ...] | str | None = None
    compares: bool = False


class Checked:
    """A dataclass that is checked by the rules of its fields when one is made.

    Raises:
        UserError: a field breaks a rule; see `check_rules`.
    """

    def __post_init__(self) -> None:
        check_rules(self)


def check_rules(values: Any) -> None:
    """Check the fields of a dataclass: first their types, then the rules in the types.

    Lists become the tuples that the types name, and NumPy's numbers Python's: what was checked can be hashed
    and stored as JSON, and equals what is read back.

    Raises:
        UserError: a field is of another type or breaks a rule: names the field, its value, the rule and the
            choices.
    """
    for name, kind in _types_of(type(values)).items():
        value = getattr(values, name)
        plain = whole(kind, value, name)
        if plain is not value:
            object.__setattr__(values, name, plain)  # also where the dataclass is frozen
    rules = [(name, rule) for name, of_field in rules_of(type(values)).items() for rule in of_field]
    for name, rule in sorted(rules, key=lambda row: row[1].compares):
        value = getattr(values, name)
        if not rule.holds(value, values):
            choices = getattr(values, rule.choices) if isinstance(rule.choices, str) else rule.choices
            raise UserError(name, value, rule.text.format_map(_Values(values)), choices)


@cache
def _types_of(cls: type) -> dict[str, Any]:
    kinds = typing.get_type_hints(cls)
    return {field.name: kinds[field.name] for field in fields(cls)}


@cache
def rules_of(cls: type) -> dict[str, tuple[Rule, ...]]:
    """The rules of each field of a dataclass, those of the class itself before those of its parents."""
    found: dict[str, list[Rule]] = {field.name: [] for field in fields(cls)}
    for parent in cls.__mro__:
        for name, kind in inspect.get_annotations(parent, eval_str=True).items():
            found.get(name, []).extend(_rules_in(kind))
    return {name: tuple(dict.fromkeys(rules)) for name, rules in found.items()}


def _rules_in(kind: Any) -> Iterator[Rule]:
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        yield from (rule for rule in kind.__metadata__ if isinstance(rule, Rule))
        yield from _rules_in(kind.__origin__)
    elif origin is tuple and parts[1:] == (...,):
        yield from map(_of_each, _rules_in(parts[0]))
    elif origin in (types.UnionType, typing.Union) and type(None) in parts:
        yield from (_if_given(rule) for part in parts for rule in _rules_in(part))
    elif any(True for part in parts for _ in _rules_in(part)):
        raise TypeError(f"nobody checks a rule inside of {kind}")


@cache
def _of_each(rule: Rule) -> Rule:
    return replace(rule, holds=lambda values, others: all(rule.holds(value, others) for value in values))


@cache
def _if_given(rule: Rule) -> Rule:
    return replace(rule, holds=lambda value, others: value is None or rule.holds(value, others))


class _Values(dict[str, Any]):
    """The attributes of an object by name, for a text."""

    def __init__(self, values: Any) -> None:
        super().__init__()
        self.values_of = values

    def __missing__(self, name: str) -> Any:
        return getattr(self.values_of, name)


def _compared(words: str, holds: Callable[[Any, Any], bool], bound: Any, why: str) -> Rule:
    if isinstance(bound, str):
        text = _because(f"{words} `{bound}`, which is {{{bound}}}", why)
        return Rule(lambda value, others: holds(value, getattr(others, bound)), text, compares=True)
    return Rule(lambda value, _: holds(value, bound), _because(f"{words} {bound}", why))


def _because(text: str, why: str) -> str:
    return f"{text}: {why}" if why else text


def at_least(bound: float | str, why: str = "") -> Rule:
    """Not below a number, or not below the field of that name.

    Args:
        why: what is behind the rule, for the error; the same in the rules below.
    """
    rule = _compared("must be at least", operator.ge, bound, why)
    return replace(rule, text=_because("must not be negative", why)) if bound == 0 else rule


def at_most(bound: float | str, why: str = "") -> Rule:
    """Not above a number, or a field."""
    return _compared("must be at most", operator.le, bound, why)


def above(bound: float | str, why: str = "") -> Rule:
    """Larger than a number, or a field."""
    return _compared("must be above", operator.gt, bound, why)


def below(bound: float | str, why: str = "") -> Rule:
    """Smaller than a number, or a field."""
    return _compared("must be below", operator.lt, bound, why)


def between(low: float, high: float, why: str = "") -> Rule:
    """Above one number and below another."""
    text = _because(f"must lie between {low} and {high}", why)
    return Rule(lambda value, _: low < value < high, text)


def multiple_of(divisor: int | str, why: str = "") -> Rule:
    """Divisible by a number, or by a field."""
    rule = _compared("must be a multiple of", lambda value, by: value % by == 0, divisor, why)
    return replace(rule, text=_because("must be even", why)) if divisor == 2 else rule


def same_as(field: str, why: str = "") -> Rule:
    """Equal to another field."""
    return _compared("must be", operator.eq, field, why)


def only(value: Any, why: str = "") -> Rule:
    """This value and no other: a part that a parent of the config has and this one has not."""
    return Rule(lambda given, _: given == value, _because(f"must be {value}", why))


def one_of(choices: Iterable[Any] | str, text: str = "must be one of") -> Rule:
    """One of some values, of the keys of a table, or of what the attribute of that name holds."""
    if isinstance(choices, str):
        return Rule(lambda value, others: value in getattr(others, choices), text, choices, compares=True)
    known = tuple(choices)
    return Rule(lambda value, _: value in known, text, known)


def length(count: int, text: str) -> Rule:
    """A tuple of so many elements.

    Args:
        text: what they are.
    """
    return Rule(lambda values, _: len(values) == count, text)


def accepted_by(read: Callable[[Any], Any]) -> Rule:
    """What a function takes that raises a `UserError` of its own."""

    def holds(value: Any, _: Any) -> bool:
        read(value)
        return True

    return Rule(holds, f"must be accepted by {getattr(read, '__name__', read)}")


def relation(holds: Callable[[Any], bool], text: str) -> Rule:
    """Whatever the other rules cannot say.

    Args:
        holds: whether an object (all of its fields) is as it must be.
        text: as in `Rule`.
    """
    return Rule(lambda _, values: holds(values), text, compares=True)


def where(rule: Rule, **given: Any) -> Rule:
    """A rule that binds only where other fields have these values."""
    return _if(rule, lambda values: _has(values, given), f"{rule.text}, where {_in_words(given)}")


def unless(rule: Rule, **given: Any) -> Rule:
    """A rule that binds except where other fields have these values."""
    return _if(rule, lambda values: not _has(values, given), f"{rule.text} unless {_in_words(given)}")


def _if(rule: Rule, binds: Callable[[Any], bool], text: str) -> Rule:
    def holds(value: Any, values: Any) -> bool:
        return not binds(values) or rule.holds(value, values)

    return replace(rule, holds=holds, text=text, compares=True)


def _has(values: Any, given: dict[str, Any]) -> bool:
    return all(getattr(values, name) == value for name, value in given.items())


def _in_words(given: dict[str, Any]) -> str:
    return " and ".join(f"`{name}` is {value}" for name, value in given.items())


Size = Annotated[int, at_least(1)]
"""Features, units, channels, layers, tokens: 1 or more."""
Sizes = Annotated[tuple[Size, ...], Rule(lambda sizes, _: len(sizes) >= 1, "must not be empty")]
"""One size or more."""
Count = Annotated[int, at_least(0)]
"""A number of parts that may be missing: 0 or more."""
DerivedSize = Annotated[int, at_least(0, "0 derives it from other fields")]
"""A size that follows from other fields where it is 0."""
Rate = Annotated[float, Rule(lambda rate, _: 0 <= rate < 1, "is a probability below 1")]
"""The rate of a dropout."""
Share = Annotated[float, Rule(lambda value, _: 0 <= value < 1, "must be at least 0 and below 1")]
Portion = Annotated[float, Rule(lambda value, _: 0 < value <= 1, "must be above 0 and at most 1")]
Probability = Annotated[float, Rule(lambda value, _: 0 <= value <= 1, "is a probability")]
Positive = Annotated[float, above(0)]
NotNegative = Annotated[float, at_least(0)]
