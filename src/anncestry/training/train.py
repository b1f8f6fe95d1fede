"""The front door: an architecture, some data, a run folder."""

import dataclasses
import os
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from anncestry.data import DataOptions, Dataset, load_data
from anncestry.data.sources.catalogue import reads_running_text, usual_options
from anncestry.engine.native.dropout import masks_of_pytorch
from anncestry.errors import UserError, nearest, require
from anncestry.files import remove_leftovers
from anncestry.inference.evaluation import score_spans, score_texts
from anncestry.inference.generation import default_search
from anncestry.models.building import available_memory, build_checked, in_words, memory_explained
from anncestry.models.create import configure
from anncestry.objectives import objective_of, score
from anncestry.objectives.text_metrics import TextScores
from anncestry.protocols import OwnRule
from anncestry.runs.create import create_run, finish_run
from anncestry.runs.folder import SEEDED, check_new_folder
from anncestry.runs.run import Run
from anncestry.signature import GENERATION_TASKS
from anncestry.stored import made
from anncestry.timeline import find, usual_settings
from anncestry.training.distilling import Teacher
from anncestry.training.fit import fit
from anncestry.training.outcome import Fit, Progress, spending
from anncestry.training.precision import settle_precision
from anncestry.training.processes import make_fabric
from anncestry.training.settings import TrainingSettings
from anncestry.training.snapshot import snapshot_paths
from anncestry.training.starting import Start
from anncestry.training.steps import check_devices

DEFAULT_EPOCHS = 20
BUDGET_FIELDS = ("epochs", "max_steps", "max_seconds")


def recipe(name: str, **overrides: Any) -> TrainingSettings:
    """The settings an architecture or preset is trained with by default."""
    settings = TrainingSettings(**{**usual_settings(name), **overrides})
    settings.check_effects(overrides)
    return settings


def is_first_process() -> bool:
    """Whether this is the process that writes, also before the processes know each other."""
    return int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0"))) == 0


