"""The race: every architecture that fits the data, under an equal budget, and baselines.

Runs go seed by seed: everybody with seed 0, then everybody with seed 1, ... so that a race that is cut
short still compares like with like. After every run ``results.json`` is whole and up to date, and a race that
was cut short goes on from there (`anncestry.race.folder`).
"""

from collections.abc import Sequence
from pathlib import Path

from anncestry.data import DataOptions
from anncestry.errors import require
from anncestry.race.budget import Budget
from anncestry.race.folder import check_folder, read_race
from anncestry.race.plan import Plan
from anncestry.race.results import Results
from anncestry.race.running import Watch, run


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
    jobs: int | None = 1,
    out: str | Path | None = None,
    numbered: bool = False,
    watch: Watch | None = None,
) -> Results:
    """Race architectures on one data set, with simple baselines.

    ``print(results)`` shows the ranking; a notebook shows it as a table.

    >>> results = anncestry.compare("toy2d:moons", models=["perceptron", "adaline"], epochs=1, seeds=1)
    >>> [entrant.id for entrant in results.entrants]
    ['perceptron', 'adaline', 'majority', 'logistic', 'boosted-trees']
    >>> results.status
    'complete'

    Args:
        data: a data name (``digits``, ``csv:PATH``, ...).
        options: how to read the data; default: as `DataOptions` has it.
        models: names of architectures; default: every one that fits the data.
        budget: seconds of training for each run (``"60s"``, ``"2m"``, 90); 20 if there is no other limit.
        params: the size of every model (``"50k"``); alone, each is trained for 10 passes.
        flops: floating-point operations of training for each run (``"1e12"``).
        epochs: passes over the training split for each run.
        select: the metric that the race is ranked by, and that says which weights of a run are kept;
            default: the task's own, and the loss where one class has three quarters of the examples.
        seeds: how often each is run, with seeds 0, 1, ...
        threads: CPU threads of every run. One is the steadiest clock: several wait for each other on a
            busy machine, and small models gain nothing from them.
        jobs: how many runs at once, each in a process of its own; None for as many as there are cores for.
            With a core for each thread of each, they get the same seconds as one after the other, and whether
            they had it is measured (`anncestry.race.records.Run.core`). A script that asks for more than one
            must guard its own work by ``if __name__ == "__main__":``.
        out: a folder for ``results.json``, ``report.html`` and ``runs/``; None writes nothing. Where it holds
            this race already, cut short, the race goes on: what was finished is not made again.
        numbered: where ``out`` holds something else, or this race to its end, take ``out``-2, ``out``-3, ...
        watch: called with every `Moment`.

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
    plan = Plan.of(data, options or DataOptions(), models, limits, seeds, threads, jobs)
    return run(plan, folder, watch, numbered=numbered)


def resume(
    folder: str | Path,
    *,
    data: str | None = None,
    seeds: int | None = None,
    jobs: int | None = 1,
    watch: Watch | None = None,
) -> Results:
    """Go on with a race that was cut short; what was finished is not made again, what failed is.

        results = anncestry.race.resume("runs/compare-digits", seeds=5)

    Args:
        folder: the ``out`` of the race.
        data: where the data are now, if they were moved; they must be the same.
        seeds: how many now, at least as many as before; default: as many.
        jobs: how many runs at once; None for as many as there are cores for.
        watch: called with every `Moment`.

    Returns:
        As `compare` does.

    Raises:
        UserError: there is no such race, another process is at it, or the data have changed.
        Unwritten: as of `compare`.
    """
    folder = Path(folder).expanduser()
    before = read_race(folder)
    rule = f"must be at least the {before.seeds} that the race has"
    require(seeds is None or seeds >= before.seeds, "seeds", seeds, rule)
    plan = Plan.of(
        data or before.data["name"],
        DataOptions(**before.data["options"]),
        [entrant.id for entrant in before.entrants if entrant.kind == "model"],
        Budget(**before.budget),
        seeds or before.seeds,
        before.machine["threads"],
        jobs,
    )
    return run(plan, folder, watch, changed=True)
