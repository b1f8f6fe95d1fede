"""How far it is: reading, scoring, predicting, and training with loss, metric, throughput and time left."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from anncestry.data.readers.watching import watched

STEPS = 200
"""How often a bar is drawn at most, over all that is done."""


@contextmanager
def long_work() -> Iterator[Callable[[str], Callable[[int, int], None]]]:
    """Within it, a bar on standard error shows how far the reading of many files is.

    It gives a function that makes the ``progress`` of other long work from a word for it, ``bar("scoring")``.
    """
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=12),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f}"),
        console=console,
        disable=not console.is_terminal,  # else it leaves a blank line in a log
        transient=True,
        redirect_stdout=False,  # what is printed may be piped
    )
    task, drawn = bar.add_task("reading data", total=1, visible=False), ("", 0)

    def show(what: str, done: int, total: int) -> None:
        nonlocal drawn
        part = (what, done * STEPS // max(1, total))
        if total > 1 and part != drawn:
            drawn = part
            bar.update(task, description=what, completed=done, total=total, visible=done < total)

    with bar, watched(lambda what, done, total: show(f"reading {what}", done, total)):
        yield lambda what: partial(show, what)


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
