"""Running rows of the table one after the other, each in a process of its own; what is done is on disk."""

import datetime
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from anncestry.bench import records
from anncestry.bench.catalogue import Row
from anncestry.errors import require
from anncestry.runs.folder import make_folder

ROUNDS = 5
Watch = Callable[[str, dict[str, Any] | None], None]
"""Called with the name of a row and its environment before it is run, and again with its record."""
Ask = Callable[[dict[str, Any], Mapping[str, str]], dict[str, Any]]
"""Asks a process (`anncestry.bench.measure`), with variables of its environment."""


class Failed(Exception):
    """A process that measured ended with an error; the message is its last line."""


class Measured(NamedTuple):
    """What was measured.

    Attributes:
        results: of the folder, with what earlier calls left there.
        failed: names of rows whose process ended with an error.
        interrupted: whether a person stopped before the last one.
    """

    results: dict[str, Any]
    failed: list[str]
    interrupted: bool


def run_bench(
    rows: Sequence[Row],
    folder: Path,
    rounds: int = ROUNDS,
    threads: int | None = None,
    watch: Watch | None = None,
    ask: Ask | None = None,
) -> Measured:
    """Run rows, and write what is known after each; Ctrl-C ends them early.

    Args:
        folder: gets results.json, bench.html and bench.md; rows that stand there and are not run stay.
        rounds: samples of each contestant.
        threads: that PyTorch and the peers use; default: as many as they choose.
        watch: see `Watch`.
        ask: see `Ask`; default: a process of its own.

    Raises:
        UserError: ``rounds`` or ``threads`` is below 1, or the folder cannot be written or holds figures of
            another machine.
    """
    require(rounds >= 1, "rounds", rounds, "must be at least 1")
    require(threads is None or threads >= 1, "threads", threads, "must be at least 1")
    make_folder(folder)
    results = records.read(folder)
    of_threads = {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
    failed: list[str] = []
    try:
        for row in rows:
            for environment, variables in row.environments.items():
                name = ", ".join(filter(None, (row.id, environment)))
                if watch is not None:
                    watch(name, None)
                record = _measured(row, rounds, ask or asked, {**of_threads, **variables})
                if "error" in record:
                    failed.append(name)
                else:
                    about = _about(row, environment, rounds, threads, variables)
                    results["rows"][name] = about | record
                    records.write(folder, results)
                if watch is not None:
                    watch(name, record)
    except KeyboardInterrupt:
        return Measured(results, failed, interrupted=True)
    return Measured(results, failed, interrupted=False)


def asked(question: dict[str, Any], variables: Mapping[str, str]) -> dict[str, Any]:
    """What a process of its own answers.

    Raises:
        Failed: it ended with an error.
    """
    with tempfile.TemporaryDirectory() as made:
        answer = Path(made) / "answer.json"
        command = [sys.executable, "-m", "anncestry.bench.measure", json.dumps(question), str(answer)]
        done = subprocess.run(
            command, env={**os.environ, **variables}, capture_output=True, text=True, check=False
        )
        if done.returncode:
            lines = done.stderr.strip().splitlines()
            raise Failed(lines[-1] if lines else f"its process ended with {done.returncode}")
        return json.loads(answer.read_text(encoding="utf-8"))


def _measured(row: Row, rounds: int, ask: Ask, variables: Mapping[str, str]) -> dict[str, Any]:
    """The record of a row, or ``{"error": why}``."""
    try:
        if row.part != "growth":
            return ask({"name": row.id, "rounds": rounds}, variables)
        from anncestry.bench.machine import machine
        from anncestry.bench.parts.growth import points

        found = [ask({"point": point._asdict()}, variables) for point in points()]
        return {"points": found, "machine": machine()}
    except Failed as error:
        return {"error": str(error)}


def _about(
    row: Row, environment: str, rounds: int, threads: int | None, variables: Mapping[str, str]
) -> dict[str, Any]:
    """What a record says of itself; the command measures the row again."""
    command = f"anncestry bench {row.id} --rounds {rounds}"
    command += "" if threads is None else f" --threads {threads}"
    return {
        "id": row.id,
        "part": row.part,
        "title": row.title + (f" (threads {environment})" if environment else ""),
        "environment": " ".join(f"{name}={value}" for name, value in variables.items()),
        "rounds": rounds,
        "command": command,
        "date": datetime.date.today().isoformat(),
    }
