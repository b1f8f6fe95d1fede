"""--set name=value, by the types of the fields."""

from dataclasses import dataclass
from typing import Literal

import pytest
import tyro

from anncestry.cli.overrides import Overrides, parse_overrides
from anncestry.errors import UserError
from anncestry.training.settings import TrainingSettings


@dataclass(frozen=True)
class Config:
    units: int = 1
    rate: float = 0.1
    pool: bool = True
    pattern: str = ""
    sizes: tuple[int, ...] = ()
    shape: tuple[int, int, int] = (1, 1, 1)
    padding: Literal["same", "valid"] = "same"
    limit: int | None = None


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("units=64", 64),
        ("rate=1e-3", 1e-3),
        ("rate=2", 2.0),
        ("pool=False", False),
        ("pool=yes", True),
        ("pattern=INPUT -> FC*N=2", "INPUT -> FC*N=2"),
        ("sizes=64,32", (64, 32)),
        ("sizes=(64, 32)", (64, 32)),
        ("sizes=64", (64,)),
        ("sizes=", ()),
        ("shape=3,8,8", (3, 8, 8)),
        ("padding=valid", "valid"),
        ("limit=None", None),
        ("limit=3", 3),
    ],
)
def test_values(word, value):
    (parsed,) = parse_overrides((word,), Config).values()
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("units",), "--set: got 'units'; must be written name=value. Choices: units, rate, pool"),
        (("unit=3",), "--set unit: got '3'; there is no such field. Choices: units."),
        (("units=3.5",), "--set units: got '3.5'; must be a whole number."),
        (("units=",), "--set units: got ''; must be a whole number."),
        (("rate=fast",), "--set rate: got 'fast'; must be a number."),
        (("pool=maybe",), "--set pool: got 'maybe'; must be true or false."),
        (("sizes=64,x",), "--set sizes: got 'x'; must be a whole number."),
        (("shape=3,8",), "--set shape: got '3,8'; must be 3 values with commas between them."),
        (("padding=full",), "--set padding: got 'full'; must be one of the choices. Choices: same, valid."),
        (("units=3", "units=4"), "--set units: got '4'; was given already, as 3."),
    ],
)
def test_mistakes(words, message):
    with pytest.raises(UserError) as caught:
        parse_overrides(words, Config)
    assert str(caught.value).startswith(message)


def test_training_settings():
    words = ("max-steps=10", "optimizer=sgd", "learning_rate=0.5", "max_seconds=none")
    assert parse_overrides(words, TrainingSettings) == {
        "max_steps": 10, "optimizer": "sgd", "learning_rate": 0.5, "max_seconds": None,
    }  # fmt: skip


def test_one_set_or_many():
    @dataclass(frozen=True)
    class Arguments:
        set: Overrides = ()

    together = tyro.cli(Arguments, args=["--set", "units=3", "rate=2"])
    apart = tyro.cli(Arguments, args=["--set", "units=3", "--set", "rate=2"])
    assert (
        parse_overrides(together.set, Config)
        == parse_overrides(apart.set, Config)
        == {"units": 3, "rate": 2.0}
    )
    assert parse_overrides(tyro.cli(Arguments, args=[]).set, Config) == {}
