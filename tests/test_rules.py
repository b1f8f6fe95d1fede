"""Rules in the types of fields: what each accepts, what an error says, what a subclass inherits."""

import doctest
import json
import math
import pickle
import typing
from dataclasses import asdict, dataclass, fields, replace
from typing import Annotated, ClassVar, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anncestry import rules
from anncestry.cli.overrides import parse_overrides
from anncestry.errors import UserError, require
from anncestry.rules import (
    Checked,
    Count,
    NotNegative,
    Portion,
    Positive,
    Probability,
    Rate,
    Share,
    Size,
    Sizes,
    above,
    accepted_by,
    at_least,
    at_most,
    below,
    between,
    length,
    multiple_of,
    one_of,
    only,
    relation,
    same_as,
    unless,
    where,
)
from anncestry.stored import made

Task = Literal["classification", "regression"]
NUMBERS = st.integers(-9, 9) | st.floats()


@dataclass(frozen=True, kw_only=True)
class Net(Checked):
    """A table of decisions as a model has it."""

    NORMS: ClassVar[tuple[str, ...]] = ("pre", "post")
    kinds: ClassVar[tuple[str, ...]] = ("a", "b")

    hidden_size: Annotated[Size, multiple_of("num_heads")] = 8
    num_heads: Size = 4
    kernel_sizes: tuple[Size, ...] = (3, 3)
    proj_size: Size | None = None
    seq_len: Annotated[Size, at_most("num_positions", "every token has one")] = 16
    num_positions: Size = 16
    dropout: Rate = 0.1
    task: Task = "regression"
    norm: Annotated[str, one_of(NORMS)] = "post"
    num_relations: Annotated[Count, unless(only(0), norm="pre")] = 0
    groups: tuple[Annotated[Size, multiple_of("num_heads")], ...] = ()
    blocks: Sizes = (1,)
    kind: Annotated[str, one_of("kinds", "this net knows")] = "a"
    free: int = -1


@dataclass(frozen=True, kw_only=True)
class Child(Net):
    """Another default, and another rule."""

    kinds: ClassVar[tuple[str, ...]] = ("a", "c")

    num_heads: int = 2
    norm: Annotated[str, only("post", "a child has no other")] = "post"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"hidden_size": 0}, "hidden_size: got 0; must be at least 1."),
        ({"hidden_size": 10}, "hidden_size: got 10; must be a multiple of `num_heads`, which is 4."),
        ({"num_heads": 0}, "num_heads: got 0; must be at least 1."),  # and nothing is divided by it
        ({"kernel_sizes": (3, 0)}, "kernel_sizes: got (3, 0); must be at least 1."),
        ({"proj_size": 0}, "proj_size: got 0; must be at least 1."),
        (
            {"seq_len": 17},
            "seq_len: got 17; must be at most `num_positions`, which is 16: every token has one.",
        ),
        ({"dropout": 1.0}, "dropout: got 1.0; is a probability below 1."),
        ({"dropout": math.nan}, "dropout: got nan; must be a finite number."),
        ({"norm": "both"}, "norm: got 'both'; must be one of. Choices: pre, post."),
        ({"num_relations": 2}, "num_relations: got 2; must be 0 unless `norm` is pre."),
        ({"task": "x"}, "task: got 'x'; must be one of the choices. Choices: classification, regression."),
        ({"blocks": ()}, "blocks: got (); must not be empty."),
        ({"blocks": (2, 0)}, "blocks: got (2, 0); must be at least 1."),
        ({"kind": "c"}, "kind: got 'c'; this net knows. Choices: a, b."),
        ({"hidden_size": "8"}, "hidden_size: got '8'; must be a whole number; it is a text."),
        ({"kernel_sizes": (3, 1.5)}, "kernel_sizes[1]: got 1.5; must be a whole number; it is a number."),
        ({"num_heads": None}, "num_heads: got None; must be a whole number; it is null."),
        ({"groups": (4, 6)}, "groups: got (4, 6); must be a multiple of `num_heads`, which is 4."),
    ],
)
def test_an_error_names_field_value_rule_and_choices(values, message):
    with pytest.raises(UserError) as caught:
        Net(**values)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"kernel_sizes": (), "proj_size": 1, "dropout": 0.0, "free": -7},
        {"norm": "pre", "num_relations": 2, "groups": (4, 8)},
    ],
)
def test_what_follows_every_rule_is_made(values):
    made_here = Net(**values)
    assert {name: getattr(made_here, name) for name in values} == values
    assert pickle.loads(pickle.dumps(made_here)) == made_here


def test_a_subclass_keeps_the_rules_of_its_parent_where_it_has_another_default():
    assert Child().num_heads == 2
    with pytest.raises(UserError, match="num_heads: got 0; must be at least 1"):
        Child(num_heads=0)
    assert Child(kind="c").kind == "c"
    with pytest.raises(UserError, match="this net knows"):
        Child(kind="b")


def test_a_subclass_speaks_before_its_parent():
    with pytest.raises(UserError, match="norm: got 'both'; must be post: a child has no other"):
        Child(norm="both")
    with pytest.raises(UserError, match="norm: got 'pre'; must be post"):
        replace(Child(), norm="pre")


def test_a_function_may_say_what_is_wrong():
    def even(value):
        require(value % 2 == 0, "half", value / 2, "is no whole number")

    @dataclass(frozen=True)
    class Whole(Checked):
        value: Annotated[int, accepted_by(even)]

    assert Whole(4).value == 4
    with pytest.raises(UserError, match=r"half: got 1\.5; is no whole number"):
        Whole(3)


