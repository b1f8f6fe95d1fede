"""Where the boxes of a diagram lie: rows by what feeds what, boxes in boxes, all in pixels."""

from dataclasses import dataclass, field

from anncestry.drawings.folding import PORT, Box

WIDTH = 820
PAD, GAP, BESIDE = 14, 20, 14  # within a box, between rows, between neighbours
TITLE, LINE, TWO_LINES, DOT = 28, 30, 46, 26  # heights: of a title, of a leaf, of a narrow one, of a meeting
NARROW = 440
"""Pixels below which a leaf has its sizes on a second line."""
LEAST, LEAST_OUTER = 184, 220
RAIL = 11
"""Pixels between the lines that pass by."""

_WIDTHS = {
    **dict.fromkeys("ijl.,:;'|!()[]·ft ", 0.38), **dict.fromkeys("mwMW%@…→", 0.98),
    **dict.fromkeys("ABCDEGHKNOPQRUVXY&", 0.74), **dict.fromkeys("0123456789", 0.64),
    **dict.fromkeys("FILJSTZ_-", 0.6), "–": 0.52, "×": 0.84, "r": 0.43,
}  # fmt: skip


def text_width(text: str, size: float, bold: bool = False) -> float:
    """Pixels that a line of text takes: the widths of DejaVu Sans, which is wider than most."""
    return sum(_WIDTHS.get(letter, 0.63) for letter in text) * size * (1.12 if bold else 1.0)


def shortened(text: str, size: float, room: float, bold: bool = False) -> str:
    """The text, or as much of both its ends as there is room for."""
    if text_width(text, size, bold) <= room:
        return text
    for kept in range(len(text) - 1, 0, -1):
        tail = kept // 2
        short = text[: kept - tail].rstrip() + "…" + text[len(text) - tail :].lstrip()
        if text_width(short, size, bold) <= room:
            return short
    return ""


@dataclass(kw_only=True, eq=False)
class Place:
    """A box and its rectangle; ``rows`` are its parts', ``rails`` columns of lines beside them."""

    box: Box
    x: float = 0
    y: float = 0
    width: float = 0
    height: float = 0
    rows: list[list["Place"]] = field(default_factory=list)
    rails: dict[tuple[str, str], int] = field(default_factory=dict)

    @property
    def centre(self) -> float:
        return self.x + self.width / 2

    @property
    def bottom(self) -> float:
        return self.y + self.height


def place(box: Box, x: float, y: float, width: float, depth: int) -> Place:
    """The box and its parts, up to so many boxes in boxes; the root (depth as given) has no frame.

    Args:
        x, y: of its upper left corner.
        width: it has.
        depth: levels of parts that are drawn.
    """
    here = Place(box=box, x=x, y=y, width=width)
    if not open_at(box, depth):
        here.height = _leaf_height(box, width)
        return here
    levels = _levels(box.children)
    rows = _rows(box.children, levels, width - 2 * PAD - _rails_of(box, levels)[1] * RAIL, depth - 1)
    numbers = {part.id: number for number, row in enumerate(rows) for part in row}
    here.rails, count = _rails(box.children, numbers)
    inner = width - 2 * PAD - count * RAIL
    top = y + TITLE + GAP - 8
    for row in rows:
        left, placed = x + PAD, []
        for part, share in zip(row, _shares(row, inner, depth - 1), strict=True):
            placed.append(place(part, left, top, share, depth - 1))
            left += share + BESIDE
        total = left - BESIDE - x - PAD
        tallest = max(part.height for part in placed)
        for part in placed:
            shift(part, (inner - total) / 2, (tallest - part.height) / 2)
        here.rows.append(placed)
        top += tallest + GAP
    here.height = top - GAP + PAD - y
    return here


def open_at(box: Box, depth: int) -> bool:
    """Whether a box is drawn with its parts."""
    return bool(box.children) and depth > 0


