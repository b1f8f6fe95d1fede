"""The history of an architecture as commits, newest first: what each step added, and what it removed."""

from dataclasses import asdict, dataclass
from pathlib import Path

import tyro

from anncestry.cli.filters import Filters
from anncestry.drawings.history import log
from anncestry.errors import require


@dataclass(frozen=True)
class Arguments(Filters):
    """Whose history, which part of it, and how to print it."""

    name: tyro.conf.Positional[str | None] = None
    """An architecture or preset of `anncestry list`."""
    all: tyro.conf.FlagCreatePairsOff[bool] = False
    """The whole family."""
    forks: tyro.conf.FlagCreatePairsOff[bool] = False
    """NAME and what descends from it, in place of what it descends from."""
    first_parent: tyro.conf.FlagCreatePairsOff[bool] = False
    """Follow main parents only; the others gave one idea each."""
    reverse: tyro.conf.FlagCreatePairsOff[bool] = False
    """Oldest first."""
    oneline: tyro.conf.FlagCreatePairsOff[bool] = False
    """A line for each commit."""
    graph: tyro.conf.FlagCreatePairsOff[bool] = False
    """Draw the lines of descent before them, a line for each commit."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print JSON."""
    svg: Path | None = None
    """Draw the family tree of what is chosen into this file instead."""


def run(arguments: Arguments) -> int:
    """Print the commits, or draw them."""
    drawn, printed = arguments.svg is not None, ("oneline", "graph", "json", "reverse")
    for option in printed if drawn else ("oneline", "graph") if arguments.json else ():
        rule = f"has no effect with {'--svg' if drawn else '--json'}"
        require(not getattr(arguments, option), f"--{option}", True, rule)
    options = asdict(arguments)
    for option in ("oneline", "graph", "json", "svg"):
        del options[option]
    form = "graph" if arguments.graph else "oneline" if arguments.oneline else "commits"
    found = log(**options, form=form)
    if arguments.svg is not None:
        found.write_svg(arguments.svg)
        print(f"Family tree of {len(found.entries)} architectures: {arguments.svg}")
    elif arguments.json:
        import json

        print(json.dumps(found.to_json(), indent=1, ensure_ascii=False))
    else:
        found.show()
    return 0
