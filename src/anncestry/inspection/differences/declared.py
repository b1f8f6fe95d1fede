"""What the timeline says sets two architectures apart: the ideas undone and done on the way between them."""

from dataclasses import dataclass
from typing import Any

from anncestry.timeline import Architecture
from anncestry.timeline.ancestry import authors, changes, commit_id, way


@dataclass(frozen=True)
class Declared:
    """The way from one entry to another.

    Attributes:
        common: what both descend from by main parents; None where they begin at different roots.
        undone: entries whose change is taken back, youngest first.
        done: entries whose change is made, oldest first.
    """

    common: Architecture | None
    undone: tuple[Architecture, ...]
    done: tuple[Architecture, ...]

    def mirrored(self) -> "Declared":
        return Declared(self.common, self.done[::-1], self.undone[::-1])

    def to_json(self) -> dict[str, Any]:
        return {
            "common": None if self.common is None else self.common.id,
            "undone": [_commit(entry, back=True) for entry in self.undone],
            "done": [_commit(entry) for entry in self.done],
        }


def declared(a: str, b: str) -> Declared:
    """What lies between two entries.

    Raises:
        UserError: nothing has one of the names.
    """
    found = way(a, b)
    return Declared(found.common, found.up, found.down)


def _commit(entry: Architecture, back: bool = False) -> dict[str, Any]:
    """What a step on the way removes and adds, line by line; on the way back what was added goes."""
    new, gone, _ = changes(entry)
    if back:
        gone, new = new, gone
    step = {"id": entry.id, "commit": commit_id(entry), "year": entry.year, "authors": authors(entry)}
    return {**step, "paper": entry.paper, "removed": gone, "added": new}
