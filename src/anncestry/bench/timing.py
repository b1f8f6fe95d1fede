"""Timing several contestants fairly: in turn, many times, and again where others had the machine."""

import math
import os
import statistics
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

from anncestry.bench.quiet import LIMIT, Busy, busy_seconds, share_of_others
from anncestry.report.numbers import precise_seconds

PAUSE = 0.1  # seconds: the threads of whoever ran before may still be spinning
SHORTEST = 0.2  # seconds of a sample: a tick of the counters is a hundredth
WARM_SECONDS, WARM_CALLS = 1.5, 8
"""Warming up goes on for so long, or so many calls: some find out in the first ones how they run fastest."""
TRIES = 6
"""How often a sample is taken at most, until others leave the machine alone."""
PATIENCE = 5
"""Disturbed samples after which none is repeated any more: the machine is not going to be quiet."""


@dataclass(frozen=True)
class Meter:
    """What is read around a sample: a clock, and who worked; tests read others.

    Attributes:
        clock: seconds on the wall.
        sleep: waits for so many seconds.
        busy: what the cores have done; None where nothing counts it.
    """

    clock: Callable[[], float] = time.perf_counter
    sleep: Callable[[float], None] = time.sleep
    busy: Callable[[], Busy | None] = busy_seconds


@dataclass(frozen=True)
class Timed:
    """One contestant's figures.

    Attributes:
        seconds: the median of its samples.
        ratio: the median over rounds of this contestant's time over the first one's in the same round.
        low, high: the quartiles of that ratio.
        samples: the seconds of each round.
    """

    name: str
    seconds: float
    ratio: float
    low: float
    high: float
    samples: tuple[float, ...]


@dataclass
class Quiet:
    """Whether others left the machine alone while samples were taken.

    Attributes:
        known: whether this system counts it.
        samples: that were taken and kept.
        repeated: how many of them had to be taken again.
        disturbed: how many of them were kept although others had the machine, in the best of `TRIES` tries.
    """

    known: bool = True
    samples: int = 0
    repeated: int = 0
    disturbed: int = 0

    def __str__(self) -> str:
        if not self.known:
            return "Whether other processes disturbed the samples cannot be known on this system."
        limit = f"other processes took more than {LIMIT:.0%} of the machine"
        if not self.repeated and not self.disturbed:
            return f"There was no sample in which {limit}."
        said = f"{self.repeated} of {self.samples} samples were repeated because {limit}"
        if self.disturbed:
            said += f"; in {self.disturbed} they did to the end, so these figures are not of a quiet machine"
        return f"{said}."


@dataclass(frozen=True)
class Timings:
    """What `interleave` found: the rows in the order of the contestants."""

    rows: tuple[Timed, ...]
    quiet: Quiet = field(default_factory=Quiet)

    def __iter__(self) -> Iterator[Timed]:
        return iter(self.rows)


def interleave(
    contestants: Mapping[str, Callable[[], object]],
    rounds: int,
    warm_up: int = 2,
    once: Callable[[Mapping[str, float]], Collection[str]] = lambda seconds: (),
    meter: Meter | None = None,
) -> Timings:
    """Run every contestant once a round, turn by turn; the order is rotated from round to round.

    Args:
        contestants: by name; what takes less than `SHORTEST` is called several times for a sample.
        warm_up: the fewest calls of each before; 0 for none.
        once: given the seconds of the first round: the names of those that run in no further one.
        meter: what is read; default: this machine's clock and counters.
    """
    meter = meter or Meter()
    quiet = Quiet(known=meter.busy() is not None)
    calls = {name: _calls(run, warm_up, meter) for name, run in contestants.items()}
    names, times = list(contestants), {name: [] for name in contestants}
    for turn in range(rounds):
        for index in range(len(names)):
            name = names[(index + turn) % len(names)]
            times[name].append(_sample(contestants[name], calls[name], quiet, meter))
        if turn == 0:
            left_out = once({name: seconds[0] for name, seconds in times.items()})
            names = [name for name in names if name not in left_out]
    first = next(iter(times.values()))
    return Timings(tuple(_timed(name, samples, first) for name, samples in times.items()), quiet)


def ratio_of(times: Collection[float], others: Collection[float]) -> tuple[float, float, float]:
    """The median of ``times`` over ``others`` round by round, and its quartiles below and above."""
    ratios = [one / other for one, other in zip(times, others, strict=False)]
    if len(ratios) == 1:
        return ratios[0], ratios[0], ratios[0]
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return middle, low, high


def table(title: str, results: Timings, note: str = "") -> str:
    """A Markdown table of one comparison; the first row is what the others are held against."""
    lines = [
        f"### {title}",
        "",
        "| contestant | median | ratio to the first | its quartiles |",
        "| --- | --- | --- | --- |",
    ]
    for row in results:
        quartiles = f"{row.low:.3f} to {row.high:.3f}"
        lines.append(f"| {row.name} | {precise_seconds(row.seconds)} | {row.ratio:.3f} | {quartiles} |")
    return "\n".join([*lines, "", f"{note} {results.quiet}".strip()]) + "\n"


def _timed(name: str, samples: list[float], first: list[float]) -> Timed:
    return Timed(name, statistics.median(samples), *ratio_of(samples, first), tuple(samples))


def _calls(run: Callable[[], object], warm_up: int, meter: Meter) -> int:
    """Warm up; how many calls make a sample."""
    seconds, began = math.inf, meter.clock()
    for number in range(max(warm_up, WARM_CALLS) if warm_up else 0):
        start = meter.clock()
        if number >= warm_up and start - began > WARM_SECONDS:
            break
        run()
        seconds = meter.clock() - start
    return max(1, math.ceil(SHORTEST / seconds)) if seconds > 0 else 1


def _sample(run: Callable[[], object], calls: int, quiet: Quiet, meter: Meter) -> float:
    """Seconds of a call; of the quietest try, where others had the machine in each."""
    quiet.samples += 1
    tries: list[tuple[float, float]] = []
    for number in range(TRIES if quiet.disturbed < PATIENCE else 1):
        quiet.repeated += number == 1
        meter.sleep(PAUSE * (1 + 4 * number))
        before, start = meter.busy(), meter.clock()
        for _ in range(calls):
            run()
        seconds, after = meter.clock() - start, meter.busy()
        if before is None or after is None:
            return seconds / calls
        share = share_of_others(before, after, seconds, os.cpu_count() or 1)
        tries.append((share, seconds / calls))
        if share <= LIMIT:
            break
    else:
        quiet.disturbed += 1
    return min(tries)[1]
