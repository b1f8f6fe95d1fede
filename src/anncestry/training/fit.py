"""One way to train every architecture: a model, data, settings, and the loop (`anncestry.training.loop`)."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from anncestry.data.splits.dataset import Dataset
from anncestry.engine.meta import without_compiler
from anncestry.errors import UserError
from anncestry.protocols import OwnRule
from anncestry.training.history import History
from anncestry.training.loop import Loop
from anncestry.training.outcome import Fit, Progress
from anncestry.training.processes import OneProcess, make_fabric
from anncestry.training.settings import TrainingSettings

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def fit(
    model: nn.Module,
    dataset: Dataset,
    settings: TrainingSettings,
    *,
    folder: Path | None = None,
    resume: bool = False,
    watch: Callable[[Progress], None] | None = None,
    fabric: "Fabric | OneProcess | None" = None,
    tensorboard: bool = False,
    teacher: nn.Module | None = None,
) -> Fit:
    """Train a model on a data set until the settings' budget is used.

    The model's own random start is the caller's (seed before building it); everything after it is fixed
    by ``settings.seed``.

        dataset = load_data("digits")
        model = find("mlp").build(find("mlp").configure(dataset.signature))
        result = fit(model, dataset, TrainingSettings(epochs=3))
        result.best["accuracy"]

    Args:
        model: of the timeline, or any other that conforms to `anncestry.protocols`.
        dataset: its training split is learnt, its validation split selects the weights.
        settings: how; one of ``epochs``, ``max_steps`` and ``max_seconds`` must end it.
        folder: a run folder for snapshots and the history; None keeps everything in memory.
        resume: go on from the newest snapshot in ``folder``.
        watch: called with the progress, a few times a second.
        fabric: already launched; made here for one process otherwise.
        tensorboard: also write the history for TensorBoard (needs the package and a folder).
        teacher: a net to distil from (`anncestry.training.distilling`).

    Returns:
        The model with its best weights, and how it went. After Ctrl-C or SIGTERM the step in hand is
        finished, a snapshot is written, and ``stopped`` is ``"interrupted"``.

    Raises:
        Diverged: the loss is NaN or infinite; the snapshots before it stay.
        UserError: the settings have no end, or the snapshot cannot be read or does not fit.
    """
    if settings.epochs is None and settings.max_steps is None and settings.max_seconds is None:
        raise UserError("epochs", None, "training needs an end: epochs, max_steps or max_seconds")
    if settings.augment and (dataset.signature.inputs != "image" or isinstance(model, OwnRule)):
        rule = "changes images, for a model that learns by gradients"
        raise UserError("augment", settings.augment, rule)
    if settings.augment and dataset.signature.task == "reconstruction":
        raise UserError("augment", settings.augment, "changes images, and here the image is the target too")
    fabric = fabric or make_fabric(settings)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    # Before anything random: dropout masks differ between processes, all else is the same.
    torch.manual_seed(settings.seed * 1_000_003 + 7 + fabric.global_rank)
    history = History(folder if tensorboard and fabric.is_global_zero else None)
    with nullcontext() if settings.compile else without_compiler():  # PyTorch's optimizers would load it
        loop = Loop(model, dataset, settings, fabric, folder, watch, history, teacher)
        if resume:
            loop.resume()
        before = loop.clock.seconds
        stopped = loop.run()
    if loop.selection.best_weights is not None and stopped != "interrupted":
        loop.score_average()
        model.load_state_dict(loop.selection.best_weights)
    history.close()
    seconds = loop.clock.seconds
    rate = loop.seen / seconds if seconds else 0.0
    number = loop.request.signal_number
    chosen = loop.selection
    kept = chosen.kept and {**chosen.kept, "evaluations": chosen.evaluations}
    loop.spent["training"] = seconds - before
    went = (loop.step, loop.epochs(), seconds, history.rows, chosen.best, stopped, rate, number)
    return Fit(model, *went, kept, loop.spent, loop.clock.processor)
