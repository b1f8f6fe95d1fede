"""One model with one seed: sized, trained within the budget, measured on the test split."""

import logging
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from anncestry.data import Dataset, Stream
from anncestry.data.splits.dataset import ParallelStreams
from anncestry.errors import UserError
from anncestry.inference.evaluation import score_texts
from anncestry.inference.generation import default_search, generate
from anncestry.inspection.costs import costs
from anncestry.objectives import evaluate, objective_of
from anncestry.protocols import OwnRule, outputs_of
from anncestry.race.budget import Budget, affordable_steps, solve_width
from anncestry.race.folder import remove_leftover
from anncestry.race.mistakes import mistakes, wrong_texts
from anncestry.race.outcomes import Scored, sums_of_model
from anncestry.race.records import Run
from anncestry.report.race.method import OWN_CORE
from anncestry.runs.create import create_run, finish_run
from anncestry.signature import GENERATION_TASKS
from anncestry.timeline import Architecture
from anncestry.training.fit import fit
from anncestry.training.history import History
from anncestry.training.outcome import Diverged, Fit, Progress
from anncestry.training.settings import TrainingSettings
from anncestry.training.train import reproduce

log = logging.getLogger(__name__)

SMALL, SMALL_BATCH, LARGE_BATCH = 10_000, 32, 128  # below so many training examples batches are small
STREAMS = 32  # parallel streams of a text
LATENCY_REPEATS, LATENCY_SECONDS = 50, 0.5
FEWEST_EVALUATIONS = 4  # even ones of a run, however short
PATIENCE = 12  # evaluations; the early ones among them lie ever further apart: three times twice the passes
SIZE_TOLERANCE = 0.1  # a model further than this from the asked size gets a note


def train_run(
    run: Run,
    architecture: Architecture,
    dataset: Dataset,
    budget: Budget,
    folder: Path | None,
    watch: Callable[[Progress], None],
) -> None:
    """Fill in ``run`` as far as it comes; what is known stays in it when something fails.

    Args:
        run: with its seed.
        folder: where a run folder of the trained model goes; None for none.
        watch: called with the progress.

    Raises:
        KeyboardInterrupt: training was interrupted.
    """
    if budget.params is not None:
        run.width = solve_width(architecture, dataset.signature, budget.params)
    config = architecture.configure(dataset.signature, width=run.width)
    run.config = asdict(config)
    cost = costs(config, dataset.signature)
    run.parameters, run.flops = cost.parameters, cost.flops
    run.note = _size_note(architecture, cost.parameters, budget)
    settings = _settings(run.seed, architecture, config, dataset, budget)
    torch.manual_seed(run.seed)
    model = architecture.build(config)
    run.settings = asdict(settings)
    if isinstance(model, OwnRule):  # the optimizer's settings are not used
        run.settings = {"optimizer": "its own rule", "batch_size": settings.batch_size}

    result = fit(model, dataset, settings, watch=watch)
    run.curve = validation_curve(result.history)
    run.seconds, run.steps, run.epochs = result.seconds, result.step, result.epochs
    run.stopped, run.validation = result.stopped, result.best
    if result.stopped == "interrupted":
        raise KeyboardInterrupt
    run.core = _share_of_core(result)
    if run.core is not None and run.core < OWN_CORE and budget.seconds is not None:
        shared = f"with seed {run.seed} others took {1 - run.core:.0%} of its core: it came less far"
        run.note = "; ".join(filter(None, (run.note, shared)))

    objective = objective_of(dataset, select=budget.select)
    run.metrics = evaluate(result.model, dataset.test, objective)
    scored = Scored({}, sums_of_model(result.model, objective, dataset.test), objective.metrics)
    run.outcomes = {objective.primary: scored.rows(objective.primary)}
    model = result.model.to("cpu").eval()
    run.latency = prediction_latency(model, dataset)
    generated = {}
    if dataset.signature.task in GENERATION_TASKS:
        search = default_search(dataset.signature)
        for split in dataset.scored_splits()[1:]:
            pairs: Any = dataset.split(split)
            generated[split] = score_texts(model, pairs, dataset.processor, search)
        run.metrics |= generated["test"].figures
        run.mistakes = wrong_texts(dataset, generated)
    else:
        run.mistakes = mistakes(model, dataset, run.seed)
    if folder is None:
        return
    try:
        kept = create_run(folder, architecture, config, dataset, asdict(settings), run.seed)
        history = History()
        history.rows = result.history
        history.write(folder)
        scores = {"validation": run.validation, "test": run.metrics}
        scores |= {split: found.figures for split, found in generated.items() if split != "test"}
        finish_run(kept, model, scores, reproduce(kept), generated, result.kept)
    except (UserError, OSError) as error:  # the disk is full: what was measured is not lost
        remove_leftover(folder)
        lost = f"the trained model of seed {run.seed} could not be kept: {error}"
        run.note = "; ".join(filter(None, (run.note, lost)))


