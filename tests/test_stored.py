"""JSON on disk is read with suspicion: each field is of its type, or a `UserError` names it."""

from dataclasses import dataclass
from typing import Literal

import pytest

from anncestry.errors import UserError
from anncestry.stored import made, read_json, read_object, typed


@dataclass(frozen=True, kw_only=True)
class Sizes:
    width: int
    rate: float = 0.1
    shape: tuple[int, ...] = ()
    kind: Literal["a", "b"] | None = None
    on: bool = False
    pair: tuple[int, str] = (0, "")


def test_values_of_the_right_types_pass_and_lists_become_tuples():
    given = {"width": 3, "rate": 1, "shape": [1, 2], "kind": "b", "on": True, "pair": [1, "x"]}
    assert made(Sizes, given, "f") == Sizes(width=3, rate=1, shape=(1, 2), kind="b", on=True, pair=(1, "x"))
    assert made(Sizes, {"width": 1, "kind": None}, "f").kind is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": "3"}, r"f: width: got '3'; must be a whole number; it is a text"),
        ({"width": True}, "width: got True; must be a whole number; it is true or false"),
        ({"width": 2.5}, "width: got 2.5; must be a whole number; it is a number"),
        ({"width": 10**30}, "too large a number"),
        ({"rate": float("inf")}, "rate: got inf; must be a finite number"),
        ({"rate": float("nan")}, "must be a finite number"),
        ({"rate": [1]}, "must be a number; it is a list"),
        ({"shape": 3}, "shape: got 3; must be a list"),
        ({"shape": [1, "2"]}, r"shape\[1\]: got '2'; must be a whole number"),
        ({"kind": ["a"]}, "kind: got .*; must be one of the choices"),
        ({"kind": "c"}, "Choices: a, b"),
        ({"on": 1}, "on: got 1; must be true or false"),
        ({"pair": [1]}, "must be a list of 2"),
        ({"witdh": 3}, "there is no such field. Choices: width"),
    ],
)
def test_the_field_the_value_and_the_rule_are_named(change, message):
    with pytest.raises(UserError, match=message):
        made(Sizes, {"width": 1, **change}, "f")


def test_missing_fields_and_other_things_than_objects():
    with pytest.raises(UserError, match="width must be there as well"):
        made(Sizes, {}, "f")
    for value in (None, 3, [], "text"):
        with pytest.raises(UserError, match="must be an object of named fields"):
            typed(Sizes, value, "f")


def test_json_that_cannot_be_read(tmp_path):
    file = tmp_path / "x.json"
    for octets, message in (
        (b"[" * 100_000, "nested too deeply"),
        (b"{", "is not readable JSON"),
        (b"\xff\xfe", "is not readable JSON"),
        (b"9" * 5000, "is not readable JSON"),
    ):
        file.write_bytes(octets)
        with pytest.raises(UserError, match=message):
            read_json(file)
    file.write_bytes(b"[]")
    with pytest.raises(UserError, match="must hold an object; it holds a list"):
        read_object(file)
    with pytest.raises(UserError, match="there is no such file"):
        read_json(tmp_path / "none")
