"""What is left in a folder: ``results.json``, and from it ``bench.html`` and ``bench.md``."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from anncestry.bench.catalogue import ROWS
from anncestry.bench.machine import processor
from anncestry.errors import UserError
from anncestry.files import write_text
from anncestry.report.bench import bench_page, growth_rows, said_of, shown_ratio
from anncestry.report.numbers import plural, precise_seconds
from anncestry.version import __version__

FILE = "results.json"


def read(folder: Path) -> dict[str, Any]:
    """What stands in a folder, or results without a row; ``rows`` are records by name.

    Raises:
        UserError: the file is damaged, or its figures are of another machine.
    """
    here = {"processor": processor(), "cores": str(os.cpu_count())}
    path = folder / FILE
    if not path.exists():
        return {"anncestry": __version__, **here, "rows": {}}
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
        there = {name: results[name] for name in here}
        dict(results["rows"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError("out", str(folder), f"has a {FILE} that this command did not write") from error
    if there != here:
        rule = (
            f"holds figures of another machine ({there['processor']}, {there['cores']} cores); name another"
        )
        raise UserError("out", str(folder), rule)
    return results


def write(folder: Path, results: dict[str, Any]) -> None:
    """Write what is known so far; called after every row, so that an interrupted run keeps what it has."""
    order = {row.id: place for place, row in enumerate(ROWS)}
    rows = dict(sorted(results["rows"].items(), key=lambda item: (order.get(item[1]["id"], 99), item[0])))
    results["rows"] = rows
    results["anncestry"] = __version__
    write_text(folder / FILE, json.dumps(results, indent=1) + "\n")
    write_text(folder / "bench.html", bench_page(results))
    write_text(folder / "bench.md", markdown(results))


def markdown(results: dict[str, Any]) -> str:
    """The section of a document: machine, one line for each comparison, then each row with its samples."""
    lines = ["# Speed beside the peers", ""]
    lines += [f"- {name}: {value}" for name, value in newest_machine(results).items()]
    lines += [
        "",
        "A ratio is the best peer's time over ours, in one precision, each at its best setting: above ",
    ]
    lines[-1] += (
        "1 we win. One with × is our time as a multiple of what stands beside it. In brackets: quartiles "
    )
    lines[-1] += "over rounds, in which all contestants take turns."
    lines += ["", "| work | ours | best peer | ratio |", "| --- | --- | --- | --- |"]
    for record in results["rows"].values():
        for one in record.get("comparisons", ()):
            work = f"{record['title']}"
            lines.append(f"| {work} | {one['ours']} | {one['peer']} | {shown_ratio(one)} |")
    for record in results["rows"].values():
        lines += ["", f"### {record['title']}", "", *_growth(record), *_contestants(record)]
    return "\n".join(lines) + "\n"


def newest_machine(results: dict[str, Any]) -> dict[str, str]:
    """The machine, as the row that was measured last says it."""
    machines = [(record["date"], record["machine"]) for record in results["rows"].values()]
    return max(machines, key=lambda pair: pair[0])[1] if machines else {}


def _contestants(record: dict[str, Any]) -> Iterator[str]:
    """The table of a row and what is to be said of it."""
    if record.get("contestants"):
        counted, agreement = record["counted"], record["agreement"]
        heads = ["contestant", "median", "quartiles", *([f"{counted} a second"] if counted else [])]
        heads += [agreement] if agreement else []
        yield f"| {' | '.join(heads)} |"
        yield f"| {' | '.join('---' for _ in heads)} |"
        for one in record["contestants"]:
            quartiles = f"{precise_seconds(one['low'])} to {precise_seconds(one['high'])}"
            cells = [one["name"], precise_seconds(one["seconds"]), quartiles]
            cells += [f"{record['amount'] / one['seconds']:,.1f}"] if counted else []
            cells += [one["agreement"]] if agreement else []
            yield f"| {' | '.join(cells)} |"
        yield ""
    environment = f" with {record['environment']}" if record["environment"] else ""
    rounds = plural(record["rounds"], "round")
    again = f"Measured on {record['date']}, {rounds}: `{record['command']}`{environment}."
    yield f"{said_of(record)} {again}".strip()


def _growth(record: dict[str, Any]) -> Iterator[str]:
    """The table of growth, where a record has one."""
    if "points" in record:
        yield "| work | whose | texts | tokens | time a token | peak memory |"
        yield "| --- | --- | --- | --- | --- | --- |"
        for cells in growth_rows(record):
            yield f"| {' | '.join(cells)} |"
        yield ""