def _settings(
    seed: int, architecture: Architecture, config: Any, dataset: Dataset, budget: Budget
) -> TrainingSettings:
    """The architecture's recipe within the budget; the batch size depends on the data alone.

    A budget of few seconds has an even score for each of them: scoring stops the clock, and would take longer
    than training. A run ends early that has long been past its best, but where the learning rate is still to
    fall: that can bring a new best late.
    """
    batch_size = SMALL_BATCH if len(dataset.train) < SMALL else LARGE_BATCH
    if isinstance(dataset.train, Stream):
        batch_size = STREAMS
    if isinstance(dataset.train, ParallelStreams):
        batch_size = dataset.train.scored_batch
    max_steps = None
    if budget.flops is not None:
        step = costs(config, dataset.signature, batch_size=batch_size).training_flops
        max_steps = affordable_steps(budget.flops, step)
    limits = {
        "precision": "32",  # one for all
        "epochs": budget.epochs,
        "max_steps": max_steps,
        "max_seconds": budget.seconds,
        "batch_size": batch_size,
        "seed": seed,
    }
    if budget.seconds is not None:
        usual = TrainingSettings.evaluations
        limits["evaluations"] = min(usual, max(FEWEST_EVALUATIONS, int(budget.seconds)))
    settings = TrainingSettings(**{**architecture.recipe, **limits, "select": budget.select})
    falls = settings.schedule != "constant" or settings.decay < 1
    return settings if falls else replace(settings, patience=PATIENCE)


def prediction_latency(model: nn.Module, dataset: Dataset) -> float:
    """Seconds from one input (batch 1, on the CPU) to its outputs: the median of up to 50 repeats.

    Of a generated text, to its end.
    """
    batch = next(iter(dataset.test.batches(dataset.test.scored_batch)))
    inputs, lengths = batch.inputs[:1], None if batch.lengths is None else batch.lengths[:1]

    def predict() -> None:
        if dataset.signature.task in GENERATION_TASKS:
            generate(model, inputs, lengths, default_search(dataset.signature))
        else:
            outputs_of(model, inputs)

    times: list[float] = []
    with torch.inference_mode():
        for _ in range(3):
            predict()
        end = time.perf_counter() + LATENCY_SECONDS
        while len(times) < LATENCY_REPEATS and (not times or time.perf_counter() < end):
            started = time.perf_counter()
            predict()
            times.append(time.perf_counter() - started)
    return statistics.median(times)


def attempt(run: Run, work: Callable[[Run], None]) -> Run:
    """Let ``work`` fill in a run. Its failure is a result."""
    try:
        work(run)
    except Exception as error:
        log.debug("%s with seed %d failed", run.entrant, run.seed, exc_info=True)
        run.status = "failed"
        run.error = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        if isinstance(error, Diverged):
            run.curve = validation_curve(error.history)
    except KeyboardInterrupt:
        run.status = "interrupted"
    return run


def run_folder(folder: Path | None, run: Run) -> Path | None:
    """Where the trained model of a run goes."""
    return folder and folder / "runs" / f"{run.entrant}-seed{run.seed}"


def _share_of_core(result: Fit) -> float | None:
    """How much of a core training had; None where its process need not be at work all the time."""
    if torch.get_num_threads() > 1 or torch.cuda.is_available() or not result.seconds:
        return None
    return round(min(1.0, result.processor / result.seconds), 3)


def _size_note(architecture: Architecture, parameters: int, budget: Budget) -> str:
    if budget.params is None:
        return ""
    if not architecture.has_width:
        return "its size is fixed"
    far = abs(parameters - budget.params) > SIZE_TOLERANCE * budget.params
    return "this is the nearest it comes to the asked size" if far else ""


def validation_curve(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The validation rows of a history."""
    return [
        {key: value for key, value in row.items() if key != "split"}
        for row in history
        if row["split"] == "validation"
    ]
