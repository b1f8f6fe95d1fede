"""The format of a run folder: written into it, checked before all else, 1 where it is not said."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import anncestry
from anncestry.cli.main import main


def say(folder: Path, value: object, **more: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "format": value, **more}))


@pytest.fixture
def folder(tmp_path) -> Path:
    run, _ = anncestry.train("perceptron", "toy2d:xor", out=tmp_path / "run", epochs=1)
    return run.folder


def test_a_new_run_says_its_format(folder):
    assert json.loads((folder / "config.json").read_text())["format"] == 1


def test_an_imported_run_says_its_format(tmp_path):
    save_file(torch.nn.GRU(2, 3).state_dict(), tmp_path / "weights.safetensors")
    assert main(["import", str(tmp_path / "weights.safetensors"), str(tmp_path / "run")]) == 0
    assert json.loads((tmp_path / "run" / "config.json").read_text())["format"] == 1


def test_a_later_format_is_refused_with_who_wrote_it(folder, capsys):
    say(folder, 2, anncestry="9.1.0", architecture=["of", "the", "future"])
    for command in (
        ["predict", str(folder), "1,2"],
        ["show", str(folder)],
        ["train", "--resume", str(folder)],
    ):
        assert main(command) == 2
        told = " ".join(capsys.readouterr().err.split())
        assert "format: got 2; was written by anncestry 9.1.0; this is anncestry " in told
        assert "reads formats up to 1. Upgrade anncestry" in told


@pytest.mark.parametrize("value", [0, "1", True, 1.5, None])
def test_a_format_is_a_whole_number_from_1(folder, value):
    say(folder, value)
    with pytest.raises(anncestry.UserError, match=r"config\.json: format: got .*must be"):
        anncestry.load(folder)


def test_a_race_of_a_later_format_is_refused_too(tmp_path, capsys):
    text = json.dumps({"format": 2, "machine": {"anncestry": "9.1.0"}, "entrants": "of the future"})
    (tmp_path / "results.json").write_text(text)
    assert main(["compare", "--resume", str(tmp_path)]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "results.json: format: got 2; was written by anncestry 9.1.0" in told
