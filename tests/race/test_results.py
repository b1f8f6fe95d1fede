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


def test_it_shows_its_ranking():
    race = Results(
        data={"name": "toy", "notes": ["<few> rows"], "test": 9, "output_size": 1, "inputs": "vector"},
        budget={"seconds": 1.0, "params": None, "flops": None, "epochs": None},
        seeds=2,
        metric={"name": "rmse", "higher_is_better": False},
        machine=machine(1),
        command="anncestry compare --data toy",
        entrants=[
            Entrant(id="mlp", name="MLP", kind="model"),
            Entrant(id="lstm", name="LSTM", kind="model"),
            Entrant(id="mean", name="Mean", kind="baseline"),
        ],
        runs=[
            Run(entrant=name, seed=0, metrics={"rmse": value})
            for name, value in {"mlp": 0.5, "lstm": 0.25, "mean": 1}.items()
        ],
        status="interrupted",
    )
    assert repr(race) == "<Results: toy, 3 of 6 runs, interrupted; RMSE: lstm 0.2500, mlp 0.5000>"
    lines = str(race).splitlines()
    names = [line.split()[1] for line in lines if line.split()[:1] in (["1"], ["2"])]
    assert names == ["lstm", "mlp"]
    assert "Data: <few> rows" in lines
    html = race._repr_html_()
    assert html.index('<td data-label="model">lstm') < html.index('<td data-label="model">mlp')
    race.runs.clear()
    assert repr(race) == "<Results: toy, 0 of 6 runs, interrupted; RMSE: no model>"
    assert "No run was finished" in race._repr_html_()
