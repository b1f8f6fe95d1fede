"""Timing several contestants fairly: in turn, many times, medians and the ratio pair by pair."""

import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

import torch

from anncestry.engine.prediction import bfloat16_is_faster

PAUSE = 0.1  # seconds: the threads of whoever ran before may still be spinning


@dataclass(frozen=True)
class Timed:
    """One contestant's figures.

    Attributes:
        seconds: the median.
        ratio: the median over rounds of this contestant's time over the first one's in the same round.
        low, high: the quartiles of that ratio.
    """

    name: str
    seconds: float
    ratio: float
    low: float
    high: float


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Within it, PyTorch computes with so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def interleave(contestants: Mapping[str, Callable[[], object]], rounds: int, warm_up: int = 2) -> list[Timed]:
    """Run every contestant once a round, turn by turn; the order is rotated from round to round."""
    names = list(contestants)
    for _ in range(warm_up):
        for run in contestants.values():
            run()
    times: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        for index in range(len(names)):
            name = names[(index + turn) % len(names)]
            time.sleep(PAUSE)
            start = time.perf_counter()
            contestants[name]()
            times[name].append(time.perf_counter() - start)
    results = []
    for name in names:
        ratios = [mine / first for mine, first in zip(times[name], times[names[0]], strict=True)]
        low, ratio, high = statistics.quantiles(ratios, n=4) if rounds > 1 else (ratios[0],) * 3
        results.append(Timed(name, statistics.median(times[name]), ratio, low, high))
    return results


Contestant = TypeVar("Contestant")


def worth_running(contestants: dict[str, Contestant]) -> dict[str, Contestant]:
    """Without those in bfloat16, where this processor only emulates it."""
    if bfloat16_is_faster():
        return contestants
    return {name: one for name, one in contestants.items() if "bfloat16" not in name}


def table(title: str, results: Sequence[Timed], note: str = "") -> str:
    """A Markdown table of one comparison; the first row is what the others are held against."""
    lines = [
        f"### {title}",
        "",
        "| contestant | median | ratio to the first | its quartiles |",
        "| --- | --- | --- | --- |",
    ]
    for row in results:
        shown = f"{row.seconds * 1e3:.3g} ms" if row.seconds < 1 else f"{row.seconds:.3g} s"
        lines.append(f"| {row.name} | {shown} | {row.ratio:.3f} | {row.low:.3f} to {row.high:.3f} |")
    if note:
        lines += ["", note]
    return "\n".join(lines) + "\n"


def machine() -> str:
    """The processor, its cores and the versions that matter."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line
        ]
        model = names[0] if names else model
    packages = ", ".join(
        f"{name} {version(name)}" for name in ("torch", "lightning-fabric", "scikit-learn", "numpy")
    )
    return f"{model}, {os.cpu_count()} cores; Python {platform.python_version()}, {packages}"
