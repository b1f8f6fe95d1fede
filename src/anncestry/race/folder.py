"""The folder of a race: held by one process at a time, gone on with by the same race, written whole.

    results.json    every run, whole and up to date after each of them
    report.html     from the first finished run on; a little behind the results while the race runs
    runs/           the trained models

A race that was killed leaves a folder whose status is still ``running`` and that nobody holds.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import Any

from anncestry.data import DataOptions
from anncestry.errors import UserError
from anncestry.race.results import FORMAT, Results
from anncestry.runs.folder import check_format, check_new_folder, make_folder
from anncestry.stored import read_object

RESULTS = "results.json"


def check_folder(folder: Path) -> None:
    """Raise a `UserError` where a race would be written over something that is no race."""
    if not (folder / RESULTS).is_file():
        check_new_folder(folder)


def read_race(folder: Path) -> Results:
    """What a race has left in its folder.

    Raises:
        UserError: there is no race, or its results cannot be read.
    """
    path = folder / RESULTS
    if not path.is_file():
        rule = f"holds no race: it has no {RESULTS}" if folder.is_dir() else "is not a folder"
        raise UserError("race", str(folder), rule)
    try:
        found = read_object(path)
        check_format(found, FORMAT, str(path), found.get("machine", {}).get("anncestry"))
        return Results.from_json(found)
    except UserError:
        raise
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UserError("race", str(path), f"cannot be read ({type(error).__name__}: {error})") from error


@contextlib.contextmanager
def race_folder(
    out: Path, plan: Results, numbered: bool = False, changed: bool = False
) -> Iterator[tuple[Path, Results]]:
    """Make the folder or take it up again, and hold it within the context.

    Args:
        out: a new folder, an empty one, or that of the same race.
        plan: the race that is to be run, with no runs yet.
        numbered: take the first of ``out``, ``out``-2, ``out``-3, ... that is new, or whose race is this one
            and was not finished.
        changed: the race may have more seeds now, and its data another name.

    Yields:
        ``(folder, results)``: ``plan``, or what was kept of the race with the runs that are to be made again
        taken out.

    Raises:
        UserError: the folder holds another race or something else, or another process is at it.
    """
    for number in count(1):
        folder = out if number == 1 else out.with_name(f"{out.name}-{number}")
        if numbered and folder.exists() and not folder.is_dir():
            continue
        make_folder(folder)
        with contextlib.ExitStack() as stack:
            if not stack.enter_context(_held(folder)):
                if numbered:
                    continue
                raise UserError("out", str(folder), "is the folder of a race that is running now")
            try:
                results = _taken_up(folder, plan, changed)
            except UserError:
                if numbered:
                    continue
                raise
            if numbered and results.status == "complete":
                continue
            results.status = "running"
            for leftover in folder.glob(".*.tmp"):  # of a process that was killed while it wrote
                leftover.unlink(missing_ok=True)
            yield folder, results
            return


def remove_leftover(folder: Path | None) -> None:
    """Remove what a run that was cut short has left where it is made again."""
    if folder is not None and folder.is_dir():
        shutil.rmtree(folder)


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[bool]:
    """Hold a folder, unless another process does. However that process ends, it lets go."""
    try:
        import fcntl
    except ImportError:  # Windows has no such locks
        yield True
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        except OSError:  # some network file systems lock no folders
            pass
        yield True
    finally:
        os.close(descriptor)


def _taken_up(folder: Path, plan: Results, changed: bool) -> Results:
    """The race in the folder, if it is the planned one; the plan, if there is none."""
    check_folder(folder)
    if not (folder / RESULTS).is_file():
        return plan
    before = read_race(folder)
    free = {"data"} if changed else set()
    if changed and plan.seeds >= before.seeds:
        free.add("seeds")
    differing = [row for row in _differences(before, plan) if row[0] not in free]
    if differing:
        changes = ", ".join(f"`{name}` was {was} and is {now}" for name, was, now in differing)
        hint = "Choose another `out`, or go on with that race by `resume`."
        rule = f"holds another race: {changes}"
        raise UserError("out", str(folder), rule, hint=None if changed else hint)
    if before.seeds != plan.seeds or before.data["name"] != plan.data["name"]:
        before.seeds, before.command = plan.seeds, plan.command
        before.data["name"] = plan.data["name"]
    others = [name for name, value in plan.machine.items() if before.machine.get(name) != value]
    if others:
        note = f"the race went on with another {', '.join(others)} than it began with"
        before.data["notes"] = list(dict.fromkeys([*before.data["notes"], note]))
    before.runs = [run for run in before.runs if run.status == "ok"]  # what failed is tried again
    return before


def _differences(before: Results, plan: Results) -> list[tuple[str, Any, Any]]:
    """What of one race is otherwise in another: ``(argument, was, is)``.

    An older version knew fewer options; what it did not know does not differ.
    """
    was, now = _arguments(before), _arguments(plan)
    differing = [name for name in was if name in now and was[name] != now[name]]
    return [(name, _shown(was[name]), _shown(now[name])) for name in differing]


def _arguments(race: Results) -> dict[str, Any]:
    """What makes a race this one, by the argument that sets it."""
    plain = json.loads(json.dumps(asdict(race), default=str))
    options = asdict(DataOptions()) | plain["data"]["options"]  # a newer version may know more of them
    budget = {"budget" if name == "seconds" else name: value for name, value in plain["budget"].items()}
    return {
        "data": plain["data"]["name"],
        "models": [row["id"] for row in plain["entrants"] if row["kind"] == "model"],
        **budget,
        "seeds": plain["seeds"],
        "threads": plain["machine"]["threads"],
        **options,
    }


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return "unset" if value is None else str(value)