def test_the_types_of_fields_are_as_if_no_rule_stood_there():
    kinds = typing.get_type_hints(Net)
    assert [kinds[name] for name in ("hidden_size", "kernel_sizes", "proj_size", "norm")] == [
        int, tuple[int, ...], int | None, str,
    ]  # fmt: skip
    assert made(Net, {"kernel_sizes": [1, 2]}, "config.json") == Net(kernel_sizes=(1, 2))
    with pytest.raises(UserError, match=r"config.json: kernel_sizes\[1\]: got 'x'; must be a whole number"):
        made(Net, {"kernel_sizes": [1, "x"]}, "config.json")
    words = ("kernel_sizes=5,1", "proj-size=3", "dropout=0.5", "norm=pre")
    assert parse_overrides(words, Net) == {
        "kernel_sizes": (5, 1), "proj_size": 3, "dropout": 0.5, "norm": "pre",
    }  # fmt: skip


def test_the_example_of_the_module():
    found = doctest.testmod(rules)
    assert (found.failed, found.attempted) == (0, 2)


def test_a_rule_where_nobody_would_check_it_is_an_error():
    @dataclass(frozen=True)
    class Table(Checked):
        sizes: dict[str, Size]

    with pytest.raises(TypeError, match="nobody checks a rule inside of dict"):
        Table({})


def test_every_field_has_its_rules_in_a_table():
    table = rules.rules_of(Child)
    assert list(table) == [field.name for field in fields(Child)]
    assert [rule.text for rule in table["norm"]] == ["must be post: a child has no other", "must be one of"]
    assert table["free"] == ()


@given(value=NUMBERS, low=st.integers(-5, 5), high=st.integers(-5, 5))
def test_bounds(value, low, high):
    assert at_least(low).holds(value, None) is (value >= low)
    assert at_most(low).holds(value, None) is (value <= low)
    assert above(low).holds(value, None) is (value > low)
    assert below(low).holds(value, None) is (value < low)
    assert between(low, high).holds(value, None) is (low < value < high)


@given(value=NUMBERS)
def test_kinds_of_numbers(value):
    @dataclass(frozen=True)
    class Numbers:
        rate: Rate
        share: Share
        portion: Portion
        probability: Probability
        positive: Positive
        not_negative: NotNegative

    held = {name: rule.holds(value, None) for name, (rule,) in rules.rules_of(Numbers).items()}
    assert held == {
        "rate": 0 <= value < 1,
        "share": 0 <= value < 1,
        "portion": 0 < value <= 1,
        "probability": 0 <= value <= 1,
        "positive": value > 0,
        "not_negative": value >= 0,
    }


@given(hidden_size=st.integers(-3, 30), num_heads=st.integers(-3, 6))
def test_a_rule_of_two_fields_is_checked_when_each_is_right(hidden_size, num_heads):
    if hidden_size >= 1 and num_heads >= 1 and hidden_size % num_heads == 0:
        assert Net(hidden_size=hidden_size, num_heads=num_heads).hidden_size == hidden_size
    else:
        with pytest.raises(UserError) as caught:
            Net(hidden_size=hidden_size, num_heads=num_heads)
        of_two = hidden_size >= 1 and num_heads >= 1
        assert ("multiple" in caught.value.rule) is of_two


@dataclass(frozen=True, kw_only=True)
class Pair:
    a: int = 6
    b: int = 3


@pytest.mark.parametrize(
    ("rule", "right", "wrong", "text"),
    [
        (at_least("b"), 3, 2, "must be at least `b`, which is {b}"),
        (below("b"), 2, 3, "must be below `b`, which is {b}"),
        (same_as("b", "they are tied"), 3, 6, "must be `b`, which is {b}: they are tied"),
        (multiple_of(2), 4, 3, "must be even"),
        (multiple_of(3), 6, 4, "must be a multiple of 3"),
        (length(2, "is a pair"), (1, 2), (1,), "is a pair"),
        (one_of({"x": 1}, "is known"), "x", "y", "is known"),
        (only(0), 0, 1, "must be 0"),
        (where(multiple_of(2), b=3), 4, 5, "must be even, where `b` is 3"),
        (where(multiple_of(2), b=4), 5, None, "must be even, where `b` is 4"),
        (unless(only(0), b=4), 0, 1, "must be 0 unless `b` is 4"),
        (unless(only(0), b=3), 1, None, "must be 0 unless `b` is 3"),
        (relation(lambda pair: pair.a > pair.b, "a must win"), 0, None, "a must win"),
        (relation(lambda pair: pair.a < pair.b, "b must win"), None, 0, "b must win"),
    ],
)
def test_rules(rule, right, wrong, text):
    assert rule.text == text
    assert right is None or rule.holds(right, Pair())
    assert wrong is None or not rule.holds(wrong, Pair())


def test_numbers_of_numpy_and_lists_become_what_json_reads_back():
    @dataclass(frozen=True)
    class Config(Checked):
        sizes: Sizes
        rate: Rate = 0.1
        count: Count | None = None

    given: typing.Any = [np.int64(3), 4]
    config = Config(given, rate=np.float32(0.5), count=np.int32(2))  # type: ignore[arg-type]
    assert config == Config((3, 4), 0.5, 2)
    assert hash(config) == hash(Config((3, 4), 0.5, 2))
    assert json.loads(json.dumps(asdict(config))) == {"sizes": [3, 4], "rate": 0.5, "count": 2}
    with pytest.raises(UserError, match=r"rate: got 1\.5; is a probability below 1"):
        replace(config, rate=np.float32(1.5))
    with pytest.raises(UserError, match=r"count: got 2\.0; must be a whole number"):
        replace(config, count=np.float64(2.0))
