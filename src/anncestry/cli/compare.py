"""Race every architecture that fits the data under an equal budget, beside simple baselines."""

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from anncestry.cli.given import flag, given
from anncestry.cli.groups import BUDGET, DATA, MACHINE, MODEL, OUTPUT, group_of_data
from anncestry.data.options import DataOptions
from anncestry.data.sources.catalogue import SOURCES
from anncestry.errors import UserError, require

GivenData: Any = given(DataOptions, group_of=group_of_data)
CHANGED_AT_RESUME = ("data", "seeds", "jobs")


@dataclass(frozen=True)
class Arguments:
    """What to race on, who takes part, and what everybody gets."""

    data: Annotated[str | None, DATA, tyro.conf.arg(metavar="SOURCE")] = None
    """What to race on: one of the sources below."""
    models: Annotated[str | None, MODEL] = None
    """Names from `anncestry list` with commas between them; default: everything that fits the data."""
    budget: Annotated[str | None, BUDGET, tyro.conf.arg(metavar="TIME")] = None
    """Training time of each run, as in 60s or 2m; default: 20s where no other limit is given."""
    params: Annotated[str | None, BUDGET, tyro.conf.arg(metavar="COUNT")] = None
    """Parameters of each model, as in 50k; alone, each is trained for 10 passes over the data."""
    flops: Annotated[str | None, BUDGET, tyro.conf.arg(metavar="COUNT")] = None
    """Floating-point operations of training for each run, as in 1e12."""
    epochs: Annotated[int | None, BUDGET] = None
    """Passes over the training data of each run."""
    select: Annotated[str | None, BUDGET] = None
    """The figure of the task to rank by, and to keep the best weights of each run by: macro_f1, say; default:
    the task's own."""
    seeds: Annotated[int | None, BUDGET] = None
    """How often each is run, with other initial weights, order and (if not official) split; default: 3."""
    threads: Annotated[int | None, MACHINE] = None
    """CPU threads of every run; default: 1, the steadiest clock; more help large models."""
    jobs: Annotated[int | None, MACHINE] = None
    """Runs at once, each in a process of its own; no more than the machine has cores for; default: as many.
    The report says whether each had a core to itself."""
    out: Annotated[Path | None, OUTPUT] = None
    """A folder for report.html, results.json and the trained models; default: runs/compare-DATA. A race that
    was cut short in it goes on."""
    resume: Annotated[Path | None, OUTPUT] = None
    """Go on with the race in this folder (and, with --seeds, with more of them). What was finished is kept,
    and what failed is tried again. --data says where the data are now, if they were moved."""
    data_options: Annotated[GivenData, tyro.conf.arg(name="")] = field(default_factory=dict)


def run(arguments: Arguments) -> int:
    """Race, with a table that follows it; end with the ranking and where the report is."""
    from rich.console import Console
    from rich.live import Live

    from anncestry.data.readers.watching import watched
    from anncestry.race.running import Moment, Unwritten
    from anncestry.report.race.tables import LiveTable, print_ranking

    console, table, race = Console(), LiveTable(), {}

    def watch(moment: Moment) -> None:
        nonlocal race
        if not race and moment.results.found:
            console.print(_gone_on_with(moment.results), soft_wrap=True, highlight=False, markup=False)
        if not race or moment.entrant is None:  # the runs have changed
            race = moment.results.to_json()
        fraction, score = 0.0, None
        if moment.progress is not None:
            fraction = moment.progress.fraction
            score = moment.progress.metrics.get(race["metric"]["name"])
        table.update(race, moment.entrant, moment.seed, fraction, score)

    unwritten = None
    live = Live(table, console=console, refresh_per_second=4, transient=True)
    with live, watched(table.reading):
        try:
            results = _start(arguments, watch) if arguments.resume is None else _resume(arguments, watch)
        except Unwritten as error:
            results, unwritten = error.results, error
    print_ranking(results.to_json(), console)
    if unwritten is not None:
        raise unwritten
    assert results.folder is not None
    report = results.folder / "report.html"
    console.print(f"\nReport: {report}", soft_wrap=True, highlight=False, markup=False)
    if results.status == "interrupted":
        text = f"Go on with: anncestry compare --resume {shlex.quote(str(results.folder))}"
        console.print(text, soft_wrap=True, highlight=False, markup=False)
        return 130
    return 0


def _start(arguments: Arguments, watch: Any) -> Any:
    """A new race, or the same one again where it was cut short."""
    from anncestry.race.compare import compare
    from anncestry.training.train import default_folder

    if arguments.data is None:
        raise UserError("--data", None, "say what to race on", [source.usage for source in SOURCES])
    models = None
    if arguments.models is not None:
        models = [name.strip() for name in arguments.models.split(",") if name.strip()]
        require(bool(models), "--models", arguments.models, "must name at least one architecture")
    return compare(
        arguments.data,
        options=DataOptions(**arguments.data_options),
        models=models,
        budget=arguments.budget,
        params=arguments.params,
        flops=arguments.flops,
        epochs=arguments.epochs,
        select=arguments.select,
        seeds=3 if arguments.seeds is None else arguments.seeds,
        threads=1 if arguments.threads is None else arguments.threads,
        jobs=arguments.jobs,
        out=arguments.out or default_folder("compare", arguments.data),
        numbered=arguments.out is None,
        watch=watch,
    )


def _resume(arguments: Arguments, watch: Any) -> Any:
    """The race of a folder; nearly all of its arguments stand there."""
    from anncestry.race.compare import resume

    fixed = ("models", "budget", "params", "flops", "epochs", "select", "threads", "out")
    for name in [*(name for name in fixed if getattr(arguments, name) is not None), *arguments.data_options]:
        rule = "cannot be changed for a race that goes on"
        raise UserError("--resume", flag(name), rule, [flag(name) for name in CHANGED_AT_RESUME])
    assert arguments.resume is not None
    return resume(
        arguments.resume,
        data=arguments.data,
        seeds=arguments.seeds,
        jobs=arguments.jobs,
        watch=watch,
    )


def _gone_on_with(results: Any) -> str:
    planned = results.seeds * len(results.entrants)
    return f"Going on with {results.folder}: {results.found} of {planned} runs were finished."
