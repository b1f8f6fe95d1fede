"""The boxes of a diagram, and what is alike made one of them.

Boxes alike up to their sizes that stand in a row become one, with their number and with ranges of sizes.
"""

import re
from dataclasses import dataclass, field
from typing import Any

ALIKE = 3
"""So many neighbours of different sizes are folded; of equal sizes, two."""
OUTPUT = "<output>"
PORT = ""
"""Stands among a box's sources for what its parent reads."""
Range = tuple[int, int]


@dataclass(kw_only=True, eq=False)
class Box:
    """A module, several alike, a place where outputs meet, or what goes into the model and comes out.

    Attributes:
        id: its step's name.
        kind: ``module``, ``add``, ``concat``, ``input`` or ``output``.
        type, detail, name: the class, its kernel and stride, and where it is in its parent.
        shape: the least and greatest size of each axis of its first output, with the batch.
        parameters: the least and the most that one of them holds, all within included.
        total: parameters of all of them.
        count: how many are folded into it.
        apart: whether these do not feed each other.
        calls: how often its parent calls it.
        children: in the order of the data.
        sources: ids of siblings whose outputs it reads, or `PORT`.
        returned: whether its parent hands on its output.
    """

    id: str
    kind: str = "module"
    type: str = ""
    detail: str = ""
    name: str = ""
    shape: tuple[Range, ...] = ()
    parameters: Range = (0, 0)
    total: int = 0
    count: int = 1
    apart: bool = False
    calls: int = 1
    children: list["Box"] = field(default_factory=list)
    sources: set[str] = field(default_factory=set)
    returned: bool = False


def _signature(box: Box, exact: bool) -> Any:
    """What boxes that are folded into one have in common."""
    inner = tuple(_signature(child, exact) for child in box.children if child.kind == "module")
    sizes = (box.detail, box.shape, box.parameters) if exact else (box.parameters[1] > 0,)
    return (box.type, sizes, box.count, inner)


def _stem(box: Box) -> str | None:
    """The name without its number at the end; None where there is none, or only that of another call."""
    found = re.fullmatch(r"(.*?)(\d+)", box.id.rpartition(".")[2])
    return found[1] if found and box.kind == "module" and "#" not in box.id else None


def folded(boxes: list[Box]) -> list[Box]:
    """Neighbours alike made one."""
    found: list[Box] = []
    place = 0
    while place < len(boxes):
        run = _run(boxes[place:])
        found.append(boxes[place] if len(run) == 1 else _merged(run))
        if len(run) > 1:
            _rename(boxes + found, {box.id for box in run}, found[-1].id)
        place += len(run)
    for box in found:
        box.sources.discard(box.id)
    return found


def _run(boxes: list[Box]) -> list[Box]:
    """The longest run of boxes alike from the first on: equal ones, or of different sizes."""
    stem = _stem(boxes[0])
    if stem is None:
        return boxes[:1]
    runs = []
    for exact in (True, False):
        wanted, length = _signature(boxes[0], exact), 1
        while (
            length < len(boxes)
            and _stem(boxes[length]) == stem
            and _signature(boxes[length], exact) == wanted
        ):
            length += 1
        runs.append(length)
    equal, alike = runs
    return boxes[: alike if alike >= ALIKE else equal]


def _rename(boxes: list[Box], old: set[str], new: str) -> None:
    for box in boxes:
        if box.sources & old:
            box.sources = (box.sources - old) | {new}


def _merged(run: list[Box]) -> Box:
    """One box for all: as the fullest of them, with ranges of sizes."""
    names = {box.id for box in run}
    last = max(run, key=lambda box: len(box.children))
    first, final = (box.id.rpartition(".")[2] for box in (run[0], run[-1]))
    number = final[len(_stem(run[-1]) or "") :]
    parts = run[0].name.split(".")
    parts[parts.index(first)] = f"{first}–{number}"
    total = sum(box.total for box in run)
    box = _ranged(run, last)
    box.name = ".".join(parts)
    box.count, box.total = len(run), total
    box.apart = not any(other.sources & names for other in run)
    box.sources = set().union(*(other.sources for other in run)) - names
    box.returned = any(other.returned for other in run)
    return box


def _ranged(run: list[Box], last: Box) -> Box:
    """The parts of the fullest box, each with the sizes of its counterparts in the others."""
    for child in last.children:
        counterparts = [
            other
            for box in run
            for other in box.children
            if (other.kind, other.name) == (child.kind, child.name)
        ]
        _ranged(counterparts, child)
    lengths = {len(box.shape) for box in run}
    if len(lengths) == 1:
        axes = zip(*(box.shape for box in run), strict=True)
        last.shape = tuple((min(a for a, _ in axis), max(b for _, b in axis)) for axis in axes)
    last.parameters = (min(b.parameters[0] for b in run), max(b.parameters[1] for b in run))
    last.total = last.parameters[1] * last.count
    details = list(dict.fromkeys(box.detail for box in run))
    last.detail = (
        details[0] if len(details) == 1 else f"{details[0]} to {details[-1].removeprefix('kernel ')}"
    )
    return last


def joined(boxes: list[Box]) -> list[Box]:
    """Additions of additions made one of several."""
    for box in list(boxes):
        readers = [other for other in boxes if box.id in other.sources]
        if (
            box.kind in ("add", "concat")
            and len(readers) == 1
            and readers[0].kind == box.kind
            and not box.returned
        ):
            readers[0].sources = (readers[0].sources - {box.id}) | box.sources
            boxes = [other for other in boxes if other is not box]
    for box in list(boxes):
        if box.kind == "add" and len(box.sources) == 1:
            for other in boxes:  # folded boxes add among themselves
                if box.id in other.sources:
                    other.sources = (other.sources - {box.id}) | box.sources
            boxes = [other for other in boxes if other is not box]
    return boxes


def shut_repeats(root: Box) -> None:
    """Leave out the parts of a box where one of the same parts, of whatever sizes, stands above it."""
    seen: set[Any] = set()

    def visit(box: Box) -> None:
        wanted = (box.type, tuple(_parts_of(child) for child in box.children))
        if box.id and wanted in seen and not any(child.count > 1 for child in box.children):
            box.children, box.detail = [], ", ".join(filter(None, (box.detail, "parts as above")))
            return
        for child in box.children:
            if child.children:
                visit(child)
        seen.add(wanted)

    visit(root)


def _parts_of(box: Box) -> Any:
    return (box.kind, box.type, tuple(map(_parts_of, box.children)))
