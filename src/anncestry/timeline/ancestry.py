"""How the entries of the timeline descend from each other. Plain data; imports no torch."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from anncestry.timeline import TIMELINE, Architecture, find

_NAME = r"(?:[a-z]+ )*[A-Z][\w'-]+"
_AUTHORS = re.compile(rf"{_NAME}(?:, {_NAME})* & {_NAME}|{_NAME}(?: et al\.)?")
_ARXIV = re.compile(r"\b\d{4}\.\d{4,5}\b")


class Kin(NamedTuple):
    """An entry that another descends from.

    Attributes:
        id: of the elder one.
        main: whether the line from it goes by main parents alone.
    """

    id: str
    main: bool


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


def descendants(name: str) -> tuple[Architecture, ...]:
    """An entry and all that descend from it, by any parent; parents come before children.

    Raises:
        UserError: nothing has that name.
    """
    found = {find(name).id}
    chosen = []
    for entry in in_order():
        if entry.id in found or found.intersection(entry.parents):
            found.add(entry.id)
            chosen.append(entry)
    return tuple(chosen)


def kinship(entries: Collection[Architecture], first_parent: bool = False) -> dict[str, tuple[Kin, ...]]:
    """Whom of the entries each of them descends from, nearest first where its own parents are not among them.

    Args:
        entries: some of the timeline.
        first_parent: by main parents only.
    """
    here = {entry.id for entry in entries}

    @cache
    def nearest(entry_id: str) -> dict[str, bool]:
        """The nearest elders of an entry among those here, and whether each is on its main line."""
        found: dict[str, bool] = {}
        parents = find(entry_id).parents
        for number, parent in enumerate(parents[:1] if first_parent else parents):
            for elder, main in {parent: True}.items() if parent in here else nearest(parent).items():
                found[elder] = found.get(elder, False) or (main and number == 0)
        return found

    elders = {entry.id: {elder.id for elder in ancestors(entry.id)} - {entry.id} for entry in entries}
    family: dict[str, tuple[Kin, ...]] = {}
    for entry in entries:
        found = nearest(entry.id)
        # Of those that stand in for a missing parent, one that another descends from adds nothing.
        family[entry.id] = tuple(
            Kin(elder, main)
            for elder, main in found.items()
            if elder in entry.parents or main or not any(elder in elders[other] for other in found)
        )
    return family


def changes(entry: Architecture) -> tuple[list[str], list[str], list[str]]:
    """What an entry adds, what it removes, and what it says that it keeps, a line each.

    Only semicolons part lines: a comma may stand within a thought.
    """
    nothing, kept = re.match(r"nothing\b[:;]?\s*", entry.removes), []
    removed = entry.removes.split("; ")
    if nothing:
        removed, kept = [], list(filter(None, [entry.removes[nothing.end() :]]))
    return entry.adds.split("; "), removed, kept


def authors(entry: Architecture) -> str:
    """Who wrote the paper: the surnames it begins with."""
    match = _AUTHORS.match(entry.paper)
    assert match is not None, entry.paper
    return match[0]


def commit_id(entry: Architecture) -> str:
    """The arXiv number of its (first) paper, or its own id where the paper has none."""
    match = _ARXIV.search(entry.paper.split("; ")[0])
    return match[0] if match else entry.id


def branch_order(entries: Sequence[Architecture], family: dict[str, tuple[Kin, ...]]) -> list[Architecture]:
    """Children before parents, and one line of descent to its end before the next one, as far as that goes.

    Args:
        entries: parents before children.
        family: their `kinship`.
    """
    by_id = {entry.id: entry for entry in entries}
    waiting = dict.fromkeys(by_id, 0)
    for kin in (kin for several in family.values() for kin in several):
        waiting[kin.id] += 1
    ready = [entry for entry in entries if not waiting[entry.id]]
    ordered = []
    while ready:
        entry = ready.pop()
        ordered.append(entry)
        for kin in reversed(family[entry.id]):  # the main parent is taken up first
            waiting[kin.id] -= 1
            if not waiting[kin.id]:
                ready.append(by_id[kin.id])
    return ordered


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
