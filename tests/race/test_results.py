"""The file of a race: plain JSON, whole at any moment, read back as it was."""

import errno
import json
import math

import pytest

from anncestry.errors import UserError
from anncestry.race.records import Entrant, Run
from anncestry.race.results import Results, machine


def results():
    return Results(
        data={"name": "toy", "shape": (3,)},
        budget={"seconds": 1.0},
        seeds=1,
        metric={"name": "rmse", "higher_is_better": False},
        machine=machine(1),
        command="anncestry compare --data toy",
        entrants=[Entrant(id="mlp", name="MLP", kind="model", parents=("perceptron",))],
        runs=[Run(entrant="mlp", seed=0, metrics={"rmse": 0.5, "r2": math.nan}, curve=[{"loss": math.inf}])],
    )


def test_what_is_no_number_becomes_null(tmp_path):
    results().save(tmp_path / "race" / "results.json")
    text = (tmp_path / "race" / "results.json").read_text()
    assert json.loads(text, parse_constant=lambda name: 1 / 0)["runs"][0]["metrics"] == {
        "rmse": 0.5,
        "r2": None,
    }
    assert "Infinity" not in text


def test_it_comes_back_and_the_old_file_stays_until_the_new_one_is_whole(tmp_path, monkeypatch):
    path = tmp_path / "results.json"
    before = results()
    before.save(path)
    after = Results.from_json(json.loads(path.read_text()))
    assert after.to_json() == before.to_json()
    assert after.entrants == before.entrants

    def fail(*paths):
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr("os.replace", fail)
    after.seeds = 99
    with pytest.raises(UserError, match="the disk is full"):
        after.save(path)
    assert json.loads(path.read_text())["seeds"] == 1


def test_the_machine_has_a_processor_and_versions():
    described = machine(2)
    assert described["cpu"]
    assert described["threads"] == 2
    assert described["torch"].startswith("2.")
