"""The race: every architecture that fits the data, under an equal budget, beside the baselines.

Runs go seed by seed: everybody with seed 0, then everybody with seed 1, ... so that a race that is cut
short still compares like with like. After every run ``results.json`` is whole and up to date, and a race that
was cut short goes on from there (`anncestry.race.folder`).
"""

import logging
import os
import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from threadpoolctl import threadpool_limits

from anncestry.checkpoints.store import write_bytes
from anncestry.data import DataOptions, Dataset, load_data
from anncestry.errors import UserError, require
from anncestry.objectives import objective_of
from anncestry.race.baselines import Baseline, baselines_for
from anncestry.race.budget import Budget
from anncestry.race.folder import RESULTS, check_folder, race_folder, read_race, remove_leftover
from anncestry.race.records import Entrant, Run
from anncestry.race.results import Results, machine
from anncestry.race.trial import attempt, run_folder, train_run
from anncestry.race.workers import Workers
from anncestry.report.race.race import page
from anncestry.signature import Signature
from anncestry.timeline import TIMELINE, Architecture, find, find_preset
from anncestry.training.fit import Progress

log = logging.getLogger(__name__)

FRESH = 5.0  # seconds that a page is let stand while the race runs


@dataclass(frozen=True)
class Moment:
    """What a watcher is told: when a run begins or ends, and a few times a second in between.

    Attributes:
        results: so far; a run in progress is not among them.
        entrant, seed: who is on; None between runs.
        progress: of a model in training.
    """

    results: Results
    entrant: str | None = None
    seed: int | None = None
    progress: Progress | None = None


Watch = Callable[[Moment], None]


def compare(
    data: str,
    *,
    options: DataOptions | None = None,
    models: Sequence[str] | None = None,
    budget: str | float | None = None,
    params: str | int | None = None,
    flops: str | float | None = None,
    epochs: int | None = None,
    select: str | None = None,
    seeds: int = 3,
    threads: int = 1,
    jobs: int = 1,
    out: str | Path | None = None,
    numbered: bool = False,
    watch: Watch | None = None,
) -> Results:
    """Race architectures on one data set.

    Args:
        data: a data name (``digits``, ``csv:PATH``, ...).
        options: how to read it.
        models: names of architectures; every one that fits the data unless given.
        budget: seconds of training for each run (``"60s"``, ``"2m"``, 90); 20 if there is no other limit.
        params: the size of every model (``"50k"``); alone, each is trained for 10 passes.
        flops: floating-point operations of training for each run (``"1e12"``).
        epochs: passes over the training split for each run.
        select: the figure that the race is ranked by, and that says which weights of a run are kept; the
            task's own unless told, and the loss where one class has three quarters of the examples.
        seeds: how often each is run, with seeds 0, 1, ...
        threads: CPU threads of every run. One is the steadiest clock: several wait for each other on a
            busy machine, and small models gain nothing from them.
        jobs: how many runs at once, each in a process of its own. With a core for each thread of each, they
            get the same seconds as one after the other.
        out: a folder for ``results.json``, ``report.html`` and ``runs/``; None writes nothing. Where it holds
            this race already, cut short, the race goes on: what was finished is not made again.
        numbered: where ``out`` holds something else, or this race to its end, take ``out``-2, ``out``-3, ...
        watch: told what happens.

    Returns:
        The results. After Ctrl-C those of the finished runs, with the status ``"interrupted"``.

    Raises:
        UserError: an argument is not what it must be, a named model does not fit the data, or ``out`` holds
            something else, or the data have changed since the race began.
        Unwritten: the race was run, but its results could not be written; the error has them.
    """
    limits = Budget.of(budget, params, flops, epochs, select)
    folder = None if out is None else Path(out).expanduser()
    if folder is not None and not numbered:
        check_folder(folder)
    field = _Field.of(data, options or DataOptions(), models, limits, seeds, threads, jobs)
    return _run(field, folder, watch, numbered=numbered)


