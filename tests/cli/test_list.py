"""anncestry list."""

import json

import pytest

from anncestry.cli.list import Arguments, run
from anncestry.errors import UserError
from anncestry.timeline import TIMELINE


def test_the_whole_family(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert run(Arguments(long=True)) == 0
    printed = capsys.readouterr().out
    flowing = " ".join(printed.split())  # a long list of sizes goes over several lines
    for architecture in TIMELINE:
        assert f"{architecture.year}   {architecture.id} " in printed
        assert architecture.adds in printed
        assert architecture.paper in printed
        for preset in architecture.presets:
            assert f"{preset.name} {preset.num_parameters:,}" in flowing


def test_a_line_for_each(capsys):
    assert run(Arguments()) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(TIMELINE) + 1
    for architecture, line in zip(TIMELINE, lines, strict=False):
        assert line.split()[:2] == [str(architecture.year), architecture.id]
        assert architecture.adds in line


def test_one_task_as_json(capsys):
    run(Arguments(task="language-model", json=True))
    rows = json.loads(capsys.readouterr().out)
    assert {"rnn", "lstm", "gru"} <= {row["id"] for row in rows}
    assert "mlp" not in {row["id"] for row in rows}
    lstm = next(row for row in rows if row["id"] == "lstm")
    assert (lstm["year"], lstm["parents"]) == (2000, ["lstm-1997"])
    assert ["tokens", "language-model"] in lstm["fits"]


def test_an_unknown_task():
    with pytest.raises(UserError, match=r"task: got 'teleportation'; is not a task. Choices: classification"):
        run(Arguments(task="teleportation"))
