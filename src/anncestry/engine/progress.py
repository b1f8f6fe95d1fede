"""Progress of long work, reported to whoever asked for it."""

import threading
from collections.abc import Callable

Progress = Callable[[int, int], object]
"""Called with ``(done, total)``: how many parts of the work are done, and how many there are."""


class Counter:
    """Counts parts of the work that are done, also where several threads do it.

    Args:
        progress: called after each part; None calls nothing.
        total: parts of the whole work.
    """

    def __init__(self, progress: Progress | None, total: int) -> None:
        self.progress, self.total, self.done = progress, total, 0
        self._lock = threading.Lock()

    def add(self, count: int = 1) -> None:
        """``count`` more parts are done."""
        if self.progress is None or not count:
            return
        with self._lock:
            self.done += count
            self.progress(self.done, self.total)
