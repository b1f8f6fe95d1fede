"""How far it is: the reading of many files, and training with loss, metric, throughput and time left."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from anncestry.data.readers.watching import watched

STEPS = 200
"""How often a bar is drawn at most, over all that is read."""


@contextmanager
def reading() -> Iterator[None]:
    """Within it, a bar on standard error shows how far the reading of many files is."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=12),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f}"),
        console=Console(stderr=True),
        transient=True,
    )
    task = bar.add_task("reading data", total=1, visible=False)

    def watch(what: str, done: int, total: int) -> None:
        if total > 1 and done % max(1, total // STEPS) == 0:
            bar.update(task, description=f"reading {what}", completed=done, total=total, visible=done < total)

    with bar, watched(watch):
        yield


class TrainingProgress:
    """A bar that is also the watcher `anncestry.training.fit.fit` calls, and that of the reading before."""

    def __init__(self, console: Console) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=12),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
        )
        self._task = self._bar.add_task("reading data", total=1.0, figures="")
        self._within = ExitStack()

    def __enter__(self) -> "TrainingProgress":
        self._within.enter_context(self._bar)
        self._within.enter_context(watched(self._read))
        return self

    def __exit__(self, *exception) -> None:
        self._within.__exit__(*exception)

    def _read(self, what: str, done: int, total: int) -> None:
        if done % max(1, total // STEPS) == 0:
            figures = f"{done:,} of {total:,} {what}"
            self._bar.update(self._task, completed=done / total, figures=figures)

    def __call__(self, progress) -> None:
        figures = f"loss {progress.loss:.3g}"
        if progress.primary in progress.metrics:
            figures += f" · {progress.primary} {progress.metrics[progress.primary]:.4g}"
        figures += f" · {progress.throughput:,.0f}/s"
        description = f"epoch {progress.epoch:.1f}"
        self._bar.update(self._task, completed=progress.fraction, description=description, figures=figures)