def under_torchrun(settings: TrainingSettings) -> TrainingSettings:
    """The settings with ``devices`` as torchrun started them."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return settings
    return dataclasses.replace(settings, devices=int(os.environ["LOCAL_WORLD_SIZE"]))


def default_folder(name: str, data: str) -> Path:
    """``runs/<model>-<data>`` for a run that names no folder."""
    kind, _, rest = data.partition(":")
    words = f"{kind}-{Path(rest).stem}" if rest else kind
    return Path("runs") / f"{name}-{re.sub(r'[^A-Za-z0-9_-]+', '-', words).strip('-')}"


def train(
    name: str,
    data: str,
    *,
    out: str | Path | None = None,
    settings: TrainingSettings | None = None,
    data_options: DataOptions | None = None,
    width: int | None = None,
    model: dict[str, Any] | None = None,
    start: str | Path | None = None,
    teacher: str | Path | None = None,
    watch: Callable[[Progress], None] | None = None,
    tell: Callable[[Dataset], None] | None = None,
    say: Callable[[str], None] | None = None,
    tensorboard: bool = False,
    **changes: Any,
) -> tuple[Run, Fit]:
    """Train an architecture or preset on data and write a run folder.

    >>> run, fit = anncestry.train("perceptron", "toy2d:moons", epochs=2)
    >>> run, fit.stopped
    (Run('runs/perceptron-toy2d-moons': perceptron, trained on toy2d:moons), 'epochs')

    Args:
        name: an id, alias or preset of the timeline.
        data: a data name (``digits``, ``csv:PATH``, ...).
        out: the folder; default: ``runs/<model>-<data>``.
        settings: default: the architecture's recipe for 20 epochs.
        data_options: how to read the data; default: what is usual for the architecture.
        width: the one number that scales the architecture.
        model: overrides of the config's fields.
        start: a run from whose weights it starts (`anncestry.training.starting`).
        teacher: a run to distil from, by knowledge distillation (`anncestry.training.distilling`).
        watch: called with the progress, a few times a second.
        tell: called with the data before training starts.
        say: called with what was chosen that nobody asked for, before training starts.
        tensorboard: whether it writes logs for TensorBoard too.
        changes: fields of `TrainingSettings` that differ from the recipe, instead of ``settings``.

    Returns:
        ``(run, fit)``. When ``fit.stopped`` is ``"interrupted"`` the folder holds a snapshot and no
        final weights yet.

    Raises:
        UserError: a name, file, setting or folder is not what it must be; nothing was written over.
        Diverged: the loss became NaN; the folder keeps the last good snapshot.
    """
    architecture = find(name)
    rule = "says what a new run starts from, as `start` does: give one of the two"
    require(start is None or teacher is None, "teacher", str(teacher), rule)
    distilled = None if teacher is None else Teacher(teacher, data)
    before = distilled if start is None else Start(start, data)
    fine_tuning = before is not None and not reads_running_text(data)
    if settings is None:
        known = [field.name for field in dataclasses.fields(TrainingSettings)]
        options_of_data = {field.name for field in dataclasses.fields(DataOptions)} - {*known}
        for field, value in changes.items():
            rule = "says how data are read: give it in `data_options`, an anncestry.DataOptions"
            require(field not in options_of_data, field, value, rule)
            require(field in known, field, value, "is not a training setting", nearest(field, known))
        settings = TrainingSettings(**{**usual_settings(name, fine_tuning), **changes})
        settings.check_effects(changes)
    else:
        rule = "gives all settings: change them there"
        require(not changes, "settings", sorted(changes), rule)
    settings = under_torchrun(settings)
    if all(getattr(settings, field) is None for field in BUDGET_FIELDS):
        settings = dataclasses.replace(settings, epochs=DEFAULT_EPOCHS)
    folder = Path(out).expanduser() if out is not None else default_folder(architecture.id, data)
    if is_first_process():
        check_new_folder(folder)
    if data_options is None:
        data_options = DataOptions(**usual_options(name, data))
    processor, sizes = None, {}
    if before is not None:
        data_options, processor = before.reading(data_options)
    if data_options.tokenizer is not None:
        data_options = _without_usual(data_options, usual_options(name, data))
    dataset = load_data(data, data_options, settings.seed, processor)
    if before is not None and width is None:
        sizes = before.sizes(architecture.config_class(), dataset.signature)
    config = configure(name, {**sizes, **(model or {})}, signature=dataset.signature, width=width)
    # Says what does not fit before there is a folder.
    objective_of(dataset, settings.label_smoothing, settings.select)
    if tell is not None:
        tell(dataset)
    torch.manual_seed(settings.seed)
    network = build_checked(architecture, config)
    fresh = [] if before is None else before.load(network)
    check_devices(network, settings)
    of_teacher = None if distilled is None else distilled.model
    settings, why = settle_precision(network, dataset, settings, of_teacher)
    if why and say is not None:
        say(f"Precision: {why}.")
    fabric = make_fabric(settings)
    fabric.launch()
    if fabric.is_global_zero:
        training = dataclasses.asdict(settings)
        create_run(folder, architecture, config, dataset, training, settings.seed, start, fresh, teacher)
    fabric.barrier()
    run = Run(folder)
    with memory_explained("model", architecture.id, check_memory(network, settings, fabric.device)):
        result = fit(
            network, dataset, settings, folder=folder, watch=watch, fabric=fabric, tensorboard=tensorboard,
            teacher=of_teacher,
        )  # fmt: skip
    _finish(run, result, dataset, fabric)
    return run, result


def resume(
    folder: str | Path,
    *,
    data: str | None = None,
    watch: Callable[[Progress], None] | None = None,
    tell: Callable[[Dataset], None] | None = None,
    tensorboard: bool = False,
    **budget: Any,
) -> tuple[Run, Fit]:
    """Go on with a run from its newest snapshot, with nothing but the folder (and its data).

    Args:
        data: where its data are now, if they were moved; the folder remembers it.
        watch, tell: as of `train`.
        budget: ``epochs``, ``max_steps`` or ``max_seconds`` where the run shall go further than planned.

    Raises:
        UserError: the folder, its snapshot or its data are not what they were.
    """
    run = Run(folder)
    dataset = run.dataset(data)
    if tell is not None:
        tell(dataset)
    settings = under_torchrun(dataclasses.replace(settings_of(run), **budget))
    fabric = make_fabric(settings)
    fabric.launch()
    if fabric.is_global_zero:
        remove_leftovers(run.folder)
        run = run.moved(dataset)
    torch.manual_seed(settings.seed)
    network = run.new_model()
    begun = bool(snapshot_paths(run.folder))  # else it was killed at once, and starts again the same way
    if not begun and (run.folder / "model.safetensors").exists():
        raise UserError("resume", str(run.folder), "is complete and holds no checkpoint to go on from")
    memory = check_memory(network, settings, fabric.device)
    as_begun = masks_of_pytorch(run.config.get("dropout") != SEEDED)
    with memory_explained("model", run.architecture.id, memory), as_begun:
        result = fit(
            network,
            dataset,
            settings,
            folder=run.folder,
            resume=begun,
            watch=watch,
            fabric=fabric,
            tensorboard=tensorboard,
            teacher=_teacher_of(run),
        )
    _finish(run, result, dataset, fabric)
    return run, result


def check_memory(network: nn.Module, settings: TrainingSettings, device: torch.device) -> int:
    """The bytes that training takes at least: of weights, gradients and what the optimizer keeps of them.

    Raises:
        UserError: besides the weights there is not so much memory.
    """
    moments = {"rmsprop": 1, "sgd": int(settings.momentum > 0)}.get(settings.optimizer, 2)
    weights = sum(p.numel() * p.element_size() for p in network.parameters() if p.requires_grad)
    needed = 0 if isinstance(network, OwnRule) else weights * (1 + moments)
    memory = available_memory()
    if device.type == "cpu" and memory is not None:
        needs = f"its training needs {in_words(needed)} of memory besides the weights"
        rule = f"{needs}; there are {in_words(memory)}"
        require(needed <= memory, "model", type(network).__name__, rule)
    return weights + needed


def settings_of(run: Run) -> TrainingSettings:
    """How a run of ours was trained.

    Raises:
        UserError: its config says something that is no setting.
    """
    return made(TrainingSettings, run.config["training"], run.place("training"))


def _teacher_of(run: Run) -> nn.Module | None:
    """The teacher of a run that has one."""
    return (
        Teacher(run.config["teacher"], run.config["data"]["name"]).model if "teacher" in run.config else None
    )


def _without_usual(options: DataOptions, usual: dict[str, Any]) -> DataOptions:
    """What only goes with the architecture gives way to a tokenizer, which decides it."""
    given_up = {key: None for key in ("level", "vocab_size") if getattr(options, key) == usual.get(key)}
    return dataclasses.replace(options, **given_up)


def _finish(run: Run, result: Fit, dataset: Dataset, fabric: Any) -> None:
    """Score the best weights and complete the folder, unless the run was interrupted."""
    if result.stopped == "interrupted" or not fabric.is_global_zero:
        return
    with spending(result.spent, "the final scores"):
        _score(run, result, dataset)


def _score(run: Run, result: Fit, dataset: Dataset) -> None:
    """The scores of all splits that were held out, and with them the folder."""
    objective = objective_of(dataset)
    splits = dataset.scored_splits()
    scores, by_class = {}, {}
    for split in splits:
        counts = by_class if split == "test" else None
        scores[split] = score(result.model, [dataset.split(split)], objective, counts=counts)
    for split, figures in scores.items():
        figures |= score_spans(result.model, [dataset.split(split)], dataset.processor)
    generated: dict[str, TextScores] = {}
    if dataset.signature.task in GENERATION_TASKS:
        search = default_search(dataset.signature)
        for split in splits[1:]:
            pairs: Any = dataset.split(split)
            found = score_texts(result.model, pairs, dataset.processor, search)
            scores[split] |= found.figures
            generated[split] = found
    finish_run(run, result.model, scores, reproduce(run), generated, result.kept, by_class)


def _fine_tuned(run: Run) -> bool:
    return "from" in run.config and not reads_running_text(run.config["data"]["name"])


def reproduce(run: Run) -> str:
    """The command that makes this run again."""
    data, training = run.config["data"], run.config["training"]
    options = run.data_options.words()
    words = ["anncestry", "train", run.architecture.id, "--data", data["name"], *options]
    if "from" in run.config:
        words += ["--from", run.config["from"]]
    if "teacher" in run.config:
        words += ["--teacher", run.config["teacher"]]
    usual = dataclasses.asdict(TrainingSettings(**usual_settings(run.architecture.id, _fine_tuned(run))))
    for name, value in training.items():
        if value != usual[name] and value is not None:
            words += [f"--{name.replace('_', '-')}", str(value)]
    settled = dataclasses.asdict(run.architecture.configure(run.signature))
    for name, value in run.config["model"].items():
        value = tuple(value) if isinstance(value, list) else value
        if settled.get(name) != value:
            shown = ",".join(map(str, value)) if isinstance(value, tuple) else value
            words += ["--set", f"{name}={shown}"]
    return shlex.join(words)
