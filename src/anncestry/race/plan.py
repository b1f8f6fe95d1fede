"""What a race is to be: its data, who takes part, what everybody gets; the results without a run."""

import os
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from anncestry.data import DataOptions, Dataset, load_data
from anncestry.errors import UserError, require
from anncestry.objectives import objective_of
from anncestry.race.baseline import Baseline
from anncestry.race.baselines import baselines_for
from anncestry.race.budget import Budget
from anncestry.race.records import Entrant
from anncestry.race.results import Results, machine
from anncestry.signature import Signature
from anncestry.timeline import TIMELINE, Architecture, find, find_preset


@dataclass(frozen=True)
class Plan:
    """A race before its first run.

    Attributes:
        data, options: the name of the data and how to read them.
        limits: what every run gets.
        jobs: how many runs at once.
        dataset: the data of seed 0.
        architectures, baselines: who takes part.
        results: the race without a run.
    """

    data: str
    options: DataOptions
    limits: Budget
    jobs: int
    dataset: Dataset
    architectures: list[Architecture]
    baselines: list[Baseline]
    results: Results

    @classmethod
    def of(
        cls,
        data: str,
        options: DataOptions,
        models: Sequence[str] | None,
        limits: Budget,
        seeds: int,
        threads: int,
        jobs: int | None,
    ) -> "Plan":
        """The plan for the arguments of `anncestry.race.compare.compare`.

        Raises:
            UserError: one of them is not what it must be, or nothing fits the data.
        """
        require(seeds >= 1, "seeds", seeds, "must be at least 1")
        require(threads >= 1, "threads", threads, "must be at least 1")
        command = _command(data, options, models, limits, seeds, threads, jobs)
        cores = usable_cores()
        jobs = default_jobs(threads) if jobs is None else jobs
        fits = jobs == 1 or 1 < jobs * threads <= cores
        rule = f"jobs x threads must be between 1 and the {cores} cores: else runs would not get equal time"
        require(fits, "jobs", jobs, rule)
        dataset = load_data(data, options, 0)
        architectures = _choose(models, dataset.signature)
        baselines = baselines_for(dataset.signature)
        objective = objective_of(dataset, select=limits.select)
        limits = replace(limits, select=objective.primary)  # the same for every seed
        results = Results(
            data=_describe(dataset) | {"name": data},  # as typed: a report may travel, paths do not
            budget=asdict(limits),
            seeds=seeds,
            metric={"name": objective.primary, "higher_is_better": objective.higher_is_better},
            machine=machine(threads),
            command=command,
            entrants=[*map(_entrant, architectures), *map(_baseline_entrant, baselines)],
        )
        return cls(data, options, limits, jobs, dataset, architectures, baselines, results)


def usable_cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def default_jobs(threads: int) -> int:
    """As many runs at once as there are cores for; one where a GPU trains, which they would share."""
    return 1 if torch.cuda.is_available() else max(1, usable_cores() // threads)


def _choose(names: Sequence[str] | None, signature: Signature) -> list[Architecture]:
    """The named architectures, or all that fit; in the order of the timeline, each once."""
    if names is None:
        fitting = [architecture for architecture in TIMELINE if architecture.fits_signature(signature)]
        if not fitting:
            rule = f"no architecture fits {signature.inputs} inputs with the task {signature.task}"
            raise UserError("data", signature.task, rule)
        return fitting
    chosen = set()
    for name in names:
        architecture = find(name)
        if find_preset(name) is not None:
            rule = "is a fixed size; the race sizes every model by its budget"
            raise UserError("models", name, rule, [architecture.id])
        architecture.configure(signature)  # says what fits, where this one does not
        chosen.add(architecture.id)
    require(bool(chosen), "models", "", "must name at least one architecture")
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
    jobs: int | None,
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
    return shlex.join([*words, "--jobs", str(jobs)] if jobs is not None else words)
