"""The fidelity ledger of an architecture: where its paper, the authors' code and this project part ways."""

from typing import TYPE_CHECKING, Any

from anncestry.timeline import Architecture, Departure

if TYPE_CHECKING:
    from rich.table import Table

WIDTH = 100  # columns; longer lines are hard to read


def print_ledger_json(architecture: Architecture) -> None:
    """The departures as one JSON list."""
    import dataclasses
    import json

    listed = list(map(dataclasses.asdict, architecture.departures))
    print(json.dumps(listed, indent=1, ensure_ascii=False))


def show_ledger(architecture: Architecture, config: Any) -> None:
    """A block for each departure; where a field of the config decides, with its value in ``config``."""
    from rich.console import Console
    from rich.markup import escape

    console = Console()
    console.width = min(console.width, WIDTH)
    title = f"[bold]{escape(architecture.name)}[/] ({architecture.year}) {escape(architecture.paper)}"
    console.print(title, highlight=False)
    count = len(architecture.departures)
    told = "1 departure" if count == 1 else f"{count} departures"
    held = sum(bool(departure.test) for departure in architecture.departures)
    console.print(f"{told}, {held} held by a test", highlight=False)
    for departure in architecture.departures:
        console.print(f"\n[bold]{escape(departure.subject)}[/]", highlight=False)
        console.print(_block(departure, config), highlight=False)


def _block(departure: Departure, config: Any) -> "Table":
    """What each does, a line for each, and below it what is there of reason, switch and test."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    rows = {
        "  paper": departure.paper,
        "  authors' code": departure.authors_code,
        "  ours": departure.ours,
        "  why": departure.why,
        "  switch": _switch(departure.switch, config),
        "  test": _test(departure.test),
    }
    for name, text in rows.items():
        if text:
            table.add_row(name, Text(text))
    return table


def _test(test: str) -> str:
    """Where it is below the checkout; a long one is broken between file and function."""
    told = f"tests/{test}" if test else ""
    return told if len(told) < WIDTH - 20 else told.replace("::", "\n::")


def _switch(switches: str, config: Any) -> str:
    """A line for each, as on the command line; a field of the config comes with its value in ``config``."""
    lines = [
        switch if switch.startswith("--") else f"--set {switch}=...; here {getattr(config, switch)}"
        for switch in switches.split(", ")
        if switch
    ]
    return "\n".join(lines)
