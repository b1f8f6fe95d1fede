"""`anncestry compare` on a terminal."""

import json

import pytest

from anncestry.cli.main import main


def test_a_race_ends_with_its_ranking_and_the_report(tmp_path, capsys):
    out = tmp_path / "race"
    words = ["compare", "--data", "toy2d:xor", "--models", "mlp, adaline", "--epochs", "1", "--seeds", "2"]
    assert main([*words, "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "leads: accuracy" in shown
    assert "majority" in shown
    assert f"Report: {out / 'report.html'}" in shown
    assert json.loads((out / "results.json").read_text())["seeds"] == 2


def test_unless_told_it_finds_a_new_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["compare", "--data", "toy2d:xor", "--models", "adaline", "--epochs", "1", "--seeds", "1"]
    assert main(words) == 0
    assert main(words) == 0
    assert (tmp_path / "runs" / "compare-toy2d-xor" / "report.html").is_file()
    assert (tmp_path / "runs" / "compare-toy2d-xor-2" / "report.html").is_file()


def test_ctrl_c_has_its_own_exit_code(tmp_path, monkeypatch, capsys):
    def press(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("anncestry.studies.trial.fit", press)
    out = tmp_path / "race"
    assert main(["compare", "--data", "toy2d:xor", "--models", "mlp", "--out", str(out)]) == 130
    assert "The race was interrupted: 3 of 12 runs are here." in capsys.readouterr().out
    assert (out / "report.html").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--budget", "soon"], "--budget: got 'soon'"),
        (["--models", " , "], "--models"),
        (["--window", "3"], "window"),
    ],
)
def test_mistakes_exit_with_two(words, message, tmp_path, capsys):
    assert main(["compare", "--data", "toy2d:xor", "--out", str(tmp_path / "race"), *words]) == 2
    assert message in capsys.readouterr().err
