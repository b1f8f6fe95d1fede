"""Train any architecture on any data that fits it, or go on with a run that was interrupted."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import tyro

from anncestry.cli.overrides import Overrides, parse_overrides
from anncestry.data.options import DataOptions
from anncestry.data.sources.catalogue import reads_running_text, usual_options
from anncestry.errors import UserError
from anncestry.timeline import find, usual_settings
from anncestry.training.settings import TrainingSettings


@dataclass(frozen=True)
class Arguments:
    """What to train, on what, for how long."""

    name: tyro.conf.Positional[str | None] = None
    """An architecture or preset of `anncestry list`."""
    data: str | None = None
    """What to train on: digits, toy2d:xor, pydoc, mackey-glass, dates, scenes, csv:PATH, text:PATH,
    images:DIR, idx:DIR, cifar:DIR, sentences:PATH, conllu:PATH, music:PATH, parallel:SRC,TGT,
    captions:DIR."""
    out: Path | None = None
    """The run folder to write; runs/NAME-DATA unless told."""
    start: Annotated[Path | None, tyro.conf.arg(name="from")] = None
    """Start from the weights of this run folder in place of random ones. Where it goes on with its task, data
    are read as that run reads them. Where it was trained on running text and now gets a task, its body is
    kept with its tokenizer, and what is above is new; NAME may be left out."""
    teacher: Path | None = None
    """Learn hidden words beside the net of this run folder: from what it answers, and beginning with every
    second one of its layers (DistilBERT). Data are read as that run reads them."""
    resume: Path | None = None
    """Go on with this run folder (and, with --epochs, --max-steps or --max-time, further than planned)."""
    width: int | None = None
    """The one number that scales the architecture: hidden units, or channels."""
    set: Overrides = ()
    """Fields of the architecture's config, as name=value (see `anncestry show NAME`)."""
    tensorboard: bool = False
    """Also write the history for TensorBoard."""
    data_options: Annotated[DataOptions, tyro.conf.arg(name="")] = field(default_factory=DataOptions)
    training: Annotated[TrainingSettings, tyro.conf.arg(name="")] = field(default_factory=TrainingSettings)


def default(words: Sequence[str]) -> Arguments:
    """The arguments before any is given: those of the architecture or preset that ``words`` name, or of the
    run they start from."""
    joined = " ".join(words).replace("--data=", "--data ").replace("--from=", "--from ").split()
    data, start = (_behind(flag, joined) for flag in ("--data", "--from"))
    name, fine_tuning = _start_of(start, data)
    if words and not words[0].startswith("-"):
        name = words[0]
    if name is None:
        return Arguments()
    return Arguments(
        name=name,
        training=TrainingSettings(**usual_settings(name, fine_tuning)),
        data_options=DataOptions(**usual_options(name, data)),
    )


def _behind(flag: str, words: Sequence[str]) -> str | None:
    return words[words.index(flag) + 1] if flag in words[:-1] else None


def _start_of(folder: str | None, data: str | None) -> tuple[str | None, bool]:
    """The architecture of the run that is started from, and whether it is fine-tuned: learns a task."""
    if folder is None or data is None:
        return None, False
    try:
        name = json.loads((Path(folder).expanduser() / "config.json").read_text())["architecture"]
    except (OSError, ValueError, KeyError, TypeError):
        return None, False  # what is wrong with it is said when it is opened
    return name, not reads_running_text(data)


def run(arguments: Arguments) -> int:
    """Train, showing progress; end with the scores and what to do next."""
    from rich.console import Console

    from anncestry.cli.progress import TrainingProgress
    from anncestry.training.train import BUDGET_FIELDS, is_first_process, resume, train

    console = Console(quiet=not is_first_process())
    settings = arguments.training
    with TrainingProgress(console) as progress:
        if arguments.resume is not None:
            if arguments.name is not None or arguments.data is not None:
                raise UserError(
                    "--resume", str(arguments.resume), "takes its model and data from the run folder"
                )
            _only_the_budget(arguments, BUDGET_FIELDS)
            budget = {
                name: getattr(settings, name) for name in BUDGET_FIELDS if getattr(settings, name) is not None
            }
            trained, fit = resume(
                arguments.resume, watch=progress, tensorboard=arguments.tensorboard, **budget
            )
        else:
            if arguments.name is None:
                raise UserError("NAME", None, "say which architecture to train; `anncestry list` shows them")
            if arguments.data is None:
                raise UserError(
                    "--data", None, "say what to train on; `anncestry train --help` lists the sources"
                )
            overrides = parse_overrides(arguments.set, find(arguments.name).config_class())
            trained, fit = train(
                arguments.name,
                arguments.data,
                out=arguments.out,
                settings=replace(settings),
                data_options=arguments.data_options,
                width=arguments.width,
                model=overrides,
                start=arguments.start,
                teacher=arguments.teacher,
                watch=progress,
                tensorboard=arguments.tensorboard,
            )
    for note in trained.config["data"].get("notes", []):
        console.print(f"Data: {note}", style="dim", highlight=False, markup=False)
    if fit.stopped == "interrupted":
        console.print(
            f"Stopped at step {fit.step} and saved. Go on with: anncestry train --resume {trained.folder}"
        )
        return 128 + fit.signal
    if trained.config.get("fresh"):
        console.print(f"New: {', '.join(trained.config['fresh'])}; the rest started from {arguments.start}.")
    console.print(f"{fit.step:,} steps, {fit.seconds:.1f} s of training, stopped by {fit.stopped}.")
    for split, figures in trained.scores().items():
        console.print(f"{split:>10}: " + "  ".join(f"{name} {value:.4g}" for name, value in figures.items()))
    console.print(f"Run folder: {trained.folder}", soft_wrap=True)
    return 0


def _only_the_budget(arguments: Arguments, budget: Sequence[str]) -> None:
    """Raise a `UserError` for an option that a run folder has decided already."""
    usual = Arguments()
    given = [
        (f"--{name.replace('_', '-')}", getattr(part, name))
        for part, default in (
            (arguments.training, usual.training),
            (arguments.data_options, usual.data_options),
        )
        for name in vars(part)
        if name not in budget and getattr(part, name) != getattr(default, name)
    ]
    given += [("--width", arguments.width)] if arguments.width is not None else []
    given += [("--set", arguments.set)] if arguments.set else []
    given += [("--from", arguments.start)] if arguments.start is not None else []
    given += [("--teacher", arguments.teacher)] if arguments.teacher is not None else []
    if given:
        rule = "is fixed by the run folder; a resumed run may only be given more of"
        raise UserError(*given[0], rule, [f"--{name.replace('_', '-')}" for name in budget])
