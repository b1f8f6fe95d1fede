"""The loop of training, by gradient or by the model's own rule.

`Loop.run` is the loop; what surrounds it (budget, evaluations, snapshots, reports) are its short methods.
Only the seconds between batches and steps count as training: evaluating, saving and reporting stop the clock.
"""

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from anncestry.data.splits.dataset import Dataset, Examples, epoch_order
from anncestry.engine.memory import keep_freed_memory
from anncestry.engine.precision import fast_float32
from anncestry.objectives import objective_of, score
from anncestry.protocols import Batch, OwnRule, State, map_state, outputs_of
from anncestry.training.distilling import DistillingStep
from anncestry.training.evaluation_schedule import next_evaluation, unit_of
from anncestry.training.history import History
from anncestry.training.optimizers import Position
from anncestry.training.outcome import Clock, Diverged, Progress, StepEnd, Stopped, spending
from anncestry.training.processes import OneProcess
from anncestry.training.selection import Selection
from anncestry.training.settings import TrainingSettings
from anncestry.training.signals import StopRequest
from anncestry.training.snapshot import latest_snapshot, restore, save_snapshot, snapshot_paths
from anncestry.training.steps import GradientStep, RuleStep, Step

if TYPE_CHECKING:
    from lightning_fabric import Fabric

LOGS_PER_EVALUATION = 5  # rows of training loss between two even evaluations on the validation split
WATCH_SECONDS = 0.2

_KEPT = ("step", "epoch", "batch", "seen", "sums", "marks")
"""What a snapshot keeps of the loop besides tensors; all of it is JSON."""


