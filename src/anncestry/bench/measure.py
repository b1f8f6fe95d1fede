"""One row in one environment, in a process of its own: ``python -m anncestry.bench.measure JSON FILE``.

The first argument asks, the second is the file that gets the answer: peers print what they like. A process of
its own starts with the environment that is asked for, and one that falls takes no other row with it.
"""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

from anncestry.bench.apart import apart
from anncestry.bench.catalogue import ROWS
from anncestry.bench.contest import hold
from anncestry.bench.peers import NAMES, is_installed


def measure_row(name: str, rounds: int, tiny: bool = False) -> dict[str, Any]:
    """The record of a row: what `hold` says, and the machine.

    Args:
        name: of the row.
        rounds: samples of each contestant.
        tiny: at sizes of a few units, to see that it runs.
    """
    from anncestry.bench.machine import machine

    row = next(row for row in ROWS if row.id == name)
    part = importlib.import_module(f"anncestry.bench.parts.{row.part}")
    missing = [NAMES[module] for module in part.NEEDS if not is_installed(module)]
    if missing:
        reason = f"{', '.join(missing)} is not installed, and makes what this row runs on."
        empty: dict[str, Any] = {"contestants": [], "comparisons": [], "unmeasured": [reason]}
        return empty | {
            "agreement": "",
            "counted": "",
            "amount": 1,
            "note": "",
            "quiet": "",
            "machine": machine(),
        }
    with apart(name, tiny) as contest:
        return hold(contest, rounds) | {"machine": machine()}


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """What is asked for: a row, or a point of the growth."""
    if "point" not in question:
        return measure_row(**question)
    from anncestry.bench.parts.growth import Point, measure

    return measure(Point(**question["point"]), question.get("tiny", False))


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(answer(json.loads(sys.argv[1]))), encoding="utf-8")
