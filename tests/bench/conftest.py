"""A machine of which a test says how fast it is and who works on it."""

import os
from collections.abc import Callable, Iterable

import pytest

from anncestry.bench.quiet import Busy
from anncestry.bench.timing import Meter


class FakeMachine:
    """Time passes only where somebody works or sleeps.

    Args:
        others: seconds of cores that others take in each sample that follows; after the last one, none.
    """

    def __init__(self, others: Iterable[float] = ()) -> None:
        self.now, self.own, self.foreign = 0.0, 0.0, 0.0
        self.others, self.readings, self.slept = iter(others), 0, 0.0
        self.meter = Meter(clock=lambda: self.now, sleep=self.sleep, busy=self.busy)

    def sleep(self, seconds: float) -> None:
        self.slept += seconds

    def busy(self) -> Busy:
        self.readings += 1
        if self.readings > 1 and self.readings % 2:  # the first asks whether there is one, then two a sample
            self.foreign += next(self.others, 0.0)
        return Busy(self.own + self.foreign, self.own)

    def taking(self, *seconds: float) -> Callable[[], float]:
        """Work that takes so long, call by call; the last time from then on."""
        left = list(seconds)

        def run() -> float:
            taken = left.pop(0) if len(left) > 1 else left[0]
            self.now += taken
            self.own += taken
            return taken

        return run


@pytest.fixture
def machine():
    """An idle one."""
    return FakeMachine()


@pytest.fixture
def busy_machine():
    """Makes one of which others take so many seconds, of all its cores, sample by sample."""

    def make(*shares: float, seconds: float = 1.0) -> FakeMachine:
        return FakeMachine(share * seconds * (os.cpu_count() or 1) for share in shares)

    return make