class Loop:
    """One training run: its position in the data, its evaluations, its clock; see `fit`."""

    def __init__(
        self,
        model: nn.Module,
        dataset: Dataset,
        settings: TrainingSettings,
        fabric: "Fabric | OneProcess",
        folder: Path | None,
        watch: Callable[[Progress], None] | None,
        history: History,
        teacher: nn.Module | None = None,
    ) -> None:
        self.model, self.settings, self.fabric = model, settings, fabric
        self.folder, self.watch = folder, watch
        self.train, self.validation = dataset.train, dataset.validation
        self.objective = objective_of(dataset, settings.label_smoothing, settings.select)
        self.own_rule = model if isinstance(model, OwnRule) else None
        if teacher is not None:
            self.learn: Step = DistillingStep(model, teacher, self.objective, settings, fabric)
        elif self.own_rule is None:
            self.learn = GradientStep(model, self.objective, settings, fabric)
        else:
            self.learn = RuleStep(self.own_rule, settings, fabric)
            model.to(fabric.device)
        # Every process takes every n-th row of a batch, so that a short last batch is shared out evenly.
        self.part = slice(fabric.global_rank, None, fabric.world_size) if fabric.world_size > 1 else None
        self.total_steps = _total_steps(settings, self.train.num_batches(settings.batch_size))
        self.step = self.epoch = self.batch = self.seen = 0
        self.unit = unit_of(self.train, self.validation, settings.batch_size)
        self.early = next_evaluation(0, self.unit)  # the step of the next early score
        self.state: State = None
        self.history = history
        self.selection = Selection(model, self.objective)
        self.sums = [0.0, 0.0]  # loss and count since the last row of training loss
        self.marks = 0  # rows of training loss so far
        self.clock = Clock()
        self.spent: dict[str, float] = {}  # seconds since it began or went on
        self.saved_at = self.watched_at = time.monotonic()
        self.fraction = 0.0
        self.request = StopRequest()

    def run(self) -> Stopped:
        """Train until something says stop, and say what it was."""
        self.model.train()
        if self.fabric.device.type == "cpu":
            keep_freed_memory()
        with self.request, fast_float32(self.fabric.device):
            self.clock.go()
            stopped = self._why_stop(self._agree(0.0, 0))
            while stopped is None:
                for batch in self._batches():
                    before = self.state if batch.continues else None
                    loss, count, self.state = self.learn(
                        batch, before, Position(self.step, self.fraction, self.epoch)
                    )
                    self.step += 1
                    self.batch += 1
                    end = self._agree(loss, count)
                    if not math.isfinite(end.loss):
                        raise self._diverged("loss", end.loss, "has no finite loss")
                    self.seen += end.count
                    self.sums = [self.sums[0] + end.loss, self.sums[1] + end.count]
                    stopped = self._after_step(end)
                    if stopped is not None:
                        break
                else:
                    self.epoch, self.batch = self.epoch + 1, 0
            self.clock.pause()
        return stopped

    def _batches(self) -> Iterator[Batch]:
        order = epoch_order(self.settings.seed, self.epoch)
        return self.train.batches(self.settings.batch_size, order, self.batch, self.part)

    def _agree(self, loss: float, count: int) -> StepEnd:
        """Loss and count of the global batch, and what all processes will do next."""
        seconds, limit = self.clock.read(), self.settings.max_seconds
        used = self.step / self.total_steps if self.total_steps else 0.0
        used = min(1.0, max(used, seconds / limit if limit else 0.0))
        save = self.folder is not None and time.monotonic() - self.saved_at > self.settings.save_seconds
        end = StepEnd(loss, count, self.request.requested, limit is not None and seconds >= limit, save, used)
        if self.fabric.world_size > 1:
            first = self.fabric.is_global_zero  # the others follow the first process's clock
            mine = torch.tensor(
                [loss, count, end.stop, *((end.over, save, used) if first else (0, 0, 0))]
            ).double()
            loss, total, stop, over, save, used = self.fabric.all_reduce(mine, reduce_op="sum").tolist()  # pyright: ignore
            end = StepEnd(loss, int(total), stop > 0, over > 0, save > 0, used)
        self.fraction = end.fraction
        return end

    def _why_stop(self, end: StepEnd) -> Stopped | None:
        if self.total_steps is not None and self.step >= self.total_steps:
            return "max_steps" if self.step == self.settings.max_steps else "epochs"
        if end.over:
            return "max_seconds"
        if self.own_rule is not None and self.step and self.own_rule.converged(len(self.train)):
            return "converged"
        return "interrupted" if end.stop else None

    def _after_step(self, end: StepEnd) -> Stopped | None:
        """Note the loss, score, save and report where it is time to (the clock stands still); why to stop."""
        stopped = self._why_stop(end)
        finished = stopped is not None and stopped != "interrupted"
        marks = int(end.fraction * self.settings.evaluations * LOGS_PER_EVALUATION + 1e-9)
        early = self.step >= self.early
        log = marks > self.marks or finished or early
        save = end.save or (stopped is not None and self.folder is not None)
        watch = self.watch is not None and (log or time.monotonic() - self.watched_at > WATCH_SECONDS)
        if not (log or save or watch):
            return stopped
        self.clock.pause()
        if log:
            even = finished or marks // LOGS_PER_EVALUATION > self.marks // LOGS_PER_EVALUATION
            self.marks = marks
            self._note_training_loss()
            if even or early:
                self.early = next_evaluation(self.step, self.unit)
                self._score("validation")
                if even:
                    self._add_to_average()
                if stopped is None and 0 < self.settings.patience <= self.selection.evaluations_since_best:
                    stopped, save = "patience", self.folder is not None
            if self.folder is not None and self.fabric.is_global_zero:
                self.history.write(self.folder)
        if watch:
            self._report()
        if save:
            with spending(self.spent, "saving"):
                self.save()
        self.clock.go()
        return stopped

    def _note_training_loss(self) -> None:
        if self.sums[1]:
            loss, count = self.sums
            seconds = self.clock.seconds - self.history.last("train").get("seconds", 0.0)
            rate = {"throughput": float(f"{count / seconds:.4g}")} if seconds > 0 else {}
            self._row("train", {"loss": loss / count, **rate})
            self.sums = [0.0, 0.0]

    def _row(self, split: str, figures: dict[str, float]) -> None:
        place = {"step": self.step, "epoch": self.epochs(), "seconds": round(self.clock.seconds, 4)}
        self.history.add({**place, "split": split, **figures})

    def epochs(self) -> float:
        """Passes done, with their fraction."""
        return round(self.epoch + self.batch / self.train.num_batches(self.settings.batch_size), 4)

    def _score(self, row: str) -> None:
        """Score the validation split, note it under that name, and keep the weights where it is the best."""
        texts = not isinstance(self.validation, Examples)
        batch_size = self.settings.batch_size if texts else max(self.settings.batch_size, 256)
        whole = self.objective.primary in self.objective.whole_figures
        with spending(self.spent, "scoring"):
            metrics = score(self.model, [self.validation], self.objective, batch_size, whole)
        self._row(row, metrics)
        position = {"step": self.step, "epoch": self.epochs(), "averaged": row == "averaged"}
        self.selection.add(metrics, position)

    def _add_to_average(self) -> None:
        """Make this one of the evaluations whose weights are averaged, where it is one of the last."""
        if self._left() < self.settings.average:
            self.selection.add_to_average()

    def _left(self) -> int:
        """Evaluations still to come."""
        return self.settings.evaluations - self.marks // LOGS_PER_EVALUATION

    def score_average(self) -> None:
        """Score the mean of the last weights as one more candidate. Training is over."""
        if self.selection.average is not None:
            self.model.load_state_dict(self.selection.average)
            self._score("averaged")
            if self.folder is not None and self.fabric.is_global_zero:
                self.history.write(self.folder)

    def _report(self) -> None:
        assert self.watch is not None
        loss, count = self.sums
        mean = loss / count if count else self.history.last("train").get("loss", math.nan)
        seconds = self.clock.seconds
        rate = self.seen / seconds if seconds else 0.0
        metrics, primary = self.selection.metrics, self.objective.primary
        self.watch(Progress(self.step, self.epochs(), seconds, self.fraction, mean, metrics, rate, primary))
        self.watched_at = time.monotonic()

    def _diverged(self, field: str, value: float, what: str) -> Diverged:
        kept = "no checkpoint had been written yet"
        if self.folder is not None:
            paths = snapshot_paths(self.folder)
            kept = f"the last good checkpoint is {paths[-1].name}" if paths else kept
            if self.fabric.is_global_zero:
                self.history.write(self.folder)
        rule = f"step {self.step} (epoch {self.epoch + 1}, batch {self.batch}) {what}; {kept}"
        error = Diverged(field, value, rule, hint="Try a smaller `learning_rate`, or `clip_norm=1`.")
        error.history = self.history.rows
        return error

    def save(self) -> None:
        """Write a snapshot and the history. Every process must call it.

        Raises:
            Diverged: the weights are not finite, as they can be after a step whose loss still was.
        """
        assert self.folder is not None
        if not all(torch.isfinite(parameter).all() for parameter in self.model.parameters()):
            raise self._diverged("weights", math.nan, "has left weights that are not finite")
        state = self.state
        if self.fabric.world_size > 1 and state is not None:
            # Process r holds rows r, r + n, ...: put them back in the order of the global batch.
            state = map_state(lambda part: self.fabric.all_gather(part).transpose(0, 1).flatten(0, 1), state)  # pyright: ignore
        if self.fabric.is_global_zero:
            progress = {name: getattr(self, name) for name in _KEPT} | self.selection.progress()
            progress |= {"seconds": self.clock.seconds, "history": self.history.rows}
            kept = (self.model, self.selection.best_weights, self.selection.average, self.learn.optimizer)
            save_snapshot(self.folder, self.step, *kept, state, progress)
            self.history.write(self.folder)
        self.saved_at = time.monotonic()

    def resume(self) -> None:
        """Go back to the newest snapshot of the folder."""
        assert self.folder is not None
        tensors, metadata = latest_snapshot(self.folder)
        like = None
        if metadata["state"]:
            first = next(iter(self.train.batches(self.settings.batch_size)))
            like = outputs_of(self.model, first.inputs[:1].to(self.fabric.device))[1]
        kept = restore(tensors, metadata, self.model, self.learn.optimizer, like)
        best_weights, average, state = kept
        self.state = state if state is None or self.part is None else map_state(lambda t: t[self.part], state)
        progress = metadata["progress"]
        for name in _KEPT:
            setattr(self, name, progress.get(name, getattr(self, name)))
        self.selection.restore(progress, best_weights, average)
        self.history.rows[:] = progress["history"]
        self.clock.seconds = progress["seconds"]
        self.early = next_evaluation(self.step, self.unit)
        if self.batch == self.train.num_batches(self.settings.batch_size):  # saved at the end of a pass
            self.epoch, self.batch = self.epoch + 1, 0
        # A finished run that is given a larger budget has its marks elsewhere.
        self.marks = min(
            self.marks, int(self._agree(0.0, 0).fraction * self.settings.evaluations * LOGS_PER_EVALUATION)
        )
        if self.selection.averaged != max(0, self.settings.average - self._left()):
            self.selection.forget_average()  # the last evaluations of a smaller budget


def _total_steps(settings: TrainingSettings, batches_per_epoch: int) -> int | None:
    """The steps of the whole run, or None where only the clock decides."""
    limits = [settings.max_steps] if settings.max_steps is not None else []
    if settings.epochs is not None:
        limits.append(settings.epochs * batches_per_epoch)
    return min(limits) if limits else None
