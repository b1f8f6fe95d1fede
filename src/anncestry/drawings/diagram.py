"""The drawing of an architecture from the boxes of its modules: the data runs from the top to the bottom.

Boxes are modules, boxes in boxes their parts; a plus in a circle adds, two bars join side by side.
"""

from collections.abc import Iterable
from html import escape

from anncestry.drawings.folding import PORT, Box, Range, shut_repeats
from anncestry.drawings.layout import (
    PAD,
    RAIL,
    TITLE,
    WIDTH,
    Place,
    open_at,
    place,
    shortened,
    text_width,
)
from anncestry.timeline import Architecture

MARGIN, HEADER = 20, 90
TALLEST = 2500
"""Pixels; what would be higher is drawn with fewer boxes in boxes."""
DEPTH = 9
FONT = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
INK, FAINT, PAPER, LINE_COLOUR, ACCENT = "#1c1e21", "#5c636b", "#ffffff", "#6b7280", "#9a3412"
OUTER = ("#f7f8fa", "#eef0f4")  # behind parts, level by level
FILLS = (
    (("Embedding", "Positions", "Sinusoidal", "Learned", "Words"), "#fbdfe6"),
    (("Norm",), "#fbf3c6"),
    (("Conv",), "#d7e9fb"),
    (("Cell", "Unrolled"), "#d9f0dc"),
    (("Attention", "Additive", "Score"), "#fde2c8"),
    (("Linear", "Readout"), "#e2e0f7"),
)
TYPE_SIZE, SMALL = 12.5, 11.0
LEGEND = "A box: its type, its name in the model, the shape of its output for one example · its parameters."


def drawing(architecture: Architecture, root: Box) -> str:
    """The drawing as SVG: the same text for the same boxes.

    Args:
        root: the whole model; its boxes are changed where they do not all fit in.
    """
    depth = DEPTH
    whole = _placed(root, depth)
    if whole.bottom + MARGIN > TALLEST:
        shut_repeats(root)
        whole = _placed(root, depth)
    while whole.bottom + MARGIN > TALLEST and depth > 1:
        depth -= 1
        whole = _placed(root, depth)
    height = round(whole.bottom + MARGIN)
    parts = [*_header(architecture, root), *_parts(whole, depth, 0)]
    label = escape(f"The modules of {architecture.name}", quote=True)
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" role="img" aria-label="{label}" font-family="{FONT}" fill="{INK}">'
    )
    arrow = (
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        f'orient="auto"><path d="M0,0.5 L8,4 L0,7.5 Z" fill="{LINE_COLOUR}"/></marker></defs>'
    )
    paper = f'<rect class="paper" width="{WIDTH}" height="{height}" fill="{PAPER}"/>'
    return "\n".join([opening, arrow, paper, *parts, "</svg>"]) + "\n"


def _placed(root: Box, depth: int) -> Place:
    return place(root, MARGIN - PAD, HEADER - TITLE, WIDTH - 2 * (MARGIN - PAD), depth)


def _header(architecture: Architecture, root: Box) -> Iterable[str]:
    room = WIDTH - 2 * MARGIN
    total = f"{root.total:,} parameters"
    left = room - text_width(total, 14, bold=True) - 20
    name = shortened(f"{architecture.name} ({architecture.year})", 19, left, bold=True)
    yield _text(MARGIN, 32, name, 19, bold=True)
    yield _text(WIDTH - MARGIN, 32, total, 14, bold=True, end=True)
    yield _text(MARGIN, 52, shortened(architecture.paper, SMALL, room), SMALL, FAINT)
    yield _text(MARGIN, 69, LEGEND, SMALL, FAINT)


def _parts(where: Place, depth: int, level: int) -> Iterable[str]:
    """A box, its parts and the lines between them; the root has no frame."""
    box = where.box
    if box.kind in ("add", "concat"):
        yield _meeting(where)
        return
    if level:
        yield "<g>"
        yield _frame(where, _fill(box) if not open_at(box, depth) else OUTER[level % 2])
        yield from _labels(where, open_at(box, depth))
    if open_at(box, depth):
        for row in where.rows:
            for part in row:
                yield from _parts(part, depth - 1, level + 1)
        yield from _lines(where)
    if level:
        yield "</g>"


def _frame(where: Place, fill: str) -> str:
    box = where.box
    round_ends = where.height / 2 if box.kind in ("input", "output") else 6
    kind = "box" if box.kind == "module" else box.kind
    return (
        f'<rect class="{kind}" x="{where.x:.1f}" y="{where.y:.1f}" width="{where.width:.1f}" '
        f'height="{where.height:.1f}" rx="{round_ends:g}" fill="{fill}" stroke="#8b93a0"/>'
    )


def _fill(box: Box) -> str:
    if box.kind != "module":
        return PAPER
    return next((fill for words, fill in FILLS if any(word in box.type for word in words)), "#e9ecef")


def _meeting(where: Place) -> str:
    x, y, r = where.centre, where.y + where.height / 2, where.height / 2 - 2
    signs = {"add": ((-6, 0, 6, 0), (0, -6, 0, 6)), "concat": ((-3, -6, -3, 6), (3, -6, 3, 6))}
    title = {"add": "added", "concat": "joined side by side"}[where.box.kind]
    strokes = "".join(
        f'<path d="M{x + a:.1f},{y + b:.1f} L{x + c:.1f},{y + d:.1f}" stroke="{INK}" stroke-width="1.5"/>'
        for a, b, c, d in signs[where.box.kind]
    )
    circle = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r:g}" fill="{PAPER}" stroke="{INK}"/>'
    return f"<g><title>{title}</title>{circle}{strokes}</g>"