def shift(part: Place, dx: float, dy: float) -> None:
    """Move a box with all in it."""
    part.x, part.y = part.x + dx, part.y + dy
    for row in part.rows:
        for inner in row:
            shift(inner, dx, dy)


def _leaf_height(box: Box, width: float) -> float:
    if box.kind in ("add", "concat"):
        return DOT
    return LINE if width >= NARROW or box.kind in ("input", "output") else TWO_LINES


def _levels(parts: list[Box]) -> dict[str, int]:
    """How far from the start each part is: as late as what it feeds allows."""
    early: dict[str, int] = {}
    for part in parts:
        early[part.id] = max((early[s] + 1 for s in part.sources if s in early), default=0)
    last = max(early.values(), default=0)
    late: dict[str, int] = {}
    for part in reversed(parts):
        readers = [late[other.id] - 1 for other in parts if part.id in other.sources and other.id in late]
        late[part.id] = min(readers) if readers else (last if part.returned else early[part.id])
    first = [part for part in parts if part.kind == "input"]
    if first:
        late[first[0].id] = 0
    return late


def least_width(box: Box, depth: int) -> float:
    """The pixels a box needs at least."""
    if box.kind in ("add", "concat"):
        return DOT
    if not open_at(box, depth):
        return LEAST
    levels = _levels(box.children)
    rows = [[p for p in box.children if levels[p.id] == level] for level in sorted(set(levels.values()))]
    # Neighbours may be set below each other, so that the widest part alone counts.
    widest = max(max(least_width(part, depth - 1) for part in row) for row in rows)
    return max(LEAST_OUTER, widest + 2 * PAD + _rails_of(box, levels)[1] * RAIL)


def _rows(parts: list[Box], levels: dict[str, int], room: float, depth: int) -> list[list[Box]]:
    """The parts of each level side by side, as many as there is room for."""
    rows: list[list[Box]] = []
    for level in sorted(set(levels.values())):
        row: list[Box] = []
        for part in (part for part in parts if levels[part.id] == level):
            needed = sum(least_width(other, depth) + BESIDE for other in row) + least_width(part, depth)
            if row and needed > room:
                rows.append(row)
                row = []
            row.append(part)
        rows.append(row)
    return rows


def _shares(row: list[Box], room: float, depth: int) -> list[float]:
    """The width of each box of a row: what it needs, and its part of what is left."""
    least = [least_width(part, depth) for part in row]
    spare = room - sum(least) - BESIDE * (len(row) - 1)
    growing = [part for part in row if part.kind not in ("add", "concat", "input", "output")]
    opened = [part for part in growing if open_at(part, depth)] or growing
    return [
        width + (max(0.0, spare) / len(opened) if part in opened else 0)
        for part, width in zip(row, least, strict=True)
    ]


def _rails_of(box: Box, levels: dict[str, int]) -> tuple[dict[tuple[str, str], int], int]:
    order = sorted(set(levels.values()))
    return _rails(box.children, {name: order.index(level) for name, level in levels.items()})


def _rails(parts: list[Box], rows: dict[str, int]) -> tuple[dict[tuple[str, str], int], int]:
    """A column for every arrow that passes a row, by (source, target); and how many columns there are."""
    wanted = []
    for part in parts:
        for source in sorted(part.sources):
            start = -1 if source == PORT else rows.get(source)
            if start is not None and rows[part.id] > start + 1:
                wanted.append((rows[part.id] - start, start, rows[part.id], source, part.id))
    rails: dict[tuple[str, str], int] = {}
    taken: list[list[tuple[int, int, str]]] = []
    for _, start, end, source, target in sorted(wanted):
        for number in range(len(taken) + 1):
            if number == len(taken):
                taken.append([])
            # Arrows of the same source may share a column.
            if all(end <= a or b <= start or other == source for a, b, other in taken[number]):
                taken[number].append((start, end, source))
                rails[source, target] = number
                break
    return rails, len(taken)
