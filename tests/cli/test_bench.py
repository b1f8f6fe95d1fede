"""``anncestry bench``: what it asks for, what it says, how it ends."""

import pytest

from anncestry.bench import running
from anncestry.bench.running import Measured
from anncestry.cli.main import main


@pytest.fixture
def bench(monkeypatch):
    """What was asked of `run_bench`, which measures nothing."""
    seen = []

    def run_bench(rows, folder, rounds, threads, watch):
        seen.append(([row.id for row in rows], folder, rounds, threads))
        compared = {"ours": "ours", "peer": "peer", "is_multiple": False, "low": 1, "high": 2, "ratio": 1.5}
        watch("minilm", None)
        watch("minilm", {"comparisons": [compared], "unmeasured": ["int8 is missing."], "quiet": "Quiet."})
        if "lstm-650" in seen[0][0]:
            watch("lstm-650", {"error": "ImportError: no"})
            return Measured({"rows": {"minilm": {}}}, ["lstm-650"], False)
        return Measured({"rows": {"minilm": {}}}, [], "bert-base" in seen[0][0])

    monkeypatch.setattr(running, "run_bench", run_bench)
    return seen


def test_a_row_is_measured_and_shown(bench, tmp_path, capsys):
    words = ["bench", "minilm", "--rounds", "7", "--threads", "1", "--out", str(tmp_path)]
    assert main(words) == 0
    assert bench == [(["minilm"], tmp_path, 7, 1)]
    out = capsys.readouterr().out
    assert "minilm: 1.50 (1.00 to 2.00)  ours beside peer" in out
    assert "int8 is missing. Quiet." in out
    assert f"Report: {tmp_path / 'bench.html'}" in out


def test_quick_is_one_round(bench):
    main(["bench", "minilm", "--quick"])
    assert bench[0][2:] == (1, None)


def test_rounds_are_five_unless_said(bench):
    main(["bench", "minilm"])
    assert bench[0][2] == 5


def test_quick_and_rounds_exclude_each_other(bench, capsys):
    assert main(["bench", "--quick", "--rounds", "3"]) == 2
    assert "--quick" in capsys.readouterr().err
    assert not bench


def test_a_row_that_failed_is_said_and_ends_with_one(bench, capsys):
    assert main(["bench", "recurrent"]) == 1
    assert "lstm-650: failed: ImportError: no" in capsys.readouterr().out


def test_an_interrupt_ends_with_its_code(bench, capsys):
    assert main(["bench", "encode"]) == 130
    assert "Stopped" in capsys.readouterr().out


def test_the_list_measures_nothing(bench, capsys):
    assert main(["bench", "--list"]) == 0
    out = capsys.readouterr().out
    assert "lstm-650" in out
    assert "PART or ROW" in out
    assert main(["bench", "encode", "--list"]) == 0
    assert "lstm-650" not in capsys.readouterr().out
    assert not bench


def test_a_wrong_name_is_a_mistake_of_the_users(capsys):
    assert main(["bench", "encoed"]) == 2
    assert "Choices: encode." in capsys.readouterr().err
