"""A new run is trained in bfloat16 where that is measurably faster, and in what was said otherwise."""

import dataclasses

import pytest
import torch

import anncestry
from anncestry.cli.main import main
from anncestry.data import load_data
from anncestry.models.create import configure
from anncestry.timeline import find
from anncestry.training import precision
from anncestry.training.precision import seconds_of_a_step, settle_precision
from anncestry.training.settings import TrainingSettings

AUTO = TrainingSettings(max_steps=2, batch_size=8)


@pytest.fixture
def faster(monkeypatch):
    """A machine on which the steps of every net are so many times as fast in bfloat16."""

    def machine(times, has_bfloat16=True):
        seconds = {"32": 1.0, "bf16": None if times is None else 1 / times}
        monkeypatch.setattr(precision, "bfloat16_is_faster", lambda: has_bfloat16)
        monkeypatch.setattr(
            precision, "seconds_of_a_step", lambda m, d, settings: seconds[settings.precision]
        )
        monkeypatch.setattr(precision, "SMALLEST", 1)

    return machine


def settled(name, data, settings=AUTO, **more):
    dataset = load_data(data)
    model = find(name).build(configure(name, {}, signature=dataset.signature))
    return settle_precision(model, dataset, settings, **more)


@pytest.mark.parametrize(("times", "chosen"), [(2.0, "bf16"), (1.1, "32"), (0.5, "32"), (None, "32")])
def test_bfloat16_is_chosen_where_steps_are_clearly_faster(faster, times, chosen):
    faster(times)
    settings, why = settled("mlp", "digits")
    assert settings == dataclasses.replace(AUTO, precision=chosen)
    assert why == (
        "bf16, 2.0 times as fast here as 32 (--precision 32 undoes it)" if chosen == "bf16" else ""
    )


def test_where_it_is_not_chosen(faster, monkeypatch):
    faster(3.0)
    for said in ("32", "bf16"):
        given = dataclasses.replace(AUTO, precision=said)
        assert settled("mlp", "digits", given) == (given, "")
    left = [settled("mlp", "mackey-glass"), settled("perceptron", "toy2d:moons")]
    left += [settled("mlp", "digits", teacher=torch.nn.Identity())]
    left += [settled("mlp", "digits", dataclasses.replace(AUTO, devices=2, accelerator="cpu"))]
    monkeypatch.setattr(precision, "SMALLEST", 10**6)
    left += [settled("mlp", "digits")]
    faster(3.0, has_bfloat16=False)
    left += [settled("mlp", "digits")]
    assert {(settings.precision, why) for settings, why in left} == {("32", "")}


def test_trying_a_step_changes_nothing():
    dataset = load_data("digits")
    model = find("cnn").build(configure("cnn", {"dropout": 0.5}, signature=dataset.signature))
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    for said in ("32", "bf16"):
        found = seconds_of_a_step(model, dataset, dataclasses.replace(AUTO, precision=said))
        assert found is not None
        assert found > 0
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())


def test_what_cannot_be_computed_in_bfloat16_has_no_time(monkeypatch):
    def refuse(*_):
        raise RuntimeError('"op" not implemented for BFloat16')

    monkeypatch.setattr(precision.GradientStep, "__call__", refuse)
    dataset = load_data("digits")
    assert (
        seconds_of_a_step(find("mlp").build(configure("mlp", {}, signature=dataset.signature)), dataset, AUTO)
        is None
    )


def test_the_run_keeps_what_was_used_and_says_so(faster, tmp_path, capsys):
    faster(2.0)
    words = ["train", "mlp", "--data", "digits", "--max-steps", "3", "--out"]
    assert main([*words, str(tmp_path / "a")]) == 0
    assert (
        "Precision: bf16, 2.0 times as fast here as 32 (--precision 32 undoes it)." in capsys.readouterr().out
    )
    run = anncestry.load(tmp_path / "a")
    assert run.config["training"]["precision"] == "bf16"
    assert "--precision bf16" in (tmp_path / "a" / "README.md").read_text(encoding="utf-8")
    faster(0.5)  # a resumed run keeps its precision, wherever it goes on
    assert main(["train", "--resume", str(tmp_path / "a"), "--max-steps", "4"]) == 0
    assert anncestry.load(tmp_path / "a").config["training"]["precision"] == "bf16"
    faster(2.0)
    assert main([*words, str(tmp_path / "b"), "--precision", "32"]) == 0
    assert "Precision" not in capsys.readouterr().out.split("Run folder: ")[-1]
    assert anncestry.load(tmp_path / "b").config["training"]["precision"] == "32"


def test_a_rule_of_its_own_is_not_asked(tmp_path):
    assert (
        main(["train", "perceptron", "--data", "toy2d:moons", "--epochs", "1", "--out", str(tmp_path / "r")])
        == 0
    )
    assert anncestry.load(tmp_path / "r").config["training"]["precision"] == "32"
