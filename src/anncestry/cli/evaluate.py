"""The scores of a run, on its own test data or on other data read the same way."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro


@dataclass(frozen=True)
class Arguments:
    """Which run, on what."""

    run: tyro.conf.Positional[Path]
    """A run folder."""
    data: str | None = None
    """Other data than the run's own, of the same kind: all of it is scored."""
    split: Literal["train", "validation", "test"] = "test"
    """Of the run's own data: the split to score."""
    json: bool = False
    """Print JSON."""


def run(arguments: Arguments) -> int:
    """Print the metrics."""
    import json

    from anncestry.runs import Run

    figures = Run(arguments.run).evaluate(arguments.data, arguments.split)
    if arguments.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:>12}  {value:.6g}")
    return 0
