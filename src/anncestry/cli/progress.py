"""The progress of training: loss, metric, throughput and time left."""

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


class TrainingProgress:
    """A bar that is also the watcher `anncestry.training.fit.fit` calls."""

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

    def __enter__(self) -> "TrainingProgress":
        self._bar.__enter__()
        return self

    def __exit__(self, *exception) -> None:
        self._bar.__exit__(*exception)

    def __call__(self, progress) -> None:
        figures = f"loss {progress.loss:.3g}"
        if progress.primary in progress.metrics:
            figures += f" · {progress.primary} {progress.metrics[progress.primary]:.4g}"
        figures += f" · {progress.throughput:,.0f}/s"
        description = f"epoch {progress.epoch:.1f}"
        self._bar.update(self._task, completed=progress.fraction, description=description, figures=figures)
