"""The history of an architecture as commits, newest first: what each step added, and what it removed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from anncestry.cli.filters import Filters
from anncestry.errors import require
from anncestry.timeline import Architecture, find, find_preset
from anncestry.timeline.ancestry import (
    ancestors,
    authors,
    branch_order,
    changes,
    commit_id,
    descendants,
    in_order,
    kinship,
    main_line,
)
from anncestry.timeline.ideas import IDEAS

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

NUM_TAGS = 3
"""Presets that a commit names; a list of all is in `anncestry list`."""


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
    require(not (arguments.graph and arguments.reverse), "--reverse", True, "a graph grows upwards only")
    drawn, printed = arguments.svg is not None, ("oneline", "graph", "json", "reverse")
    for option in printed if drawn else ("oneline", "graph") if arguments.json else ():
        rule = f"has no effect with {'--svg' if drawn else '--json'}"
        require(not getattr(arguments, option), f"--{option}", True, rule)
    chosen = arguments.of(history(arguments))
    if arguments.svg is not None:
        write_svg(arguments.svg, chosen, arguments.first_parent)
    elif arguments.json:
        import json

        ordered = chosen if arguments.reverse else chosen[::-1]
        print(json.dumps([as_json(entry) for entry in ordered], indent=1, ensure_ascii=False))
    else:
        show(chosen, arguments)
    return 0


def history(arguments: Arguments) -> tuple[Architecture, ...]:
    """What the log is about before any filter; parents come before children.

    Raises:
        UserError: nothing has that name, or none is given where one is needed.
    """
    if arguments.name is None:
        rule = "say whose history, as in `anncestry log bert`, or ask for --all"
        require(arguments.all and not arguments.forks, "NAME", None, rule)
        return in_order()
    name = find(arguments.name).id
    if arguments.all:
        require(not arguments.forks, "--forks", True, "is a part of --all; take one of them")
        return in_order()
    if arguments.forks:
        forks = descendants(name)
        if not arguments.first_parent:
            return forks
        return tuple(fork for fork in forks if find(name) in main_line(fork.id))
    return main_line(name) if arguments.first_parent else ancestors(name)


def as_json(entry: Architecture) -> dict:
    """What a commit shows, with what `anncestry list` tells of the entry."""
    from anncestry.cli.list import as_json as entry_as_json

    added, removed, kept = changes(entry)
    told = {"commit": commit_id(entry), "authors": authors(entry), "ideas": IDEAS.get(entry.id, {})}
    return entry_as_json(entry) | told | {"added": added, "removed": removed, "kept": kept}


def write_svg(path: Path, chosen: Sequence[Architecture], first_parent: bool) -> None:
    """Draw the entries into a file.

    Raises:
        UserError: there is nothing to draw, or the file cannot be written.
    """
    from anncestry.drawings.family_tree import family_tree
    from anncestry.drawings.files import check_drawing
    from anncestry.files import write_text

    require(bool(chosen), "--svg", str(path), "nothing is left to draw")
    check_drawing(path, "--svg")
    write_text(path, family_tree(chosen, kinship(chosen, first_parent)), "--svg")
    print(f"Family tree of {len(chosen)} architectures: {path}")


def show(chosen: Sequence[Architecture], arguments: Arguments) -> None:
    """The commits in colour, or plain where the output is no terminal."""
    from rich.console import Console

    console = Console(highlight=False)
    if arguments.graph:
        show_graph(console, chosen, arguments)
        return
    for number, entry in enumerate(chosen if arguments.reverse else chosen[::-1]):
        if arguments.oneline:
            console.print(line_of(entry, arguments.name), soft_wrap=True)
        else:
            console.print(*([""] if number else []), commit(entry, arguments.name), sep="\n", soft_wrap=True)


def show_graph(console: "Console", chosen: Sequence[Architecture], arguments: Arguments) -> None:
    """A line for each commit behind the rails that join it to its parents."""
    from rich.text import Text

    from anncestry.drawings.log_graph import rails

    family = kinship(chosen, arguments.first_parent)
    entries = {entry.id: entry for entry in branch_order(chosen, family)}
    parents = {child: [kin.id for kin in several] for child, several in family.items()}
    for rail, node in rails(list(entries), parents):
        line = Text(rail, style="" if node else "dim")
        if node is not None:
            line.append(" ").append(line_of(entries[node], arguments.name))
        console.print(line, soft_wrap=True)


def line_of(entry: Architecture, head: str | None) -> "Text":
    """``1810.04805 (HEAD -> bert) 2018 BERT``."""
    from rich.text import Text

    line = Text(commit_id(entry), style="yellow")
    asked = head is not None and find(head) is entry
    if asked or entry.id != commit_id(entry):
        line.append(f" ({'HEAD -> ' if asked else ''}", style="yellow")
        line.append(entry.id, style="bold green").append(")", style="yellow")
    return line.append(f" {entry.year} {entry.name}", style="default")


def commit(entry: Architecture, head: str | None) -> "Text":
    """The whole commit: who, when, and the lines added and removed."""
    from rich.text import Text

    text = Text()
    text.append(f"commit {commit_id(entry)}", style="yellow")
    text.append(decoration(entry, head)).append("\n")
    if entry.parents[1:]:
        text.append(f"Merge:  {' '.join(entry.parents)}\n")
        for parent, idea in IDEAS.get(entry.id, {}).items():
            text.append(f"        {parent} gave: {idea}\n")
    text.append(f"Author: {authors(entry)}\nDate:   {entry.year}\nPaper:  {entry.paper}\n\n")
    text.append(f"    {entry.name}\n\n")
    added, removed, kept = changes(entry)
    for sign, style, lines in (("+", "green", added), ("-", "red", removed), (" ", "dim", kept)):
        for line in lines:
            text.append(f"    {sign} {line}\n", style=style)
    text.right_crop(1)
    return text


def decoration(entry: Architecture, head: str | None) -> "Text":
    """`` (HEAD -> bert, tag: bert-base, ...)``: the names of an entry, a preset asked for first."""
    from rich.text import Text

    asked = find_preset(head) if head else None
    presets = [preset.name for preset in entry.presets]
    tags = [asked.name] if asked is not None and asked.name in presets else []
    tags += [name for name in presets if name not in tags][: NUM_TAGS - len(tags)]
    names = [Text(name, style="bold green") for name in (entry.id, *entry.aliases)]
    if head is not None and find(head) is entry:
        names[0] = Text("HEAD -> ", style="bold cyan").append(names[0])
    names += [Text(f"tag: {name}", style="bold yellow") for name in tags]
    if more := len(presets) - len(tags):
        names.append(Text(f"{more} more preset{'s' if more > 1 else ''}", style="yellow"))
    return Text(" (", style="yellow").append(Text(", ", style="yellow").join(names)).append(")")
