"""`anncestry compare` on a terminal."""

import json

import pytest

from anncestry.cli.main import main


def test_a_race_ends_with_its_ranking_and_the_report(tmp_path, capsys):
    out = tmp_path / "race"
    words = ["compare", "--data", "toy2d:xor", "--models", "mlp, adaline", "--epochs", "1", "--seeds", "2"]
    assert main([*words, "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "On toy2d:xor, with 1 pass over the training data each, " in " ".join(shown.split())
    assert "majority" in shown
    assert f"Report: {out / 'report.html'}" in shown
    assert json.loads((out / "results.json").read_text())["seeds"] == 2


def test_by_default_it_finds_a_new_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["compare", "--data", "toy2d:xor", "--models", "adaline", "--epochs", "1", "--seeds", "1"]
    assert main(words) == 0
    assert main(words) == 0
    assert (tmp_path / "runs" / "compare-toy2d-xor" / "report.html").is_file()
    assert (tmp_path / "runs" / "compare-toy2d-xor-2" / "report.html").is_file()


def test_ctrl_c_has_its_own_exit_code_and_the_race_goes_on(tmp_path, monkeypatch, capsys):
    def press(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    words = ["compare", "--data", "toy2d:xor", "--models", "mlp", "--epochs", "1"]
    words += ["--jobs", "1"]  # in this process, where the key is pressed
    out = "runs/compare-toy2d-xor"
    with monkeypatch.context() as patch:
        patch.setattr("anncestry.race.trial.fit", press)
        assert main(words) == 130
    shown = capsys.readouterr().out
    assert "The race was interrupted: 3 of 12 runs are here." in shown
    assert f"Go on with: anncestry compare --resume {out}" in shown
    assert main(["compare", "--resume", out, "--epochs", "2"]) == 2
    told = "--resume: got '--epochs'; cannot be changed for a race that goes on. Choices: --data, --seeds"
    assert told in capsys.readouterr().err
    assert main(["compare", "--resume", out, "--window", "2"]) == 2
    assert "--resume: got '--window'" in capsys.readouterr().err
    assert main(words) == 0  # the same command
    assert f"Going on with {out}: 3 of 12 runs were finished." in capsys.readouterr().out
    assert main(["compare", "--resume", out]) == 0
    assert f"Going on with {out}: 12 of 12 runs were finished." in capsys.readouterr().out
    assert len(list((tmp_path / "runs").iterdir())) == 1


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
