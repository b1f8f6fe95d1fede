"""How the entries of the timeline descend from each other. Plain data; imports no torch."""

from dataclasses import dataclass

from anncestry.timeline import TIMELINE, Architecture, find


@dataclass(frozen=True)
class Way:
    """From one entry to another by main parents: up to what both descend from, and down.

    Attributes:
        common: the youngest entry on both main lines, or None where they begin at different roots.
        up: what is undone on the way, youngest first; the first entry is where the way begins.
        down: what is done on the way, oldest first; the last entry is where it ends.
    """

    common: Architecture | None
    up: tuple[Architecture, ...]
    down: tuple[Architecture, ...]


def main_line(name: str) -> tuple[Architecture, ...]:
    """From the root to an entry, by main parents.

    Raises:
        UserError: nothing has that name.
    """
    line = [find(name)]
    while line[-1].parents:
        line.append(find(line[-1].parents[0]))
    return tuple(reversed(line))


def ancestors(name: str) -> tuple[Architecture, ...]:
    """All that an entry descends from, by any parent, and itself; parents come before children.

    Raises:
        UserError: nothing has that name.
    """
    wanted, waiting = set(), [find(name)]
    while waiting:
        entry = waiting.pop()
        if entry.id not in wanted:
            wanted.add(entry.id)
            waiting += map(find, entry.parents)
    return tuple(entry for entry in in_order() if entry.id in wanted)


def in_order() -> tuple[Architecture, ...]:
    """The whole family: by year, and parents before children within a year."""
    done: dict[str, Architecture] = {}

    def add(entry: Architecture) -> None:
        if entry.id not in done:
            for parent in entry.parents:
                add(find(parent))
            done[entry.id] = entry

    for entry in TIMELINE:
        add(entry)
    return tuple(done.values())


def way(first: str, second: str) -> Way:
    """How to come from one entry to another.

    Raises:
        UserError: nothing has one of the names.
    """
    one, other = main_line(first), main_line(second)
    shared = 0
    while shared < min(len(one), len(other)) and one[shared].id == other[shared].id:
        shared += 1
    common = one[shared - 1] if shared else None
    return Way(common, tuple(reversed(one[shared:])), other[shared:])
