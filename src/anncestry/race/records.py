"""What a race counts: who takes part, and what each of them did with each seed."""

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class Entrant:
    """Somebody in the race.

    Attributes:
        id: the name on the command line, or of the baseline.
        name: the name in prose.
        kind: a model of the timeline, or a baseline.
        year, paper, adds, removes, parents: from the timeline; empty for a baseline.
    """

    id: str
    name: str
    kind: Literal["model", "baseline"]
    year: int | None = None
    paper: str = ""
    adds: str = ""
    removes: str = ""
    parents: tuple[str, ...] = ()


@dataclass(kw_only=True)
class Run:
    """One entrant with one seed.

    Attributes:
        entrant: its id.
        seed: of the initial weights, the data order, and the split where the data have no official one.
        status: ``interrupted`` and ``failed`` runs do not count.
        metrics: of the test split, with the weights that were best on the validation split.
        outcomes: what the test rows contribute to the figure that the race is ranked by, under its name
            (`anncestry.race.outcomes`).
        validation: of the validation split, with the same weights.
        curve: validation metrics over training: rows of ``step``, ``epoch``, ``seconds`` and the metrics.
        seconds: of training alone.
        core: how much of a processor core its process had in these seconds: 1.0 where it had one to itself,
            less where others took it; None where that is not known (several threads, a GPU).
        steps, epochs: how far it came.
        stopped: what ended training.
        parameters: trainable numbers.
        width: what the size was solved for, None where it was not.
        flops: floating-point operations of one forward pass of one example.
        latency: seconds for one prediction, batch 1, the median of several.
        settings: how it was trained.
        config: the sizes it was built with.
        mistakes: what it got wrong, or a sample of what it generates (`anncestry.race.mistakes`).
        note: what a reader should know: data left out, a size that is fixed.
        error: why it failed.
    """

    entrant: str
    seed: int
    status: Literal["ok", "failed", "interrupted"] = "ok"
    metrics: dict[str, float] = field(default_factory=dict)
    outcomes: dict[str, str] = field(default_factory=dict)
    validation: dict[str, float] = field(default_factory=dict)
    curve: list[dict[str, Any]] = field(default_factory=list)
    seconds: float | None = None
    core: float | None = None
    steps: int | None = None
    epochs: float | None = None
    stopped: str = ""
    parameters: int | None = None
    width: int | None = None
    flops: float | None = None
    latency: float | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    mistakes: dict[str, Any] = field(default_factory=dict)
    note: str = ""
    error: str = ""
