"""What a process of its own does with a question."""

import contextlib

import pytest

from anncestry.bench import measure
from anncestry.bench.apart import set_up
from anncestry.bench.contest import Contest, Contestant
from anncestry.bench.parts import encode, growth, recurrent


@pytest.fixture
def instant(monkeypatch):
    """A row that takes no time; what it was asked for."""
    seen = []

    @contextlib.contextmanager
    def contest(tiny):
        seen.append(tiny)
        yield Contest([Contestant("ours", lambda: None, ours=True)], warm_up=0)

    monkeypatch.setitem(recurrent.CONTESTS, "lstm-650", contest)
    monkeypatch.setattr(measure, "apart", set_up)  # in this process
    return seen


def test_a_row_is_answered_with_the_machine(instant):
    record = measure.answer({"name": "lstm-650", "rounds": 1, "tiny": True})
    assert instant == [True]
    assert [row["name"] for row in record["contestants"]] == ["ours"]
    assert "torch 2" in record["machine"]["versions"]


def test_without_what_the_row_runs_on_there_is_a_line(monkeypatch):
    monkeypatch.setattr(measure, "is_installed", lambda module: False)
    record = measure.answer({"name": "minilm", "rounds": 1})
    assert record["contestants"] == record["comparisons"] == []
    assert record["unmeasured"] == ["transformers is not installed, and makes what this row runs on."]
    assert encode.NEEDS == ("transformers",)


def test_a_point_of_growth_is_answered(monkeypatch):
    point = {"work": "encoding", "system": "anncestry", "axis": "batch", "batch": 1, "length": 32}
    monkeypatch.setattr(growth, "measure", lambda point, tiny: {**point._asdict(), "tiny": tiny})
    assert measure.answer({"point": point}) == {**point, "tiny": False}
