"""Race every architecture that fits the data under an equal budget, beside simple baselines."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from anncestry.data.options import DataOptions
from anncestry.errors import require


@dataclass(frozen=True)
class Arguments:
    """What to race on, who takes part, and what everybody gets."""

    data: str
    """Data: digits, toy2d:xor, pydoc, mackey-glass, dates, scenes, csv:PATH, text:PATH, images:DIR, idx:DIR,
    cifar:DIR, sentences:PATH, conllu:PATH, music:PATH, parallel:SRC,TGT, captions:DIR."""
    models: str | None = None
    """Names from `anncestry list` with commas between them; everything that fits the data unless given."""
    budget: str | None = None
    """Training time of each run, as in 60s or 2m; 20s unless another limit is given."""
    params: str | None = None
    """Parameters of each model, as in 50k; alone, each is trained for 10 passes over the data."""
    flops: str | None = None
    """Floating-point operations of training for each run, as in 1e12."""
    epochs: int | None = None
    """Passes over the training data of each run."""
    select: str | None = None
    """The figure of the task to rank by, and to keep the best weights of each run by: macro_f1, say; the
    task's own unless told."""
    seeds: int = 3
    """How often each is run, with other initial weights, data order and (if not official) split."""
    threads: int = 1
    """CPU threads of every run; one is the steadiest clock, more help large models."""
    jobs: int = 1
    """Runs at once, each in a process of its own; no more than the machine has cores for."""
    out: Path | None = None
    """A new folder for report.html, results.json and the trained models; runs/compare-DATA unless given."""
    data_options: Annotated[DataOptions, tyro.conf.arg(name="")] = field(default_factory=DataOptions)


def run(arguments: Arguments) -> int:
    """Race, with a table that follows it; end with the ranking and where the report is."""
    from rich.console import Console
    from rich.live import Live

    from anncestry.report.tables import LiveTable, print_ranking
    from anncestry.studies.compare import Moment, compare
    from anncestry.training.train import default_folder

    models = None
    if arguments.models is not None:
        models = [name.strip() for name in arguments.models.split(",") if name.strip()]
        require(bool(models), "--models", arguments.models, "must name at least one architecture")
    out = arguments.out or _unused(default_folder("compare", arguments.data))
    console, table, race = Console(), LiveTable(), {}

    def watch(moment: Moment) -> None:
        nonlocal race
        if not race or moment.entrant is None:  # the runs have changed
            race = moment.results.to_json()
        fraction, score = 0.0, None
        if moment.progress is not None:
            fraction = moment.progress.fraction
            score = moment.progress.metrics.get(race["metric"]["name"])
        table.update(race, moment.entrant, moment.seed, fraction, score)

    with Live(table, console=console, refresh_per_second=4, transient=True):
        results = compare(
            arguments.data,
            options=arguments.data_options,
            models=models,
            budget=arguments.budget,
            params=arguments.params,
            flops=arguments.flops,
            epochs=arguments.epochs,
            select=arguments.select,
            seeds=arguments.seeds,
            threads=arguments.threads,
            jobs=arguments.jobs,
            out=out,
            watch=watch,
        )
    print_ranking(results.to_json(), console)
    console.print(f"\nReport: {out / 'report.html'}", soft_wrap=True, highlight=False, markup=False)
    return 130 if results.status == "interrupted" else 0


def _unused(folder: Path) -> Path:
    """The folder, or the first of folder-2, folder-3, ... that does not exist yet."""
    number, free = 1, folder
    while free.exists():
        number += 1
        free = folder.with_name(f"{folder.name}-{number}")
    return free
