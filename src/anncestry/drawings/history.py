"""The history of an architecture as commits, as text in the look of git and as a family tree. No torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from anncestry.drawings.family_tree import family_tree
from anncestry.drawings.files import check_drawing
from anncestry.drawings.log_graph import rails
from anncestry.errors import require
from anncestry.files import write_text
from anncestry.report.shown import Shown
from anncestry.timeline import Architecture, find, find_preset
from anncestry.timeline.ancestry import authors, branch_order, changes, commit_id, kinship
from anncestry.timeline.ideas import IDEAS
from anncestry.timeline.selection import as_json, history, select

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

NUM_TAGS = 3
"""Presets that a commit names; a list of all is in `anncestry list`."""
Form = Literal["commits", "oneline", "graph"]


@dataclass(frozen=True, kw_only=True, repr=False)
class Log(Shown):
    """Entries of the timeline as commits. ``str`` is what `anncestry log` prints, and a notebook shows it.

    Attributes:
        entries: parents before children.
        head: whose history it is, an architecture or a preset; None for the whole family.
        first_parent: whether main parents alone are followed.
        form: whole commits, a line for each, or such lines behind a graph of descent.
        reverse: the oldest first.
    """

    entries: tuple[Architecture, ...]
    head: str | None = None
    first_parent: bool = False
    form: Form = "commits"
    reverse: bool = False

    def ordered(self) -> tuple[Architecture, ...]:
        """The entries in the order in which they are shown: newest first, unless reversed."""
        return self.entries if self.reverse else self.entries[::-1]

    def to_json(self) -> list[dict[str, Any]]:
        """What each commit shows, with what `anncestry list` has of the entry, as plain data."""
        return [_commit_json(entry) for entry in self.ordered()]

    def show(self, console: "Console | None" = None) -> None:
        """Print the commits, in colour where the output is a terminal."""
        from rich.console import Console

        console = console or Console(highlight=False)
        if self.form == "graph":
            self._show_graph(console)
            return
        for number, entry in enumerate(self.ordered()):
            if self.form == "oneline":
                console.print(_line(entry, self.head), soft_wrap=True)
            else:
                console.print(*([""] if number else []), _commit(entry, self.head), sep="\n", soft_wrap=True)

    def _show_graph(self, console: "Console") -> None:
        """A line for each commit behind the rails that join it to its parents."""
        from rich.text import Text

        family = kinship(self.entries, self.first_parent)
        entries = {entry.id: entry for entry in branch_order(self.entries, family)}
        parents = {child: [kin.id for kin in several] for child, several in family.items()}
        for rail, node in rails(list(entries), parents):
            line = Text(rail, style="" if node else "dim")
            if node is not None:
                line.append(" ").append(_line(entries[node], self.head))
            console.print(line, soft_wrap=True)

    def svg(self) -> str:
        """The family tree of the entries."""
        return family_tree(self.entries, kinship(self.entries, self.first_parent))

    def write_svg(self, path: Path) -> None:
        """Draw the family tree of the entries into a file.

        Raises:
            UserError: there is nothing to draw, or the file cannot be written.
        """
        require(bool(self.entries), "svg", str(path), "nothing is left to draw")
        check_drawing(path, "svg")
        write_text(path, self.svg(), "svg")


def log(
    name: str | None = None,
    *,
    all: bool = False,
    forks: bool = False,
    first_parent: bool = False,
    task: str | None = None,
    kind: str | None = None,
    since: int | None = None,
    until: int | None = None,
    form: Form = "commits",
    reverse: bool = False,
) -> Log:
    """The history of an architecture as commits: what each step added, and what it removed.

    >>> anncestry.log("gru", form="oneline", first_parent=True)
    1406.1078 (HEAD -> gru) 2014 Gated recurrent unit
    lstm 2000 Long short-term memory
    lstm-1997 1997 Long short-term memory of 1997
    rnn 1990 Simple recurrent network
    mlp 1986 Multi-layer perceptron
    perceptron 1958 Perceptron
    >>> len(anncestry.log(all=True, kind="recurrent", until=2014).entries)
    10

    Args:
        name: an architecture or a preset.
        all: the whole family.
        forks: what descends from it, in place of what it descends from.
        first_parent: follow main parents only; the others gave one idea each.
        task: only what can be trained for this task.
        kind: only this branch of the family, as ``"recurrent"``.
        since, until: only these years, both ends included.
        form: ``"commits"``, ``"oneline"``, or ``"graph"``.
        reverse: the oldest first.

    Returns:
        The entries; ``str`` is the printed text, ``to_json()`` the data, ``svg()`` a picture.

    Raises:
        UserError: nothing has that name, none is given where one is needed, or a filter is unknown.
    """
    require(not (form == "graph" and reverse), "reverse", True, "a graph grows upwards only")
    entries = history(name, all=all, forks=forks, first_parent=first_parent)
    chosen = tuple(select(task, kind, since, until, among=entries))
    return Log(entries=chosen, head=name, first_parent=first_parent, form=form, reverse=reverse)


def _commit_json(entry: Architecture) -> dict[str, Any]:
    added, removed, kept = changes(entry)
    commit = {"commit": commit_id(entry), "authors": authors(entry), "ideas": IDEAS.get(entry.id, {})}
    return as_json(entry) | commit | {"added": added, "removed": removed, "kept": kept}


def _line(entry: Architecture, head: str | None) -> "Text":
    """``1810.04805 (HEAD -> bert) 2018 BERT``."""
    from rich.text import Text

    line = Text(commit_id(entry), style="yellow")
    asked = head is not None and find(head) is entry
    if asked or entry.id != commit_id(entry):
        line.append(f" ({'HEAD -> ' if asked else ''}", style="yellow")
        line.append(entry.id, style="bold green").append(")", style="yellow")
    return line.append(f" {entry.year} {entry.name}", style="default")


def _commit(entry: Architecture, head: str | None) -> "Text":
    """The whole commit: who, when, and the lines added and removed."""
    from rich.text import Text

    text = Text()
    text.append(f"commit {commit_id(entry)}", style="yellow")
    text.append(_decoration(entry, head)).append("\n")
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


def _decoration(entry: Architecture, head: str | None) -> "Text":
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