def resume(
    folder: str | Path,
    *,
    data: str | None = None,
    seeds: int | None = None,
    jobs: int = 1,
    watch: Watch | None = None,
) -> Results:
    """Go on with a race that was cut short; what was finished is not made again, what failed is.

    Args:
        folder: of the race.
        data: where the data are now, if they were moved; they must be the same.
        seeds: more of them than before, if more are wanted.
        jobs: how many runs at once.
        watch: told what happens.

    Returns:
        As `compare` does.

    Raises:
        UserError: there is no such race, another process is at it, or the data have changed.
        Unwritten: as of `compare`.
    """
    folder = Path(folder).expanduser()
    before = read_race(folder)
    rule = f"must be at least the {before.seeds} that the race has"
    require(seeds is None or seeds >= before.seeds, "--seeds", seeds, rule)
    field = _Field.of(
        data or before.data["name"],
        DataOptions(**before.data["options"]),
        [entrant.id for entrant in before.entrants if entrant.kind == "model"],
        Budget(**before.budget),
        seeds or before.seeds,
        before.machine["threads"],
        jobs,
    )
    return _run(field, folder, watch, changed=True)


@dataclass(frozen=True)
class _Field:
    """Everybody at the start: the data of seed 0, who takes part, and the race without a run."""

    data: str
    options: DataOptions
    limits: Budget
    jobs: int
    dataset: Dataset
    architectures: list[Architecture]
    baselines: list[Baseline]
    plan: Results

    @classmethod
    def of(
        cls,
        data: str,
        options: DataOptions,
        models: Sequence[str] | None,
        limits: Budget,
        seeds: int,
        threads: int,
        jobs: int,
    ) -> "_Field":
        require(seeds >= 1, "--seeds", seeds, "must be at least 1")
        require(threads >= 1, "--threads", threads, "must be at least 1")
        cores = os.cpu_count() or 1
        fits = jobs == 1 or 1 < jobs * threads <= cores
        rule = f"jobs x threads must be between 1 and the {cores} cores: else runs would not get equal time"
        require(fits, "--jobs", jobs, rule)
        dataset = load_data(data, options, 0)
        architectures = _choose(models, dataset.signature)
        baselines = baselines_for(dataset.signature)
        objective = objective_of(dataset, select=limits.select)
        command = _command(data, options, models, limits, seeds, threads, jobs)
        limits = replace(limits, select=objective.primary)  # the same for every seed
        plan = Results(
            data=_describe(dataset) | {"name": data},  # as typed: a report may travel, paths do not
            budget=asdict(limits),
            seeds=seeds,
            metric={"name": objective.primary, "higher_is_better": objective.higher_is_better},
            machine=machine(threads),
            command=command,
            entrants=[*map(_entrant, architectures), *map(_baseline_entrant, baselines)],
        )
        return cls(data, options, limits, jobs, dataset, architectures, baselines, plan)


def _run(
    field: _Field, out: Path | None, watch: Watch | None, numbered: bool = False, changed: bool = False
) -> Results:
    """The race from its beginning, or from where its folder says that it got to."""
    held = nullcontext((None, field.plan))
    with held if out is None else race_folder(out, field.plan, numbered, changed) as (folder, results):
        race = _Race(results, field.limits, folder, watch or (lambda moment: None))
        try:
            with _threads(results.machine["threads"]):
                race.begin()
                _everybody(field, race)
            results.status = "complete"
        except KeyboardInterrupt:
            results.status = "interrupted"
        except BaseException:
            results.status = "interrupted"
            race.end()
            raise
        race.end()
    if race.unwritten is not None:
        raise Unwritten(results, race.unwritten) from race.unwritten
    return results


