"""The timeline: every architecture with its year, parents, paper, tasks and sizes."""

from dataclasses import dataclass

import tyro

from anncestry.cli.filters import Filters
from anncestry.timeline import TIMELINE, Architecture
from anncestry.timeline.selection import as_json


@dataclass(frozen=True)
class Arguments(Filters):
    """Which part of the timeline, and how to print it."""

    long: tyro.conf.FlagCreatePairsOff[bool] = False
    """Also print names, papers, tasks, files and sizes; default: a line for each architecture."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print JSON."""


def run(arguments: Arguments) -> int:
    """Print the table."""
    chosen = arguments.of(TIMELINE)
    if arguments.json:
        import json

        print(json.dumps([as_json(architecture) for architecture in chosen], indent=1, ensure_ascii=False))
    elif arguments.long:
        show_table(chosen)
    else:
        show_lines(chosen)
    return 0


def show_lines(architectures: list[Architecture]) -> None:
    """A line for each: year, name, parents, and what it adds as far as the terminal is wide."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    names = max((len(architecture.id) for architecture in architectures), default=0)
    for architecture in architectures:
        parents = f" [{', '.join(architecture.parents)}]" if architecture.parents else ""
        line = Text(f"{architecture.year}  ")
        line.append(f"{architecture.id:<{names}}", style="bold")
        line.append(f"  {architecture.adds}").append(parents, style="dim")
        if console.is_terminal:
            console.print(line, overflow="ellipsis", no_wrap=True)
        else:
            print(line.plain)
    print(f"{len(architectures)} architectures; --long adds names, papers, tasks, files and sizes")


def show_table(architectures: list[Architecture]) -> None:
    """Four columns, which a narrow screen has room for; the last one holds a line for each kind of fact."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("year", "name", "parents"):
        table.add_column(heading, no_wrap=True)
    table.add_column("what it adds, paper, tasks, file, sizes")
    for architecture in architectures:
        facts = Text()
        facts.append(architecture.name, style="bold")
        facts.append(f": {architecture.adds}\n{architecture.paper}\n", style="")
        facts.append(f"tasks: {', '.join(architecture.tasks)}", style="dim")
        facts.append(f"\nfile: models/{architecture.module}.py", style="dim")
        if architecture.presets:
            sizes = ", ".join(f"{preset.name} {preset.num_parameters:,}" for preset in architecture.presets)
            facts.append(f"\nsizes: {sizes}", style="dim")
        table.add_row(str(architecture.year), architecture.id, "\n".join(architecture.parents), facts)
    Console().print(table)
