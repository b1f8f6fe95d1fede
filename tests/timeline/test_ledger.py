"""The fidelity ledger of every entry: its switches can be turned, and the tests that it names are there."""

import ast
import importlib
from dataclasses import fields
from pathlib import Path

import pytest

from anncestry.cli.train import Arguments
from anncestry.data.options import DataOptions
from anncestry.timeline import TIMELINE, branches
from anncestry.training.settings import TrainingSettings

TESTS = Path(__file__).parents[1]
OPTIONS = {
    f"--{field.name.replace('_', '-')}"
    for part in (Arguments, TrainingSettings, DataOptions)
    for field in fields(part)
}
"""Of ``anncestry train``, as they are written there."""
EVERY = pytest.mark.parametrize(
    ("architecture", "departure"),
    [
        pytest.param(architecture, departure, id=f"{architecture.id}: {departure.subject}")
        for architecture in TIMELINE
        for departure in architecture.departures
    ],
)
_functions: dict[str, set[str]] = {}


def functions(name: str) -> set[str]:
    """The test functions of a file below ``tests``; none where there is no such file."""
    if name not in _functions:
        path = TESTS / name
        tree = ast.parse(path.read_text(encoding="utf-8")) if path.is_file() else ast.Module([], [])
        _functions[name] = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    return _functions[name]


@EVERY
def test_a_test_holds_it_or_it_says_why_none_does(architecture, departure):
    if not departure.test:
        assert departure.why
        return
    file, _, name = departure.test.partition("::")
    assert name.startswith("test_")
    assert name in functions(file), departure.test


@EVERY
def test_its_switch_can_be_turned(architecture, departure):
    known = OPTIONS | {field.name for field in fields(architecture.config_class())}
    for switch in filter(None, departure.switch.split(", ")):
        assert switch in known


@pytest.mark.parametrize("architecture", TIMELINE, ids=lambda architecture: architecture.id)
def test_subjects_are_distinguished(architecture):
    subjects = [departure.subject for departure in architecture.departures]
    assert len(subjects) == len(set(subjects))


def test_the_reader_of_tests():
    assert "test_the_reader_of_tests" in functions("timeline/test_ledger.py")
    assert "functions" in functions("timeline/test_ledger.py")
    assert not functions("test_nothing.py")


def test_every_branch_has_its_ledger():
    """An entry's departures stand in the ledger of its branch's name, so that a branch reads as a list."""
    for path in Path(branches.__file__).parent.glob("[!_]*.py"):
        ledger = importlib.import_module(f"anncestry.timeline.ledgers.{path.stem}")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "departures":
                assert isinstance(node.value, ast.Attribute), f"{path.name}:{node.value.lineno}"
                assert ast.unparse(node.value.value) == "ledger"
                assert getattr(ledger, node.value.attr)
