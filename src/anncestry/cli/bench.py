"""This project beside its peers, in one table, on this machine. Peers that are installed take part:
CTranslate2, ONNX Runtime, transformers, sentence-transformers; one that is missing is a line of the table.
The part `growth` shows what longer texts and more of them cost in time and memory."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from anncestry.bench.catalogue import PARTS, ROWS, select
from anncestry.cli.groups import MACHINE, OUTPUT
from anncestry.errors import require


@dataclass(frozen=True)
class Arguments:
    """What is measured, how often, and where the figures go."""

    parts: tyro.conf.Positional[tuple[str, ...]] = ()
    """Parts of the table (encode, generate, translate, train, images, recurrent, start, growth) or rows of
    `anncestry bench --list`; default: all of them, half an hour on two cores."""
    list: tyro.conf.FlagCreatePairsOff[bool] = False
    """Show the rows and measure nothing."""
    quick: tyro.conf.FlagCreatePairsOff[bool] = False
    """One round: to see that everything runs. No figure to quote."""
    rounds: Annotated[int | None, MACHINE] = None
    """Samples of each contestant, who take turns; default: 5."""
    threads: Annotated[int | None, MACHINE] = None
    """CPU threads of everybody; default: as many as PyTorch chooses."""
    out: Annotated[Path, OUTPUT] = Path("bench")
    """The folder for bench.html, bench.md and results.json. Rows that stand there and are not measured now
    stay."""


def run(arguments: Arguments) -> int:
    """Measure row by row; what is done is on disk, whatever happens to the rest."""
    from rich.console import Console

    console = Console()
    rows = select(arguments.parts)
    rule = "gives the number of rounds: one"
    require(not arguments.quick or arguments.rounds is None, "--quick", "True", rule)
    if arguments.list:
        show_list(console, rows)
        return 0

    from anncestry.bench.running import ROUNDS, run_bench

    rounds = 1 if arguments.quick else arguments.rounds
    with console.status("") as status:

        def watch(name, record) -> None:
            status.update(name)
            if record is not None:
                show_row(console, name, record)

        done = run_bench(rows, arguments.out, ROUNDS if rounds is None else rounds, arguments.threads, watch)
    if done.results["rows"]:
        page = arguments.out / "bench.html"
        console.print(f"Report: {page}", soft_wrap=True, markup=False, highlight=False)
    if done.interrupted:
        console.print("Stopped; the rows above are done.", highlight=False)
    return 130 if done.interrupted else 1 if done.failed else 0


def show_list(console, rows) -> None:
    """The rows by part."""
    from rich.table import Table

    table = Table("part", "row", "work")
    for part in PARTS:
        for row in (row for row in rows if row.part == part):
            table.add_row(row.part, row.id, row.title)
    console.print(table)
    if len(rows) == len(ROWS):
        console.print("anncestry bench PART or ROW measures some of them.", highlight=False)


def show_row(console, name, record) -> None:
    """The ratios of a row, or why it has none."""
    from anncestry.report.bench import shown_ratio

    if "error" in record:
        text = f"{name}: failed: {record['error']}"
        console.print(text, style="red", soft_wrap=True, markup=False, highlight=False)
        return
    for one in record.get("comparisons", ()):
        style = None if one["is_multiple"] else "green" if one["ratio"] > 1 else "red"
        text = f"{name}: {shown_ratio(one)}  {one['ours']} beside {one['peer']}"
        console.print(text, style=style, soft_wrap=True, markup=False, highlight=False)
    said = [*record.get("unmeasured", ()), record.get("quiet", "")]
    text = f"{name}: {' '.join(filter(None, said)) or 'done.'}"
    console.print(text, style="dim", soft_wrap=True, markup=False, highlight=False)
