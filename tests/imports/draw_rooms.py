"""Draw the rooms of the package from its real imports, as a picture and as a tree, for docs/architecture.md.

    python tests/imports/draw_rooms.py

writes docs/pictures/rooms.svg and the tree in the document. Boxes are rooms, an arrow runs from a room to one
that it imports. Left out are arrows to the modules on the ground, which every room may import, and those that
say nothing new, because a longer way leads to the same room. What a room is for is said by its docstring.
"""

import ast
from collections.abc import Mapping
from html import escape
from pathlib import Path

from house import ARROWS, FLOORS, ROOT, room

from anncestry.drawings.family_tree import FAINT, FONT, INK, LINE, PAPER, text_width
from anncestry.drawings.layered import Layout, lay_out, line_through

DOCS = Path(__file__).resolve().parents[2] / "docs"
PICTURE, DOCUMENT = DOCS / "pictures" / "rooms.svg", DOCS / "architecture.md"
FLOOR_OF = {name: floor for floor, names in enumerate(FLOORS) for name in names}
GROUND = sorted(name for floor in FLOORS[:3] for name in floor)
"""Modules beside the folders, on the three lowest floors."""
ROOMS = sorted(FLOOR_OF.keys() - {*GROUND, "__init__", "__main__"}, key=lambda name: (FLOOR_OF[name], name))
WIDTH, MARGIN, HEAD, GAP, BOX_HEIGHT = 900.0, 16.0, 64.0, 34.0, 32.0
STYLE = (
    f"text{{font-family:{FONT};fill:{INK};text-anchor:middle}}.name{{font-size:13px;font-weight:600}}"
    f".title{{font-size:16px;font-weight:600;text-anchor:start}}"
    f".note{{font-size:11px;text-anchor:start;fill:{FAINT}}}.arrow{{fill:none;stroke:{LINE};stroke-width:1.4}}"
)


def imported() -> dict[str, set[str]]:
    """The folders that each folder imports."""
    found: dict[str, set[str]] = {name: set() for name in ROOMS}
    for module, others in ARROWS.items():
        if room(module) in found:
            found[room(module)] |= {room(other) for other in others if room(other) in found} - {room(module)}
    return found


def shortest(arrows: Mapping[str, set[str]]) -> dict[str, list[str]]:
    """The arrows without those that a longer way makes needless. None of them may run in a circle."""
    below: dict[str, set[str]] = {}
    for name in ROOMS:  # from the ground up
        below[name] = set(arrows[name]).union(*(below[other] for other in arrows[name]))
    return {
        name: sorted(
            other for other in others if not any(other in below[between] for between in others - {other})
        )
        for name, others in arrows.items()
    }


def purpose(path: Path) -> str:
    """The first paragraph of what a module, or a package's folder, says it is for."""
    source = path / "__init__.py" if path.is_dir() else path
    said = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
    return " ".join(said.partition("\n\n")[0].split())


def place_of(name: str) -> Path:
    """The folder or the file of a room."""
    return ROOT / name if (ROOT / name).is_dir() else ROOT / f"{name}.py"


def tree() -> str:
    """The rooms from the roof to the ground, each with its folders, what it is for and what it imports."""
    arrows = shortest(imported())
    lines = []
    for name in [*reversed(ROOMS), *GROUND]:
        place = place_of(name)
        lines.append(f"{place.name + '/' * place.is_dir():<18}{purpose(place)}")
        for folder in sorted(path.parent for path in place.rglob("__init__.py") if path.parent != place):
            inner = folder.relative_to(place)
            lines.append(f"{'  ' * len(inner.parts) + inner.name + '/':<18}{purpose(folder)}")
        if arrows.get(name):
            lines.append(f"{'':<18}imports {', '.join(arrows[name])}")
    return "\n".join(line.rstrip() for line in lines)


def picture() -> str:
    """The whole file; the same imports give the same bytes."""
    arrows = shortest(imported())
    widths = {name: round(text_width(name, 13.0) + 26, 1) for name in ROOMS}
    floors = {name: FLOOR_OF[name] for name in ROOMS}
    layout = lay_out(floors, arrows, widths, WIDTH - 2 * MARGIN)
    row_of = {item[0]: number for number, row in enumerate(layout.rows) for item in row if len(item) == 1}
    count = len(layout.rows)
    height = _top(-1, count) + BOX_HEIGHT + MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0f} {height:.0f}" '
        f'width="{WIDTH:.0f}" height="{height:.0f}" role="img" aria-label="The rooms of anncestry">',
        "<title>The rooms of anncestry</title>",
        f"<style>{STYLE}</style>",
        f'<rect width="100%" height="100%" rx="6" fill="{PAPER}"/>',
        f'<text class="title" x="{MARGIN}" y="28">The rooms of anncestry</text>',
        f'<text class="note" x="{MARGIN}" y="46">An arrow: imports. All run down; arrows that a longer way '
        "makes needless are left out.</text>",
    ]
    parts += [_arrow(low, high, layout, row_of, count) for high, lows in arrows.items() for low in lows]
    for name in ROOMS:
        x = MARGIN + layout.middle[row_of[name]][(name,)]
        parts.append(_box(name, purpose(place_of(name)), x, _top(row_of[name], count), widths[name]))
    told = "modules that every room may import"
    parts.append(_box("  ".join(GROUND), told, WIDTH / 2, _top(-1, count), WIDTH - 2 * MARGIN))
    return "\n".join([*parts, "</svg>", ""])


def _top(row: int, count: int) -> float:
    """The upper edge of a row; rows are counted from the ground."""
    return HEAD + (count - 1 - row) * (BOX_HEIGHT + GAP)


def _arrow(low: str, high: str, layout: Layout, row_of: Mapping[str, int], count: int) -> str:
    """From a room down to one that it imports: curves between the rows, straight through those it passes."""
    first, last = row_of[low], row_of[high]
    items = [line_through((low, high), row, row_of) for row in range(first, last + 1)]
    places = [MARGIN + layout.middle[row][item] for row, item in enumerate(items, first)]
    path = f"M{places[-1]:.1f} {_top(last, count) + BOX_HEIGHT}"
    for row in range(last - 1, first - 1, -1):
        x, before, y = places[row - first], places[row - first + 1], _top(row, count)
        path += f"C{before:.1f} {y - GAP / 2} {x:.1f} {y - GAP / 2} {x:.1f} {y}"
        path += f"V{y + BOX_HEIGHT}" if row > first else ""
    x, y = places[0], _top(first, count)
    head = f'<path fill="{LINE}" d="M{x - 4:.1f} {y - 7}L{x:.1f} {y}L{x + 4:.1f} {y - 7}Z"/>'
    return f'<path class="arrow" d="{path}"><title>{high} imports {low}</title></path>{head}'


def _box(name: str, told: str, x: float, y: float, width: float) -> str:
    return (
        f'<g><title>{escape(told)}</title><rect x="{x - width / 2:.1f}" y="{y}" width="{width}" '
        f'height="{BOX_HEIGHT}" rx="6" fill="#eef2f7" stroke="{LINE}"/>'
        f'<text class="name" x="{x:.1f}" y="{y + 20.5}">{escape(name)}</text></g>'
    )


def with_tree(document: str) -> str:
    """The document with today's tree in the place of the one that it holds."""
    before, fence, rest = document.partition("```text\n")
    _, end, after = rest.partition("```\n")
    return f"{before}{fence}{tree()}\n{end}{after}"


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
    DOCUMENT.write_text(with_tree(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
