"""Whole races on a few hundred points, with everything that can go wrong in them."""

import json
import os
import signal
import time
from concurrent.futures import Future

import pytest
import torch

from anncestry.checkpoints import store
from anncestry.data import DataOptions, load_data
from anncestry.errors import UserError
from anncestry.race import plan, records, running, trial
from anncestry.race import results as results_module
from anncestry.race.budget import Budget
from anncestry.race.compare import compare, resume
from anncestry.race.folder import race_folder, read_race
from anncestry.race.results import Results
from anncestry.race.running import Unwritten
from anncestry.race.workers import Workers
from anncestry.report.race.findings import findings
from anncestry.runs import create
from anncestry.runs import folder as run_folder
from anncestry.runs.run import Run
from anncestry.timeline import TIMELINE, find
from anncestry.training import outcome
from anncestry.training.outcome import Diverged

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
    assert sum(moment.entrant is None for moment in moments) == 1 + 10  # one before the first run
    assert any(moment.progress and moment.progress.fraction == 1 for moment in moments)


def test_a_race_is_never_written_over_another(race):
    with pytest.raises(UserError, match="out: got") as caught:
        compare(**{**QUICK, "epochs": 2, "models": ["mlp"]}, out=race[1])
    changed = "holds another race: `models` was adaline,mlp and is mlp, `epochs` was 1 and is 2."
    assert changed in str(caught.value)
    assert "by `resume`" in str(caught.value)
    (race[1].parent / "full").mkdir()
    (race[1].parent / "full" / "thesis.tex").touch()
    with pytest.raises(UserError, match="exists already"):
        compare(**QUICK, out=race[1].parent / "full")


@pytest.fixture
def short_page(monkeypatch):
    """The figures of a page take a second; these tests do not look at them."""
    monkeypatch.setattr(running, "page", lambda race: " ".join(findings(race)))


@pytest.fixture
def cut_short(tmp_path, short_page):
    """A race whose process was killed at its seventh run: what it was at is half there."""

    def kill(moment):
        if len(moment.results.runs) == 6 and moment.entrant is not None:
            raise SystemExit

    with pytest.raises(SystemExit):
        compare(**QUICK, out=tmp_path / "out", watch=kill)
    path = tmp_path / "out" / "results.json"
    rewrite(path, lambda kept: kept.update(status="running"))
    half = tmp_path / "out" / "runs" / "mlp-seed1"
    half.mkdir()
    (half / "config.json").write_text("{}")
    (tmp_path / "out" / ".0123456789abcdef.tmp").write_text("half a file")
    return tmp_path / "out"


def rewrite(path, change):
    kept = json.loads(path.read_text())
    change(kept)
    path.write_text(json.dumps(kept))


def test_the_same_race_goes_on_and_repeats_nothing(cut_short, race):
    before = json.loads((cut_short / "results.json").read_text())["runs"]
    begun = []
    results = compare(
        **QUICK, out=cut_short, watch=lambda moment: begun.append((moment.entrant, moment.seed))
    )
    assert results.found == len(before) == 6
    assert made(results) == made(race[0])
    assert [run["seconds"] for run in before] == [run.seconds for run in results.runs[:6]]
    assert {key for key in begun if key[0]} == {(name, 1) for name in ENTRANTS[1:]}
    scores = [run.metrics for run in results.runs]
    assert scores == [run.metrics for run in race[0].runs]  # as if nobody had stopped it
    assert Run(cut_short / "runs" / "mlp-seed1").scores()
    assert not list(cut_short.glob(".*.tmp"))


def test_a_finished_race_is_not_run_again(race):
    before = (race[1] / "results.json").stat().st_mtime_ns
    results = compare(**QUICK, out=race[1])
    assert results.found == 10
    assert results.status == "complete"
    assert [run.seconds for run in results.runs] == [run.seconds for run in race[0].runs]
    assert (race[1] / "results.json").stat().st_mtime_ns > before


def test_what_failed_is_tried_again_and_seeds_can_be_added(cut_short):
    def spoil(kept):
        kept["runs"][-1] |= {"status": "failed", "error": "its process was killed (signal 9)"}

    rewrite(cut_short / "results.json", spoil)
    results = resume(cut_short, seeds=3)
    assert results.found == 5
    assert sorted(made(results)) == sorted((name, seed, "ok") for name in ENTRANTS for seed in range(3))
    assert "--seeds 3" in results.command
    with pytest.raises(UserError, match="seeds: got 2; must be at least the 3"):
        resume(cut_short, seeds=2)


def test_data_that_have_changed_are_refused_and_moved_ones_taken(short_page, tmp_path):
    def write(name, factor):
        rows = [f"{i % 7},{(i * factor) % 11},{i % 2}" for i in range(60)]
        (tmp_path / name).write_text("a,b,c\n" + "\n".join(rows) + "\n")
        return f"csv:{tmp_path / name}"

    def stop(moment):
        if len(moment.results.runs) == 2:
            raise KeyboardInterrupt

    limits = {"models": ["mlp"], "epochs": 1, "seeds": 1, "out": tmp_path / "out"}
    assert compare(write("a.csv", 3), **limits, watch=stop).status == "interrupted"
    with pytest.raises(UserError, match=r"a\.csv'; has changed since the race began"):
        compare(write("a.csv", 5), **limits)
    (tmp_path / "a.csv").unlink()
    results = resume(tmp_path / "out", data=write("b.csv", 3))
    assert results.status == "complete"
    assert "b.csv" in results.command


