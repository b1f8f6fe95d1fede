"""How many threads a piece of work runs on: found out while it is done.

An operator that is shared out hands parts of itself to other threads and waits for the slowest of them. That
costs a few microseconds, or a hundred where the threads have gone to sleep, and so pays for large products
and not for small ones; where the line lies depends on the processor, the precision, whether weights fit its
caches, and on what else runs. Nothing of this is assumed here. The first calls of a kind of work take each
number of threads in turn and are timed, and later ones take the fastest, until all are tried again; no call
is made for the sake of measuring. What is computed does not depend on it.

Work that falls into independent jobs has another way: one thread for each job (`anncestry.engine.workers`).
Within such a job there is one thread to choose from, and nothing is measured.
"""

import time
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

import torch

TRIALS = 3  # calls of each way that are timed; the fastest counts, as what disturbs a call makes it slower
AGAIN = 200  # calls of the fastest, until all ways are tried again: what disturbed the trials may be over
CLEARLY = 0.95  # of the time of a way with fewer threads: what one with more must come to

Way = TypeVar("Way", bound=Hashable)


class Contest(Generic[Way]):
    """Which of several ways of doing the same is the fastest, found out while it is done.

    Args:
        ways: the simplest first: a later one must be clearly faster.

    Example:
        >>> contest = Contest(["simple", "clever"])
        >>> for _ in range(TRIALS):
        ...     contest.took(contest.next, 1.0)
        ...     contest.took(contest.next, 0.5)
        >>> contest.next
        'clever'
    """

    def __init__(self, ways: Sequence[Way]) -> None:
        self._ways, self._calls = list(dict.fromkeys(ways)), 0
        self._fastest: dict[Way, float] = {}
        self._turns: list[Way] = []
        self.next = self._ways[0]
        """The way to take now."""
        self._begin()

    def _begin(self) -> None:
        self._calls = 0
        if len(self._ways) > 1:
            self._fastest = dict.fromkeys(self._ways, float("inf"))
            self._turns = [way for _ in range(TRIALS) for way in self._ways]
            self.next = self._turns[0]

    @property
    def is_over(self) -> bool:
        """Whether ``next`` was found to be the fastest way: it need not be timed."""
        return not self._turns

    def went(self) -> None:
        """Note a call that was not timed."""
        self._calls += 1
        if self._calls >= AGAIN:
            self._begin()

    def took(self, way: Way, seconds: float) -> None:
        """Note what a call that went this way took."""
        self._fastest[way] = min(self._fastest[way], seconds)
        turns = self._turns[1:]  # of this call: another thread may note one of its own
        self._turns = turns
        if turns:
            self.next = turns[0]
            return
        best = next(iter(self._fastest))
        for other, taken in self._fastest.items():
            best = other if taken < CLEARLY * self._fastest[best] else best
        self.next = best


@contextmanager
def limited_threads(count: int) -> Iterator[None]:
    """Within it PyTorch uses so many threads for an operator of the calling thread."""
    before = torch.get_num_threads()
    if count == before:
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def fastest_threads(kept: dict, kind: str, *sizes: int) -> Iterator[None]:
    """For one call of a kind of work on a CPU: with one thread or all there are, whichever is faster.

    Args:
        kept: where what was found out stays for the next call (`anncestry.engine.prediction.Prediction` has
            one for each model and precision).
        kind: a word for what is done.
        sizes: what its time depends on, as rows and tokens; calls whose sizes have as many binary digits are
            of one kind.
    """
    most = torch.get_num_threads()
    if most == 1:
        yield
        return
    key = ("threads", kind, most, *(size.bit_length() for size in sizes))
    contest: Contest[int] | None = kept.get(key)
    if contest is None:
        contest = kept[key] = Contest([1, most])
    count, is_over = contest.next, contest.is_over
    with limited_threads(count):
        start = 0.0 if is_over else time.perf_counter()
        yield
        if is_over:
            contest.went()
        else:
            contest.took(count, time.perf_counter() - start)