def _everybody(field: _Field, race: "_Race") -> None:
    """Make every run that is not there yet, one after the other or several at once."""
    results, threads = race.results, race.results.machine["threads"]
    workers = Workers(field.jobs, threads, race.folder) if field.jobs > 1 else None
    with workers or nullcontext():
        for seed in range(results.seeds):
            baselines = [row for row in field.baselines if race.lacks(row.id, seed)]
            architectures = [row for row in field.architectures if race.lacks(row.id, seed)]
            if seed > 0 and not baselines and not architectures:
                continue
            dataset = field.dataset if seed == 0 else load_data(field.data, field.options, seed)
            race.meet(dataset, seed)
            if workers is not None:
                for architecture in architectures:
                    workers.submit(architecture.id, field.data, field.options, seed, field.limits)
            for baseline in baselines:
                race.run_baseline(baseline, dataset, seed)
            for architecture in architectures if workers is None else ():
                race.run_model(architecture, dataset, seed)
        for run in workers.finished() if workers is not None else ():
            race.keep(run)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """So many threads for PyTorch, scikit-learn and NumPy, for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        with threadpool_limits(count):
            yield
    finally:
        torch.set_num_threads(before)


class Unwritten(UserError):
    """A race was run, and its results could not be written.

    Attributes:
        results: all of them.
    """

    def __init__(self, results: Results, error: UserError) -> None:
        super().__init__(error.field, error.value, error.rule, error.choices, error.hint)
        self.results = results


class _Race:
    """Makes runs, and keeps the results and the report up to date.

    Attributes:
        unwritten: why the results as they are now are not on the disk, or None. The race goes on without:
            there may be room again before it ends.
    """

    def __init__(self, results: Results, budget: Budget, folder: Path | None, watch: Watch) -> None:
        self.results, self.budget, self.folder, self.watch = results, budget, folder, watch
        self.unwritten: UserError | None = None
        self.next_report = 0.0
        results.folder, results.found = folder, len(results.runs)

    def begin(self) -> None:
        """Before the first run: where nothing can be written, no time is lost on training."""
        if self.folder is not None:
            self.results.save(self.folder / RESULTS)
        self.watch(Moment(self.results))

    def end(self) -> None:
        """After the last."""
        self.save()
        self.report()

    def save(self) -> None:
        if self.folder is None:
            return
        try:
            self.results.save(self.folder / RESULTS)
            self.unwritten = None
        except UserError as error:
            self.unwritten = error

    def report(self) -> None:
        """Write the page; while the race runs not all the time, and for at most a tenth of it."""
        if self.folder is None or (self.results.status == "running" and time.monotonic() < self.next_report):
            return
        started = time.monotonic()
        try:
            write_bytes(self.folder / "report.html", page(self.results.to_json()).encode())
        except UserError as error:
            self.unwritten = self.unwritten or error
        except Exception:  # a fault of the page must not cost the runs that are still to come
            if self.results.status == "complete":
                raise
            log.warning("the report could not be drawn", exc_info=True)
        self.next_report = started + max(FRESH, 11 * (time.monotonic() - started))

    def lacks(self, entrant: str, seed: int) -> bool:
        """Whether a run has still to be made."""
        return all(run.entrant != entrant or run.seed != seed for run in self.results.runs)

    def meet(self, dataset: Dataset, seed: int) -> None:
        """Note the data of a seed; the second time they must be the same.

        Raises:
            UserError: they are not.
        """
        prints, new = self.results.data["fingerprints"], dataset.fingerprint()
        if seed == len(prints):
            prints.append(new)
        rule = "has changed since the race began; its runs could not be compared"
        require(prints[seed] == new, "--data", self.results.data["name"], rule)

    def run_baseline(self, baseline: Baseline, dataset: Dataset, seed: int) -> None:
        """A baseline on one split; where the split is that of an earlier seed, so is its score."""
        prints = self.results.data["fingerprints"]
        for earlier in self.results.runs:
            if earlier.entrant == baseline.id and prints[earlier.seed] == prints[seed]:
                self.keep(replace(earlier, seed=seed))
                return

        def score(run: Run) -> None:
            started = time.perf_counter()
            scored, run.note = baseline.score(dataset)
            metric = self.results.metric["name"]
            run.metrics, run.outcomes = scored.metrics, {metric: scored.rows(metric)}
            run.seconds = time.perf_counter() - started

        self._attempt(baseline.id, seed, score)

    def run_model(self, architecture: Architecture, dataset: Dataset, seed: int) -> None:
        """Build, train and measure one model with one seed."""

        def report(progress: Progress) -> None:
            self.watch(Moment(self.results, architecture.id, seed, progress))

        def train(run: Run) -> None:
            remove_leftover(run_folder(self.folder, run))
            train_run(run, architecture, dataset, self.budget, run_folder(self.folder, run), report)

        self._attempt(architecture.id, seed, train)

    def _attempt(self, entrant: str, seed: int, work: Callable[[Run], None]) -> None:
        """Let ``work`` fill in a run; Ctrl-C ends the race."""
        self.watch(Moment(self.results, entrant, seed))
        run = attempt(Run(entrant=entrant, seed=seed), work)
        self.keep(run)
        if run.status == "interrupted":
            raise KeyboardInterrupt

    def keep(self, run: Run) -> None:
        """Add a run to the results."""
        self.results.runs.append(run)
        self.save()
        self.report()
        self.watch(Moment(self.results))


def _choose(names: Sequence[str] | None, signature: Signature) -> list[Architecture]:
    """The named architectures, or all that fit; in the order of the timeline, each once."""
    if names is None:
        fitting = [architecture for architecture in TIMELINE if architecture.fits_signature(signature)]
        if not fitting:
            rule = f"no architecture fits {signature.inputs} inputs with the task {signature.task}"
            raise UserError("--data", signature.task, rule)
        return fitting
    chosen = set()
    for name in names:
        architecture = find(name)
        if find_preset(name) is not None:
            rule = "is a fixed size; the race sizes every model by its budget"
            raise UserError("--models", name, rule, [architecture.id])
        architecture.configure(signature)  # says what fits, where this one does not
        chosen.add(architecture.id)
    require(bool(chosen), "--models", "", "must name at least one architecture")
    return [architecture for architecture in TIMELINE if architecture.id in chosen]


def _describe(dataset: Dataset) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "options": dataset.options,
        **dataset.signature.to_json(),
        "classes": list(dataset.classes),
        "train": len(dataset.train),
        "validation": len(dataset.validation),
        "test": len(dataset.test),
        "notes": list(dataset.notes),
        "fingerprints": [],
    }


def _entrant(architecture: Architecture) -> Entrant:
    shared = ("id", "name", "year", "paper", "adds", "removes", "parents")
    return Entrant(kind="model", **{field: getattr(architecture, field) for field in shared})


def _baseline_entrant(baseline: Baseline) -> Entrant:
    return Entrant(id=baseline.id, name=baseline.name, kind="baseline", adds=baseline.about)


def _command(
    data: str,
    options: DataOptions,
    models: Sequence[str] | None,
    budget: Budget,
    seeds: int,
    threads: int,
    jobs: int,
) -> str:
    """What runs this race again."""
    words = ["anncestry", "compare", "--data", data, *options.words()]
    if models is not None:
        words += ["--models", ",".join(models)]
    if budget.seconds is not None:
        words += ["--budget", f"{budget.seconds:g}s"]
    for name in ("params", "flops", "epochs", "select"):
        if (value := getattr(budget, name)) is not None:
            words += [f"--{name}", f"{value:g}" if isinstance(value, float) else str(value)]
    words += ["--seeds", str(seeds)]
    words += ["--threads", str(threads)] if threads != 1 else []
    return shlex.join([*words, "--jobs", str(jobs)] if jobs != 1 else words)
