"""How much is learnt in a second stands in the history and in the last line, by a clock that is made up."""

import json
import re

import pytest

from anncestry.cli.main import main
from anncestry.training import outcome
from anncestry.training.outcome import counted


@pytest.fixture
def quarter_seconds(monkeypatch):
    """Every look at the clock of training is a quarter of a second later."""
    ticks = iter(range(10**9))
    monkeypatch.setattr(outcome.time, "perf_counter", lambda: next(ticks) / 4)


def test_rows_of_training_and_the_last_line_say_it(quarter_seconds, tmp_path, capsys):
    words = [
        "train",
        "mlp",
        "--data",
        "digits",
        "--max-steps",
        "6",
        "--batch-size",
        "10",
        "--evaluations",
        "2",
    ]
    assert main([*words, "--out", str(tmp_path / "run")]) == 0
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    trained = [row for row in rows if row["split"] == "train"]
    assert len(trained) >= 2
    assert all(("throughput" in row) == (row["split"] == "train") for row in rows)
    steps, seconds = 0, 0.0
    for row in trained:
        spent = row["seconds"] - seconds
        assert row["throughput"] == pytest.approx(10 * (row["step"] - steps) / spent, rel=1e-3)
        steps, seconds = row["step"], row["seconds"]
    said = re.search(
        r"6 steps, ([\d.]+) s of training \(([\d,]+) examples a second\)", capsys.readouterr().out
    )
    assert said is not None
    assert float(said[2].replace(",", "")) == pytest.approx(60 / float(said[1]), abs=1)


def test_what_is_counted():
    tasks = ("language-model", "translation", "captioning", "tagging", "masked-lm", "classification", "span")
    words = ("tokens", "tokens", "tokens", "tokens", "masked tokens", "examples", "examples")
    assert tuple(map(counted, tasks)) == words
