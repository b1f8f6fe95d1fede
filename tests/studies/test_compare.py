"""Whole races on a few hundred points, with everything that can go wrong in them."""

import json
import os
import signal

import pytest

from anncestry.data import DataOptions, load_data
from anncestry.errors import UserError
from anncestry.runs import Run
from anncestry.studies import trial
from anncestry.studies.budget import Budget
from anncestry.studies.compare import compare
from anncestry.studies.results import Results
from anncestry.studies.workers import Workers
from anncestry.timeline import TIMELINE, find
from anncestry.training.fit import Diverged

QUICK = {"data": "toy2d:xor", "models": ["mlp", "adaline"], "epochs": 1, "seeds": 2}
ENTRANTS = ["majority", "logistic", "boosted-trees", "adaline", "mlp"]


def made(results):
    return [(run.entrant, run.seed, run.status) for run in results.runs]


@pytest.fixture(scope="module")
def race(tmp_path_factory):
    folder = tmp_path_factory.mktemp("race") / "out"
    moments = []
    results = compare(**QUICK, out=folder, watch=moments.append)
    return results, folder, moments


def test_everybody_runs_with_a_seed_before_the_next_seed_begins(race):
    results, _, _ = race
    assert made(results) == [(name, seed, "ok") for seed in (0, 1) for name in ENTRANTS]
    assert results.status == "complete"


def test_models_and_baselines_meet_the_same_splits(race):
    results, _, _ = race
    first, second = results.data["fingerprints"]
    assert first != second  # toy2d has no official split
    kept = json.loads((race[1] / "runs" / "mlp-seed1" / "config.json").read_text())
    assert kept["data"]["fingerprint"] == second


def test_a_run_is_described_whole(race):
    run = next(run for run in race[0].runs if run.entrant == "mlp")
    assert run.parameters == 2 * 128 + 128 + 128 * 2 + 2
    assert run.flops == 2 * (2 * 128 + 128 * 2)
    assert (run.steps, run.epochs, run.stopped) == (9, 1, "epochs")
    assert run.settings["batch_size"] == 32
    assert run.curve[-1]["step"] == 9
    assert run.settings["optimizer"] == "adam"
    assert race[0].runs[3].settings["optimizer"] == "its own rule"  # adaline
    assert 0 < run.latency < 1
    assert set(run.metrics) == {"loss", "accuracy", "balanced_accuracy", "macro_f1", "roc_auc"}
    assert run.mistakes["total"] == race[0].data["test"]


def test_the_folder_holds_results_report_and_usable_runs(race):
    results, folder, _ = race
    read = Results.from_json(json.loads((folder / "results.json").read_text()))
    assert read.to_json() == results.to_json()
    assert "anncestry compare --data toy2d:xor --models mlp,adaline" in (folder / "report.html").read_text()
    kept = Run(folder / "runs" / "adaline-seed0")
    score = next(run for run in results.runs if run.entrant == "adaline").metrics
    assert kept.evaluate() == pytest.approx(score)
    assert kept.predict("0.5,0.5")[0]["class"] in results.data["classes"]


def test_a_watcher_hears_of_every_beginning_and_end(race):
    moments = race[2]
    begun = [moment.entrant for moment in moments if moment.entrant and moment.progress is None]
    assert begun == 2 * ENTRANTS
    assert sum(moment.entrant is None for moment in moments) == 10
    assert any(moment.progress and moment.progress.fraction == 1 for moment in moments)


def test_a_race_is_never_written_over_another(race):
    with pytest.raises(UserError, match="--out"):
        compare(**QUICK, out=race[1])


def test_one_that_fails_does_not_stop_the_others(monkeypatch, tmp_path):
    fit = trial.fit

    def fragile(model, dataset, settings, **more):
        if type(model).__name__ == "MLP":
            if settings.seed == 1:
                raise RuntimeError("out of memory")
            error = Diverged("loss", float("nan"), "step 3 has no finite loss")
            error.history = [{"step": 1, "split": "validation", "loss": 2.0}]
            raise error
        return fit(model, dataset, settings, **more)

    monkeypatch.setattr(trial, "fit", fragile)
    results = compare(**QUICK, out=tmp_path / "out")
    failed = [run for run in results.runs if run.status == "failed"]
    assert [run.error for run in failed] == [
        "loss: got nan; step 3 has no finite loss.",
        "RuntimeError: out of memory",
    ]
    assert failed[0].curve == [{"step": 1, "loss": 2.0}]
    assert failed[0].parameters == 642  # what was known before stays
    assert results.status == "complete"
    assert (
        "mlp failed (seed 1): RuntimeError: out of memory" in (tmp_path / "out" / "report.html").read_text()
    )
    assert not (tmp_path / "out" / "runs" / "mlp-seed0").exists()


def test_ctrl_c_in_training_leaves_a_report_of_what_was_finished(tmp_path):
    def press(moment):
        if moment.entrant == "mlp" and moment.progress is not None:
            signal.raise_signal(signal.SIGINT)

    results = compare(**{**QUICK, "epochs": 200}, out=tmp_path / "out", watch=press)
    assert made(results)[-2:] == [("adaline", 0, "ok"), ("mlp", 0, "interrupted")]
    assert results.status == "interrupted"
    assert results.to_json()["ranking"]["leader"] == "adaline"
    assert (
        "The race was interrupted: 4 of 10 runs are here." in (tmp_path / "out" / "report.html").read_text()
    )