def test_two_races_at_once_do_not_meet_in_one_folder(cut_short, tmp_path):
    plan = read_race(cut_short)
    with race_folder(cut_short, plan) as (folder, _):
        assert folder == cut_short
        with pytest.raises(UserError, match="is the folder of a race that is running now"):
            resume(cut_short)
        results = compare(**QUICK, out=cut_short, numbered=True)
        assert results.folder == cut_short.with_name("out-2")
    assert resume(cut_short).status == "complete"  # nobody holds it any more
    assert compare(**QUICK, out=cut_short, numbered=True).folder == cut_short.with_name("out-3")


@pytest.mark.parametrize("text", ["", "[]", '{"format": 1}', '{"runs": [{"entrant": 3}]}'])
def test_results_that_are_damaged_are_named(tmp_path, text):
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(UserError, match=r"results\.json'; (cannot be read|is not readable|must hold)"):
        resume(tmp_path)
    with pytest.raises(UserError, match="holds no race"):
        resume(tmp_path / "..")


def test_a_full_disk_costs_neither_the_race_nor_what_was_measured(short_page, tmp_path, monkeypatch):
    """It fills up after the first run, and the results are in the error that tells of it."""
    write, full = store.write_bytes, []

    def limited(path, data):
        if full:
            raise UserError("file", str(path), "the disk is full")
        write(path, data)

    for module in (store, create, run_folder, results_module, running):
        monkeypatch.setattr(module, "write_bytes", limited)
    with pytest.raises(Unwritten, match="the disk is full") as caught:
        compare(**QUICK, out=tmp_path / "out", watch=lambda moment: full.extend(moment.results.runs[:1]))
    assert len(made(caught.value.results)) == 10
    assert all(run.status == "ok" and run.metrics for run in caught.value.results.runs)
    assert "could not be kept" in caught.value.results.runs[-1].note
    assert not (tmp_path / "out" / "runs" / "mlp-seed0").exists()
    full.clear()
    monkeypatch.undo()
    assert resume(tmp_path / "out").status == "complete"


def test_the_report_is_there_from_the_first_run_on(short_page, tmp_path):
    seen = []

    def look(moment):
        path = tmp_path / "out" / "report.html"
        seen.append((len(moment.results.runs), path.read_text() if path.exists() else ""))

    compare(**{**QUICK, "seeds": 1}, out=tmp_path / "out", watch=look)
    pages = dict(reversed(seen))
    assert pages[0] == ""
    assert "1 of 5 runs are here" in pages[1]
    assert "runs are here" not in (tmp_path / "out" / "report.html").read_text()


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


def test_ctrl_c_in_training_leaves_a_report_of_what_was_finished(short_page, tmp_path):
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


def test_ctrl_c_between_two_runs(short_page, tmp_path):
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
    from anncestry.race.ngram_baseline import KneserNey

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
        ({"models": []}, "models: got"),
        ({"seeds": 0}, "seeds: got"),
        ({"threads": 0}, "threads: got"),
        ({"jobs": 0}, "jobs: got"),
        ({"jobs": 10_000}, "jobs: got"),
        ({"budget": "soon"}, "budget: got 'soon'; must be a time such as"),
        ({"data": "nowhere"}, "data: got"),
    ],
)
def test_mistakes_are_found_before_anything_is_written(wrong, message, tmp_path):
    with pytest.raises(UserError) as caught:
        compare(**{**QUICK, **wrong}, out=tmp_path / "out")
    assert message in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
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


@pytest.mark.parametrize(("work", "threads", "core"), [(0.97, 1, 0.97), (0.71, 1, 0.71), (0.4, 2, None)])
def test_a_run_says_how_much_of_a_core_it_had(work, threads, core, monkeypatch, short_page):
    """By a clock of our own, in which the process is at work for a share of the time."""
    monkeypatch.setattr(outcome.time, "process_time", lambda: work * outcome.time.perf_counter())
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    limits = {"models": ["adaline"], "seeds": 1, "threads": threads}
    results = compare("toy2d:xor", budget=0.05, **limits)
    run = next(run for run in results.runs if run.entrant == "adaline")
    assert run.core == pytest.approx(core, abs=0.01) if core else run.core is None
    assert ("others took 29% of its core" in run.note) == (core == 0.71)
    by_steps = compare("toy2d:xor", epochs=1, **limits)
    assert not any(run.note for run in by_steps.runs)  # seconds do not matter there