def _labels(where: Place, opened: bool) -> Iterable[str]:
    """Type, kernel, number and name on the left; shape and parameters on the right, or below."""
    box, room, y = where.box, where.width - 20, where.y + 19
    if box.kind != "module":
        text = shortened(f"{box.type} {_shape(box)}".strip(), SMALL, room)
        yield _text(where.centre, y, text, SMALL, middle=True)
        return
    sizes = _sizes(box)
    one_line = opened or where.height < 40
    if one_line:
        sizes = shortened(sizes, SMALL, room * 0.55)
        yield _text(where.x + where.width - 10, y, sizes, SMALL, FAINT, end=True)
        room -= text_width(sizes, SMALL) + 12
    else:
        yield _text(where.x + 10, where.y + 37, shortened(sizes, SMALL, room), SMALL, FAINT)
    x = where.x + 10
    number = f"× {box.count}" if box.count > 1 else f"{box.calls} times" if 1 < box.calls <= 100 else ""
    for text, size, colour, bold in (
        (box.type, TYPE_SIZE, INK, True),
        (number, TYPE_SIZE, ACCENT, True),
        (box.detail, SMALL, INK, False),
        (box.name, SMALL, FAINT, False),
    ):
        shown = shortened(text, size, room, bold) if room > 14 else ""
        if shown and (shown == text or len(shown) > 3):
            yield _text(x, y, shown, size, colour, bold=bold)
            taken = text_width(shown, size, bold) + 7
            x, room = x + taken, room - taken


def _sizes(box: Box) -> str:
    numbers = ""
    if box.total:
        numbers = _range(box.parameters)
        numbers += f" each, {box.total:,}" if box.count > 1 else ""
    return " · ".join(filter(None, (_shape(box), numbers)))


def _shape(box: Box) -> str:
    return (
        "×".join(map(_range, box.shape))
        if all(a == b for a, b in box.shape)
        else " × ".join(_range(axis) for axis in box.shape)
    )


def _range(sizes: Range) -> str:
    return f"{sizes[0]:,}" if sizes[0] == sizes[1] else f"{sizes[0]:,}–{sizes[1]:,}"


def _lines(where: Place) -> Iterable[str]:
    """The arrows between the parts of a box, and from its upper edge."""
    numbers = {part.box.id: number for number, row in enumerate(where.rows) for part in row}
    found = {part.box.id: part for row in where.rows for part in row}
    right = where.x + where.width - PAD - RAIL * (max(where.rails.values(), default=-1) + 1)
    for part in found.values():
        for source in sorted(part.box.sources):
            if source != PORT and source not in found:
                continue
            start = found.get(source)
            rail = where.rails.get((source, part.box.id))
            if rail is None:
                same_row = start is not None and numbers[source] == numbers[part.box.id]
                if not same_row:
                    yield _short(where, start, part, where.rows[numbers[part.box.id]])
            else:
                x = right + RAIL * (rail + 0.7)
                lasts = (
                    start is not None and where.rows[numbers[source]][-1] is start,
                    where.rows[numbers[part.box.id]][-1] is part,
                )
                yield _long(where, start, part, x, where.rows, numbers, lasts)


def _short(where: Place, start: Place | None, end: Place, row: list[Place]) -> str:
    """From one row to the next: straight down where the boxes stand above each other."""
    top = where.y + TITLE - 4 if start is None else start.bottom
    left, right = (where.x, where.x + where.width) if start is None else (start.x, start.x + start.width)
    x = where.centre if start is None else start.centre
    if start is None or not end.x + 8 <= x <= end.x + end.width - 8:
        x = end.centre if left + 8 <= end.centre <= right - 8 else x
    if end.x <= x <= end.x + end.width and (end.box.kind == "module" or abs(x - end.centre) < 3):
        return _path([(x, top), (x, end.y)])
    lane = min(part.y for part in row) - 9
    return _path([(x, top), (x, lane), (end.centre, lane), (end.centre, end.y)])


def _long(
    where: Place, start: Place | None, end: Place, x: float, rows: list[list[Place]],
    numbers: dict[str, int], lasts: tuple[bool, bool],
) -> str:  # fmt: skip
    """Past other rows, in a column at the right."""
    if start is None:
        lane = where.y + TITLE
        points = [(where.centre, lane), (x, lane)]
    elif lasts[0]:
        y = start.bottom - min(10, start.height / 2)
        points = [(start.x + start.width - (2 if start.box.kind != "module" else 0), y), (x, y)]
    else:
        lane = max(part.bottom for part in rows[numbers[start.box.id]]) + 5
        points = [(start.centre + 6, start.bottom), (start.centre + 6, lane), (x, lane)]
    if lasts[1]:
        y = end.y + min(10 if end.box.kind == "module" else 99, end.height / 2)
        points += [(x, y), (end.x + end.width, y)]
    else:
        lane = min(part.y for part in rows[numbers[end.box.id]]) - 9
        points += [(x, lane), (end.centre + 6, lane), (end.centre + 6, end.y)]
    return _path(points)


def _path(points: list[tuple[float, float]]) -> str:
    text = " L".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return (
        f'<path d="M{text}" fill="none" stroke="{LINE_COLOUR}" stroke-width="1.2" marker-end="url(#arrow)"/>'
    )


def _text(
    x: float, y: float, text: str, size: float, colour: str = INK, *, bold: bool = False, end: bool = False,
    middle: bool = False,
) -> str:  # fmt: skip
    anchor = ' text-anchor="end"' if end else ' text-anchor="middle"' if middle else ""
    weight = ' font-weight="bold"' if bold else ""
    shown = escape(text, quote=False)
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" fill="{colour}"{anchor}{weight}>{shown}</text>'
    )
