"""What training says while it runs and when it ends."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from torch import nn

from anncestry.errors import UserError
from anncestry.signature import EVERY_STEP, GENERATION_TASKS

Stopped = Literal["epochs", "max_steps", "max_seconds", "converged", "patience", "interrupted"]


def counted(task: str) -> str:
    """What throughput counts: the targets of a task, in words.

    >>> from anncestry.training.outcome import counted
    >>> counted("masked-lm"), counted("language-model"), counted("classification")
    ('masked tokens', 'tokens', 'examples')
    """
    named = {"masked-lm": "masked tokens", "next-frame": "frames", "span": "examples"}
    return named.get(task, "tokens" if task in (*EVERY_STEP, *GENERATION_TASKS) else "examples")


@dataclass(frozen=True)
class Progress:
    """What a progress callback gets, a few times a second.

    Attributes:
        step, epoch: done so far.
        seconds: of training alone.
        fraction: 0 to 1, how much of the budget is used.
        loss: mean training loss since the last report.
        metrics: the latest validation metrics; empty before the first.
        throughput: examples (or tokens) in a second of training.
        primary: the figure that selects.
    """

    step: int
    epoch: float
    seconds: float
    fraction: float
    loss: float
    metrics: dict[str, float]
    throughput: float
    primary: str = "loss"


@dataclass
class Fit:
    """What training leaves behind.

    Attributes:
        model: with the weights that scored best on the validation split.
        step, epochs, seconds: how long it was trained (seconds of training alone).
        history: rows ``{"step", "epoch", "seconds", "split", "loss", ...metrics}``; those of training say the
            ``throughput`` since the one before.
        best: validation metrics of the best weights.
        kept: which weights those are: the ``step`` and ``epoch`` they are of, the figure they were chosen
            ``by`` and its ``value``, of how many ``evaluations``; ``averaged`` where they are the mean of the
            last ones.
        spent: seconds since it began or went on by what they went to: ``training``, ``scoring`` the
            validation split, ``saving``, and what the caller adds.
        stopped: why it ended.
        throughput: examples (or tokens) in a second of training.
        signal: the number of the signal that interrupted it, or 0.
    """

    model: nn.Module
    step: int
    epochs: float
    seconds: float
    history: list[dict[str, Any]]
    best: dict[str, float]
    stopped: Stopped
    throughput: float
    signal: int = 0
    kept: dict[str, Any] = field(default_factory=dict)
    spent: dict[str, float] = field(default_factory=dict)
    processor: float = 0.0

    def __repr__(self) -> str:
        """One line: how long it was trained, why it ended, and the figure that its weights were kept for."""
        trained = f"{self.epochs:g} epochs ({self.step:,} steps) in {self.seconds:.1f} s"
        best = f"; best validation {self.kept['by']} {self.kept['value']:.4g}" if self.kept else ""
        return f"<Fit: {type(self.model).__name__}, {trained}, stopped by {self.stopped}{best}>"


class Diverged(UserError):
    """The loss became NaN or infinite. ``history`` holds the rows up to then."""

    def __init__(self, field: str, value: object, rule: str, choices=None, hint: str | None = None) -> None:
        super().__init__(field, value, rule, choices, hint)
        self.history: list[dict[str, Any]] = []


@contextmanager
def spending(spent: dict[str, float], what: str) -> Iterator[None]:
    """Add the seconds of a block to those spent on ``what``."""
    begun = time.perf_counter()
    try:
        yield
    finally:
        spent[what] = spent.get(what, 0.0) + time.perf_counter() - begun


@dataclass
class Clock:
    """Seconds of training alone: it stands still between ``pause`` and ``go``.

    Attributes:
        seconds: so far.
        processor: for how many of them this process was at work, which is fewer where others took its core;
            more where it has several threads. Since it began or went on.
    """

    seconds: float = 0.0
    processor: float = 0.0
    _since: float = field(default_factory=time.perf_counter)
    _worked: float = field(default_factory=time.process_time)

    def read(self) -> float:
        return self.seconds + time.perf_counter() - self._since

    def pause(self) -> None:
        self.seconds = self.read()
        self.processor += time.process_time() - self._worked

    def go(self) -> None:
        self._since, self._worked = time.perf_counter(), time.process_time()


class StepEnd(NamedTuple):
    """What every process agrees on after a step."""

    loss: float
    count: int
    stop: bool
    over: bool
    save: bool
    fraction: float
