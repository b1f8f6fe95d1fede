"""The fidelity ledger of an architecture: where its paper, the authors' code and this project part ways."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from anncestry.report.shown import Shown
from anncestry.timeline import Architecture, Departure, find, find_preset

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

WIDTH = 100  # columns; longer lines are hard to read


class Ledger(Shown):
    """The fidelity ledger of an architecture.

    Args:
        architecture: whose departures they are.
        values: of the config's fields that are known: where one of them decides a departure, it is shown.
    """

    def __init__(self, architecture: Architecture, values: Mapping[str, Any]) -> None:
        self.architecture, self.values = architecture, values

    @classmethod
    def of_name(cls, name: str) -> Self:
        """That of an architecture or preset, with the sizes that were published: read without PyTorch.

        Raises:
            UserError: there is no such name.
        """
        architecture, preset = find(name), find_preset(name)
        return cls(architecture, {**architecture.fixed, **(preset.config if preset else {})})

    def to_json(self) -> list[dict[str, Any]]:
        """The departures as plain data."""
        return list(map(dataclasses.asdict, self.architecture.departures))

    def show(self, console: "Console | None" = None) -> None:
        """Print a block for each departure; where a field of the config decides, with its value if known."""
        from rich.console import Console
        from rich.markup import escape

        console, entry = console or Console(), self.architecture
        console.width = min(console.width, WIDTH)
        title = f"[bold]{escape(entry.name)}[/] ({entry.year}) {escape(entry.paper)}"
        console.print(title, highlight=False)
        count = len(entry.departures)
        counted = "1 departure" if count == 1 else f"{count} departures"
        held = sum(bool(departure.test) for departure in entry.departures)
        console.print(f"{counted}, {held} held by a test", highlight=False)
        for departure in entry.departures:
            console.print(f"\n[bold]{escape(departure.subject)}[/]", highlight=False)
            console.print(_block(departure, self.values), highlight=False)
        if any(field not in self.values for departure in entry.departures for field in _fields(departure)):
            console.print("\n--input or --task: also what each switch stands at", highlight=False)


def _block(departure: Departure, values: Mapping[str, Any]) -> "Table":
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
        "  switch": _switch(departure.switch, values),
        "  test": _test(departure.test),
    }
    for name, text in rows.items():
        if text:
            table.add_row(name, Text(text))
    return table


def _fields(departure: Departure) -> list[str]:
    """The fields of the config that decide it."""
    switches = departure.switch.split(", ") if departure.switch else []
    return [switch for switch in switches if not switch.startswith("--")]


def _test(test: str) -> str:
    """Where it is below the checkout; a long one is broken between file and function."""
    path = f"tests/{test}" if test else ""
    return path if len(path) < WIDTH - 20 else path.replace("::", "\n::")


def _switch(switches: str, values: Mapping[str, Any]) -> str:
    """A line for each, as on the command line; a field of the config comes with its value if known."""
    lines = []
    for switch in switches.split(", ") if switches else ():
        here = f"; here {values[switch]}" if switch in values else ""
        lines.append(switch if switch.startswith("--") else f"--set {switch}=...{here}")
    return "\n".join(lines)
