"""The runs of a race, one after the other or several at once, with results and report kept up to date."""

import functools
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits

from anncestry.checkpoints.store import write_bytes
from anncestry.data import Dataset, load_data
from anncestry.errors import UserError, require
from anncestry.race.baseline import Baseline
from anncestry.race.budget import Budget
from anncestry.race.folder import RESULTS, race_folder, remove_leftover
from anncestry.race.plan import Plan
from anncestry.race.records import Run
from anncestry.race.results import Results
from anncestry.race.trial import attempt, run_folder, train_run
from anncestry.race.workers import Workers
from anncestry.report.race.race import page
from anncestry.timeline import Architecture
from anncestry.training.outcome import Progress

log = logging.getLogger(__name__)

FRESH = 5.0  # seconds that a page is let stand while the race runs
BETWEEN, BESIDE = 11, 101  # it takes a tenth of the time between runs, a hundredth where it takes their cores


@dataclass(frozen=True)
class Moment:
    """What a progress callback gets: when a run begins or ends, and a few times a second in between.

    Attributes:
        results: so far; a run in progress is not among them.
        entrant, seed: who is on, one of them where several are; None when a run has ended.
        progress: of a model in training.
    """

    results: Results
    entrant: str | None = None
    seed: int | None = None
    progress: Progress | None = None


Watch = Callable[[Moment], None]


def run(
    plan: Plan, out: Path | None, watch: Watch | None, numbered: bool = False, changed: bool = False
) -> Results:
    """The race from its beginning, or from where its folder says that it got to.

    Args:
        out, numbered, watch: as of `anncestry.race.compare.compare`.
        changed: the folder's race may have fewer seeds, and its data another name.

    Raises:
        UserError: the folder holds something else, or the data have changed.
        Unwritten: the race was run, but its results could not be written.
    """
    held = nullcontext((None, plan.results))
    with held if out is None else race_folder(out, plan.results, numbered, changed) as (folder, results):
        race = Race(results, plan.limits, folder, watch or (lambda moment: None))
        try:
            with _threads(results.machine["threads"]):
                race.begin()
                _everybody(plan, race)
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


def _everybody(plan: Plan, race: "Race") -> None:
    """Make every run that is not there yet, one after the other or several at once."""
    results, threads = race.results, race.results.machine["threads"]
    workers = Workers(plan.jobs, threads, race.folder) if plan.jobs > 1 else None
    with workers or nullcontext():
        waiting = []  # until the baselines are done: they would take the cores of others, and count no time
        for seed in range(results.seeds):
            baselines = [row for row in plan.baselines if race.lacks(row.id, seed)]
            architectures = [row for row in plan.architectures if race.lacks(row.id, seed)]
            if seed > 0 and not baselines and not architectures:
                continue
            dataset = plan.dataset if seed == 0 else load_data(plan.data, plan.options, seed)
            race.meet(dataset, seed)
            for baseline in baselines:
                race.run_baseline(baseline, dataset, seed)
            for architecture in architectures:
                if workers is None:
                    race.run_model(architecture, dataset, seed)
                else:
                    waiting.append((architecture.id, seed))
        if workers is not None:
            race.pause = BESIDE
            for model, seed in waiting:
                workers.submit(model, plan.data, plan.options, seed, plan.limits)
            for run in workers.finished(race.tell):
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


class Race:
    """Makes runs, and keeps the results and the report up to date.

    Attributes:
        unwritten: why the results as they are now are not on the disk, or None. The race goes on without:
            there may be room again before it ends.
    """

    def __init__(self, results: Results, budget: Budget, folder: Path | None, watch: Watch) -> None:
        self.results, self.budget, self.folder, self.watch = results, budget, folder, watch
        self.unwritten: UserError | None = None
        self.next_report, self.pause = 0.0, BETWEEN
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
        """Write the page; while the race runs not all the time."""
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
        self.next_report = started + max(FRESH, self.pause * (time.monotonic() - started))

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
        require(prints[seed] == new, "data", self.results.data["name"], rule)

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
        tell = functools.partial(self.tell, architecture.id, seed)

        def train(run: Run) -> None:
            remove_leftover(run_folder(self.folder, run))
            train_run(run, architecture, dataset, self.budget, run_folder(self.folder, run), tell)

        self._attempt(architecture.id, seed, train)

    def _attempt(self, entrant: str, seed: int, work: Callable[[Run], None]) -> None:
        """Let ``work`` fill in a run; Ctrl-C ends the race."""
        self.tell(entrant, seed)
        run = attempt(Run(entrant=entrant, seed=seed), work)
        self.keep(run)
        if run.status == "interrupted":
            raise KeyboardInterrupt

    def tell(self, entrant: str, seed: int, progress: Progress | None = None) -> None:
        """A run begins, or is so far."""
        self.watch(Moment(self.results, entrant, seed, progress))

    def keep(self, run: Run) -> None:
        """Add a run to the results."""
        self.results.runs.append(run)
        self.save()
        self.report()
        self.watch(Moment(self.results))