def test_by_default_the_command_uses_the_cores_there_are(monkeypatch):
    monkeypatch.setattr(plan, "usable_cores", lambda: 4)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert [plan.default_jobs(threads) for threads in (1, 2, 3, 8)] == [4, 2, 1, 1]
    asked = ("toy2d:xor", DataOptions(), ["mlp"], Budget.of(epochs=1), 1, 1)
    by_default = plan.Plan.of(*asked, None)
    assert by_default.jobs == 4
    assert "--jobs" not in by_default.results.command
    assert plan.Plan.of(*asked, 1).jobs == 1
    assert plan.Plan.of(*asked, 1).results.command.endswith("--jobs 1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert plan.default_jobs(1) == 1  # they would share it


def test_baselines_are_done_before_runs_begin_that_they_would_slow_down(monkeypatch, short_page):
    order = []

    class Hands:
        def __init__(self, jobs, threads, folder):
            pass

        def submit(self, model, data, options, seed, budget):
            order.append(model)

        def finished(self, watch):
            return iter(())

        def __enter__(self):
            return self

        def __exit__(self, *error):
            return None

    monkeypatch.setattr(running, "Workers", Hands)
    monkeypatch.setattr(plan, "usable_cores", lambda: 2)
    compare(**QUICK, jobs=2, watch=lambda moment: moment.entrant and order.append(moment.entrant))
    assert order == [*(2 * ENTRANTS[:3]), *(2 * ENTRANTS[3:])]


def test_a_killed_process_costs_one_run_and_a_model_that_cannot_be_kept_none(tmp_path):
    (tmp_path / "runs").write_text("in the way of the folder for models")
    with Workers(1, 1, tmp_path) as workers:
        workers.submit("mlp", "toy2d:xor", DataOptions(), 0, Budget(epochs=1))
        while not workers.processes:
            time.sleep(0.01)
        next(iter(workers.processes)).kill()
        workers.submit("adaline", "toy2d:xor", DataOptions(), 1, Budget(epochs=1))
        made = {run.entrant: run for run in workers.finished(lambda *news: None)}
    assert made["mlp"].status == "failed"
    assert made["mlp"].error.startswith("its process was killed (signal 9); the system does that")
    assert made["adaline"].status == "ok"
    assert "could not be kept: out: got" in made["adaline"].note


def test_workers_tell_how_far_they_are_and_can_be_left_meanwhile():
    news = []
    workers = Workers(1, 1, None)

    def watch(*told) -> None:
        news.append(told)
        if told[2] is not None:
            raise KeyboardInterrupt

    def left() -> None:
        with workers:
            workers.submit("mlp", "toy2d:xor", DataOptions(), 4, Budget(seconds=600.0))
            list(workers.finished(watch))

    with pytest.raises(KeyboardInterrupt):
        left()
    assert news[0] == ("mlp", 4, None)
    assert news[1][:2] == ("mlp", 4)
    assert 0 < news[1][2].fraction < 1
    assert not any(process.is_alive() for process in workers.processes)


def test_news_of_a_run_that_is_done_are_dropped():
    news, done = [], []
    with Workers(1, 1, None) as workers:
        for name in ("mlp", "adaline"):
            future = Future()
            future.set_result(records.Run(entrant=name, seed=0))
            workers.futures.append(future)
            for told in ((name, 0, None), future, (name, 0, None)):
                workers.told.put(told)
        done.extend(run.entrant for run in workers.finished(lambda *told: news.append(told)))
    assert done == ["mlp", "adaline"]
    assert news == [("mlp", 0, None), ("adaline", 0, None)]


def test_leaving_early_ends_the_workers():
    processes = []

    def interrupted() -> None:
        with Workers(1, 1, None) as workers:
            workers.submit("mlp", "digits", DataOptions(), 0, Budget(seconds=600.0))
            while not workers.processes:
                time.sleep(0.01)
            processes.extend(workers.processes)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert processes
    assert all(not process.is_alive() for process in processes)


@pytest.mark.parametrize("separate", [0.0, 3.0], ids=["no difference", "a difference"])
def test_a_race_over_small_tables_announces_what_is_there(separate, tmp_path, monkeypatch):
    """Three learning rules on labels that are noise, or that lie ``separate`` deviations apart."""
    monkeypatch.setattr(trial, "LATENCY_SECONDS", 0.0)
    told = []
    for number in range(4):
        random = torch.Generator().manual_seed(number)
        labels = torch.rand(120, generator=random).gt(0.5).float()
        columns = torch.randn(120, 3, generator=random) + separate * labels[:, None]
        rows = [
            f"{a:.4f},{b:.4f},{c:.4f},{label:.0f}"
            for a, b, c, label in torch.cat([columns, labels[:, None]], 1).tolist()
        ]
        path = tmp_path / f"{number}.csv"
        path.write_text("\n".join(["a,b,c,label", *rows]))
        models = ["perceptron", "adaline", "averaged-perceptron"]
        results = compare(f"csv:{path}", models=models, epochs=3, options=DataOptions(task="classification"))
        standings = results.to_json()["ranking"]["standings"]
        assert all(0 <= row["low"] <= row["mean"] <= row["high"] <= 1 for row in standings)
        told.append({row["id"] for row in standings if row["tied"] is False})
    if separate:
        assert told == [{"majority"}] * 4  # all others separate the classes
    else:
        assert not any(told)
