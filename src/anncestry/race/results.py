"""What a race leaves behind: its runs, and the file they are kept in."""

import io
import json
import math
import os
import platform
from dataclasses import asdict, dataclass, field
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from anncestry.checkpoints.store import write_bytes
from anncestry.race.ranking import rank
from anncestry.race.records import Entrant, Run
from anncestry.race.statistics import Design
from anncestry.report.numbers import metric_label, metric_value, plural
from anncestry.report.race.findings import findings
from anncestry.report.race.race import ranking_table
from anncestry.runs.folder import make_folder

FORMAT = 1
_OF_THIS_PROCESS = ("folder", "found")


@dataclass(kw_only=True)
class Results:
    """A race: what `anncestry.compare` returns.

    ``print(results)`` shows the ranking as the command line does, and a notebook shows it as a table;
    ``results.to_json()["ranking"]["standings"]`` holds it as plain data.

    Attributes:
        data: name, options, task, sizes of the splits, notes, and a ``fingerprint`` for each seed.
        budget: the fields of `Budget`.
        seeds: how many.
        metric: ``name`` and ``higher_is_better``: what it is ranked by.
        machine: see `machine`.
        command: what runs it again.
        entrants: everybody, in the order of the timeline, baselines last.
        runs: in the order they were made.
        status: how the race ended.
        folder: it was written into, if any. This and the next are of this process and in no file.
        found: how many of the runs were there when it began.
    """

    data: dict[str, Any]
    budget: dict[str, Any]
    seeds: int
    metric: dict[str, Any]
    machine: dict[str, Any]
    command: str
    entrants: list[Entrant]
    runs: list[Run] = field(default_factory=list)
    status: Literal["running", "complete", "interrupted"] = "running"
    folder: Path | None = None
    found: int = 0

    @property
    def design(self) -> Design:
        """Whether the seeds share their test rows, and how many there are for each training row."""
        shared = len(set(self.data.get("fingerprints", ()))) <= 1
        return Design(shared, self.data.get("test", 0) / max(self.data.get("train", 0), 1))

    def __repr__(self) -> str:
        """One line: the data, how far it came, and the first three of the ranking."""
        ranking = rank(self.metric, self.entrants, self.runs, self.design)
        metric = self.metric["name"]
        best = [row for row in ranking["standings"] if row["kind"] == "model"][:3]
        names = ", ".join(f"{row['id']} {metric_value(row['mean'], metric)}" for row in best) or "no model"
        made = f"{len(self.runs)} of {plural(self.seeds * len(self.entrants), 'run')}"
        return f"<Results: {self.data['name']}, {made}, {self.status}; {metric_label(metric)}: {names}>"

    def __str__(self) -> str:
        """What was found, and the ranking, as the command line prints them."""
        from rich.console import Console

        from anncestry.report.race.tables import WIDE, print_ranking

        console = Console(file=io.StringIO(), width=WIDE, color_system=None, force_terminal=False)
        print_ranking(self.to_json(), console)
        assert isinstance(console.file, io.StringIO)
        return console.file.getvalue().rstrip()

    def _repr_html_(self) -> str:
        """For notebooks: what was found, in sentences, and the ranking as a table."""
        race = self.to_json()
        return f"<p>{escape(' '.join(findings(race)))}</p>\n{ranking_table(race)}"

    def to_json(self) -> dict[str, Any]:
        """Plain data: this file's contents with the ranking, which is all that the report reads."""
        ranking = rank(self.metric, self.entrants, self.runs, self.design)
        fields = {name: value for name, value in asdict(self).items() if name not in _OF_THIS_PROCESS}
        return _finite({"format": FORMAT, **fields, "ranking": ranking})

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Results":
        """What `to_json` wrote; the ranking is computed anew."""
        known = {key: value for key, value in fields.items() if key not in ("format", "ranking")}
        known["entrants"] = [
            Entrant(**{**row, "parents": tuple(row["parents"])}) for row in known["entrants"]
        ]
        known["runs"] = [Run(**row) for row in known["runs"]]
        return cls(**known)

    def save(self, path: Path) -> None:
        """Write everything as JSON; a reader sees the old file or the new one, never a part.

        Raises:
            UserError: it cannot be written.
        """
        make_folder(path.parent)
        write_bytes(path, json.dumps(self.to_json(), indent=1, allow_nan=False).encode())


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: they become null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value if isinstance(value, str | int | bool | None) else str(value)


def machine(threads: int) -> dict[str, Any]:
    """What a measurement depends on: processor, ``threads`` of it, accelerator, versions."""
    import torch

    return {
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "threads": threads,
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else "",
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{package: version(package) for package in ("torch", "scikit-learn", "anncestry")},
    }


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()
