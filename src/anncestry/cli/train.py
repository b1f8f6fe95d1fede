"""Train any architecture on any data that fits it, or go on with a run that was interrupted."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from anncestry.cli.given import flag, given, values
from anncestry.cli.groups import DATA, MODEL, OUTPUT, group_of_data, group_of_training
from anncestry.cli.overrides import Overrides, parse_overrides
from anncestry.data.options import DataOptions
from anncestry.data.sources.catalogue import SOURCES, reads_running_text, usual_options
from anncestry.errors import UserError
from anncestry.timeline import find, usual_settings
from anncestry.training.settings import TrainingSettings

GivenData: Any = given(DataOptions, group_of=group_of_data)
GivenTraining: Any = given(TrainingSettings, group_of=group_of_training)


@dataclass(frozen=True)
class Arguments:
    """What to train, on what, for how long."""

    name: Annotated[tyro.conf.Positional[str | None], MODEL] = None
    """An architecture or preset of `anncestry list`."""
    data: Annotated[str | None, DATA, tyro.conf.arg(metavar="SOURCE")] = None
    """What to train on: one of the sources below."""
    out: Annotated[Path | None, OUTPUT] = None
    """The run folder to write; default: runs/NAME-DATA."""
    start: Annotated[Path | None, MODEL, tyro.conf.arg(name="from")] = None
    """Start from the weights of this run folder in place of random ones. Where it goes on with its task, data
    are read as that run reads them. Where it was pre-trained on running text and now gets a task, its body is
    kept with its tokenizer, and the head is new; NAME may be left out."""
    teacher: Annotated[Path | None, MODEL] = None
    """Distil the masked language model of this run folder: learn from its logits too, and begin with every
    second one of its layers (DistilBERT). Data are read as that run reads them."""
    resume: Annotated[Path | None, MODEL] = None
    """Go on with this run folder (and, with --epochs, --max-steps or --max-time, further than planned).
    --data says where its data are, if they were moved; other data are refused."""
    width: Annotated[int | None, MODEL] = None
    """The one number that scales the architecture: hidden units, or channels."""
    set: Annotated[Overrides, MODEL] = ()
    """Fields of the architecture's config (see `anncestry show NAME`)."""
    tensorboard: Annotated[bool, OUTPUT] = False
    """Also write the history for TensorBoard."""
    data_options: Annotated[GivenData, tyro.conf.arg(name="")] = field(default_factory=dict)
    training: Annotated[GivenTraining, tyro.conf.arg(name="")] = field(default_factory=dict)


def run(arguments: Arguments) -> int:
    """Train, showing progress; end with the scores and what to do next."""
    from rich.console import Console

    from anncestry.cli.progress import TrainingProgress
    from anncestry.data.splits.about import learning_problem
    from anncestry.report.by_class import one_prediction
    from anncestry.training.outcome import counted
    from anncestry.training.train import is_first_process

    begun = time.perf_counter()
    console = Console(quiet=not is_first_process())

    def tell(dataset: Any) -> None:
        for line in [*learning_problem(dataset), *(f"Data: {note}" for note in dataset.notes)]:
            console.print(line, style="dim", highlight=False, markup=False)

    def say(words: str) -> None:
        console.print(words, style="dim", highlight=False, markup=False)

    with TrainingProgress(console) as progress:
        if arguments.resume is None:
            trained, fit = _train(arguments, progress, tell, say)
        else:
            trained, fit = _resume(arguments.resume, arguments, progress, tell)
    if fit.stopped == "interrupted":
        console.print(
            f"Stopped at step {fit.step} and saved. Go on with: anncestry train --resume {trained.folder}",
            markup=False,
        )
        return 128 + fit.signal
    if trained.config.get("fresh"):
        fresh = ", ".join(trained.config["fresh"])
        console.print(f"New: {fresh}; the rest started from {arguments.start}.", markup=False)
    rate = f"{fit.throughput:,.0f} {counted(trained.signature.task)} a second"
    console.print(
        f"{fit.step:,} steps, {fit.seconds:.1f} s of training ({rate}), stopped by {fit.stopped}.",
        highlight=False,
    )
    console.print(_time_spent(time.perf_counter() - begun, fit), style="dim", highlight=False)
    if trained.kept():
        console.print(f"Kept: the weights {trained.kept()}.", highlight=False)
    for split, figures in trained.scores().items():
        console.print(f"{split:>10}: " + "  ".join(f"{name} {value:.4g}" for name, value in figures.items()))
    note = one_prediction(trained.class_names(), trained.by_class())
    if note and trained.signature.task == "classification":
        console.print(f"Note: {note}", markup=False, highlight=False)
    console.print(f"Run folder: {trained.folder}", soft_wrap=True, markup=False)
    return 0