def test_ctrl_c_between_two_runs(tmp_path):
    def press(moment):
        if len(moment.results.runs) == 2:
            raise KeyboardInterrupt

    results = compare(**QUICK, out=tmp_path / "out", watch=press)
    assert made(results) == [("majority", 0, "ok"), ("logistic", 0, "ok")]
    assert json.loads((tmp_path / "out" / "results.json").read_text())["status"] == "interrupted"


def test_equal_parameters_operations_and_threads():
    results = compare("toy2d:xor", models=["mlp", "adaline"], params=330, flops=1e6, seeds=1, threads=1)
    adaline, mlp = results.runs[-2:]
    assert (adaline.width, adaline.note) == (None, "its size is fixed")
    assert (mlp.width, mlp.parameters) == (66, 332)
    assert mlp.steps == round(1e6 / (3 * 32 * 2 * (2 * 66 + 66 * 2)))
    assert mlp.stopped == "max_steps"


@pytest.mark.parametrize(("seconds", "times"), [(0.5, 4), (8.0, 8), (300.0, 20), (None, 20)])
def test_a_short_budget_is_scored_less_often(seconds, times):
    """Once a second, and four times at least; scoring is not in the budget."""
    dataset, architecture = load_data("toy2d:xor"), find("mlp")
    config = architecture.configure(dataset.signature)
    budget = Budget(seconds=seconds) if seconds is not None else Budget(epochs=3)
    assert trial._settings(0, architecture, config, dataset, budget).evaluations == times


def test_no_recipe_averages_more_than_the_fewest_evaluations():
    assert all(entry.recipe.get("average", 0) <= trial.FEWEST_EVALUATIONS for entry in TIMELINE)


def test_the_same_split_is_scored_once_by_a_baseline(monkeypatch):
    from anncestry.studies.ngram import KneserNey

    made_models = []
    create = KneserNey.__init__

    def counting(self, *arguments):
        made_models.append(self)
        create(self, *arguments)

    monkeypatch.setattr(KneserNey, "__init__", counting)
    options = DataOptions(max_chars=4000, window=16)
    results = compare("pydoc", options=options, models=["rnn"], epochs=1, seeds=2)
    assert len(set(results.data["fingerprints"])) == 1
    assert len(made_models) == 1
    assert [run.seed for run in results.runs if run.entrant == "kneser-ney"] == [0, 1]
    assert "--window 16 --max-chars 4000" in results.command
    assert next(run for run in results.runs if run.entrant == "rnn").mistakes["sample"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"models": ["lstm"]}, "model: got 'lstm'; does not fit vector inputs"),
        ({"models": ["lenet-9000"]}, "is not on the timeline"),
        ({"models": []}, "--models"),
        ({"seeds": 0}, "--seeds"),
        ({"threads": 0}, "--threads"),
        ({"jobs": 0}, "--jobs"),
        ({"jobs": 10_000}, "--jobs"),
        ({"budget": "soon"}, "--budget: got 'soon'; is a time such as"),
        ({"data": "nowhere"}, "--data"),
    ],
)
def test_mistakes_are_told_before_anything_is_written(wrong, message, tmp_path):
    with pytest.raises(UserError) as caught:
        compare(**{**QUICK, **wrong}, out=tmp_path / "out")
    assert message in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two cores")
def test_runs_at_once_are_the_runs_one_after_the_other(tmp_path):
    limits = {"models": ["mlp", "perceptron"], "epochs": 2, "seeds": 2}
    together = compare("toy2d:moons", **limits, jobs=2, out=tmp_path / "together")
    alone = compare("toy2d:moons", **limits)

    def figures(results):
        return {(run.entrant, run.seed): (run.status, run.metrics, run.steps) for run in results.runs}

    assert figures(together) == figures(alone)
    assert together.status == "complete"
    assert "--jobs 2" in together.command
    assert sorted(path.name for path in (tmp_path / "together" / "runs").iterdir()) == [
        "mlp-seed0", "mlp-seed1", "perceptron-seed0", "perceptron-seed1"
    ]  # fmt: skip
    assert (tmp_path / "together" / "report.html").exists()


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two cores")
def test_a_failure_in_a_worker_is_a_result(tmp_path):
    (tmp_path / "runs").write_text("in the way of the folder for models")
    pool = Workers(2, 1, tmp_path)
    with pool:
        pool.submit("mlp", "toy2d:xor", DataOptions(), 0, Budget(epochs=1))
        (run,) = pool.finished()
    assert run.status == "failed"
    assert run.error


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two cores")
def test_leaving_early_ends_the_workers():
    processes = []

    def interrupted() -> None:
        with Workers(2, 1, None) as workers:
            workers.submit("mlp", "digits", DataOptions(), 0, Budget(seconds=600.0))
            processes.extend(workers.pool._processes.values())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert processes
    assert all(not process.is_alive() for process in processes)
