"""What a claim is: a sentence of the literature, an experiment, and a verdict computed from its numbers.

The experiment of the claim ``tanh-gradients`` is the file ``tanh_gradients.py`` of ``claims/experiments``.
Each such file has three functions, kept apart so that no verdict can be written down in advance:

- ``measure(seed, ...)`` runs the experiment and returns rows of plain numbers and words;
- ``judge(rows)`` sees nothing but those rows;
- ``draw(axes, rows)`` shows them.

Imports no torch, so that the claims can be listed at once.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Rows = list[dict[str, Any]]


class Verdict(StrEnum):
    """What a measurement says about a sentence."""

    HOLDS = "holds"
    FAILS = "does not hold here"
    UNDECIDED = "undecided"


class Judgement(NamedTuple):
    """A verdict and the one sentence, with the numbers, that it rests on."""

    verdict: Verdict
    because: str


class Experiment(Protocol):
    """What the file of a claim offers. ``measure`` may take sizes besides the seed, each with a default."""

    def measure(self, seed: int) -> Rows: ...

    def judge(self, rows: Rows) -> Judgement: ...

    def draw(self, axes: Axes, rows: Rows) -> None: ...


@dataclass(frozen=True)
class Evidence:
    """The outcome of one experiment.

    Attributes:
        measurements: the table of what was measured; every row is ready for JSON.
        verdict: computed from the measurements.
        because: one sentence with the numbers behind the verdict.
        figure: draws the measurements into the Axes it is given.
        seconds: wall time of the measurement.
    """

    measurements: Rows
    verdict: Verdict
    because: str
    figure: Callable[[Axes], None]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One sentence of the literature that this machine can check.

    Attributes:
        id: its name on the command line; with underscores, the file of its experiment.
        sentence: the claim.
        paper: who made it, where.
    """

    id: str
    sentence: str
    paper: str

    def experiment(self) -> Experiment:
        """The file that measures, judges and draws it (this is where torch is imported)."""
        module = importlib.import_module(f"anncestry.claims.experiments.{self.id.replace('-', '_')}")
        return cast(Experiment, module)

    def run(self, seed: int = 0) -> Evidence:
        """Measure, then judge. The same seed gives the same numbers; the caller's random state is kept.

        One thread computes: these nets are so small that a second one would mostly wait, and the order of
        sums, hence the last digits, would depend on the number of cores.
        """
        import torch

        experiment = self.experiment()
        started = time.perf_counter()
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with torch.random.fork_rng(devices=[]):
                rows = experiment.measure(seed)
        finally:
            torch.set_num_threads(threads)
        seconds = time.perf_counter() - started
        verdict, because = experiment.judge(rows)
        return Evidence(rows, verdict, because, partial(experiment.draw, rows=rows), seconds)