def _time_spent(seconds: float, fit: Any) -> str:
    """What the time of the command went to: a budget is of training alone."""
    parts = dict(fit.spent)
    parts["starting and reading the data"] = max(0.0, seconds - sum(parts.values()))
    spent = ", ".join(f"{part:.1f} s {name}" for name, part in parts.items() if part >= 0.05)
    return f"{seconds:.1f} s in all: {spent}."


def _train(arguments: Arguments, progress: Any, tell: Any, say: Any) -> Any:
    """A new run."""
    from anncestry.training.train import train

    name, settings, data_options = settled(arguments)
    if arguments.data is None:
        raise UserError("--data", None, "say what to train on", [source.usage for source in SOURCES])
    return train(
        name,
        arguments.data,
        out=arguments.out,
        settings=settings,
        data_options=data_options,
        width=arguments.width,
        model=parse_overrides(arguments.set, find(name).config_class()),
        start=arguments.start,
        teacher=arguments.teacher,
        watch=progress,
        tell=tell,
        say=say,
        tensorboard=arguments.tensorboard,
    )


def settled(arguments: Arguments) -> tuple[str, TrainingSettings, DataOptions]:
    """The architecture, and what was given over what goes with it, with the data and with fine-tuning.

    Raises:
        UserError: no architecture is named, or an option has no effect.
    """
    given, started = values(arguments.training), _architecture_of(arguments.start)
    name = arguments.name or started
    if name is None:
        raise UserError("NAME", None, "say which architecture to train; `anncestry list` shows them")
    fine_tuning = started is not None and not reads_running_text(arguments.data or "")
    settings = TrainingSettings(**{**usual_settings(name, fine_tuning), **given})
    settings.check_effects(given)
    options = {**usual_options(name, arguments.data), **arguments.data_options}
    return name, settings, DataOptions(**options)


def _architecture_of(folder: Path | None) -> str | None:
    """The architecture of the run that is started from, if any.

    Raises:
        UserError: the folder is no run's.
    """
    from anncestry.runs.run import Run

    return None if folder is None else Run(folder).config["architecture"]


def _resume(folder: Path, arguments: Arguments, progress: Any, tell: Any) -> Any:
    """On with a run, whose folder has decided everything but how far it goes."""
    from anncestry.training.train import BUDGET_FIELDS, resume

    if arguments.name is not None:
        raise UserError("--resume", str(folder), "takes its model from the run folder")
    fields = values(arguments.training)
    fixed = {name: value for name, value in fields.items() if name not in BUDGET_FIELDS}
    fixed |= arguments.data_options
    own = {"out": arguments.out, "from": arguments.start, "teacher": arguments.teacher}
    own |= {"width": arguments.width, "set": arguments.set or None}
    fixed |= {name: value for name, value in own.items() if value is not None}
    for name, value in fixed.items():
        rule = "is fixed by the run folder; a resumed run may only be given more of"
        raise UserError(flag(name), value, rule, [flag(name) for name in BUDGET_FIELDS])
    return resume(
        folder, data=arguments.data, watch=progress, tell=tell, tensorboard=arguments.tensorboard, **fields
    )
