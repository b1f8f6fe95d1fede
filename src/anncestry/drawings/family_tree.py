"""The family tree as one picture: an SVG that needs nothing else. Time runs down; a colour is a kind."""

from collections.abc import Mapping, Sequence
from html import escape

from anncestry.drawings.layered import Layout, lay_out, line_through
from anncestry.timeline import Architecture, kind_of
from anncestry.timeline.ancestry import Kin
from anncestry.timeline.ideas import IDEAS

COLOURS = {
    "feed-forward": "#6b7280",
    "convolutional": "#0072b2",
    "generative": "#8c6bb1",
    "recurrent": "#009e73",
    "temporal": "#56b4e9",
    "sequence-to-sequence": "#e69f00",
    "transformer": "#d55e00",
    "pre-trained": "#cc79a7",
}
"""Of the kinds, told apart with any colour vision: after Okabe and Ito."""
INK, FAINT, PAPER, LINE = "#1c1e21", "#5f6670", "#ffffff", "#7d858f"
WIDTH, AXIS, MARGIN = 1000.0, 78.0, 16.0
BOX_HEIGHT, ROW_GAP, HEAD = 48.0, 30.0, 86.0
NAME_SIZE, SMALL_SIZE, LINE_HEIGHT = 11.5, 9.5, 13.0
MAX_LINE = 17  # letters of a name on a line; there are two
FONT = "Helvetica, Arial, 'DejaVu Sans', sans-serif"
STYLE = (
    f"text{{font-family:{FONT};fill:{INK}}}.name{{font-size:{NAME_SIZE}px;font-weight:600;text-anchor:middle}}"
    f".id{{font-size:{SMALL_SIZE}px;text-anchor:middle;fill:{FAINT}}}"
    f".year{{font-size:11px;text-anchor:end;fill:{FAINT}}}.note{{font-size:11px}}.title{{font-size:18px;"
    f"font-weight:600}}.main,.idea{{fill:none;stroke:{LINE}}}.main{{stroke-width:1.6}}"
    f".idea{{stroke-width:1;stroke-dasharray:3 3}}.rule{{stroke:#e6e8eb;stroke-width:1}}"
)


def family_tree(entries: Sequence[Architecture], family: Mapping[str, Sequence[Kin]]) -> str:
    """The whole file; the same entries give the same bytes.

    Args:
        entries: what to draw, at least one; parents before children.
        family: `anncestry.timeline.ancestry.kinship` of them.
    """
    lines = {entry.id: name_lines(entry) for entry in entries}
    widths = {entry.id: _box_width(entry, lines[entry.id]) for entry in entries}
    years = {entry.id: entry.year for entry in entries}
    parents = {child: [kin.id for kin in several] for child, several in family.items()}
    layout = lay_out(years, parents, widths, WIDTH - AXIS - MARGIN)
    row_of = {item[0]: number for number, row in enumerate(layout.rows) for item in row if len(item) == 1}
    height = _top(len(layout.rows)) - ROW_GAP + MARGIN
    title = _title(entries)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0f} {height:.0f}" '
        f'width="{WIDTH:.0f}" height="{height:.0f}" role="img" aria-label="{escape(title, quote=True)}">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        f'<rect width="100%" height="100%" rx="6" fill="{PAPER}"/>',
        *_head(title, entries),
        *_axis(layout, years),
    ]
    for main in (False, True):  # the main lines lie above the others
        parts += [
            _edge(kin, child, layout, row_of)
            for child, several in family.items()
            for kin in several
            if kin.main is main
        ]
    for entry in entries:
        middle = layout.middle[row_of[entry.id]][(entry.id,)]
        parts.append(_box(entry, lines[entry.id], AXIS + middle, _top(row_of[entry.id]), widths[entry.id]))
    return "\n".join([*parts, "</svg>", ""])


def _title(entries: Sequence[Architecture]) -> str:
    first, last = min(entry.year for entry in entries), max(entry.year for entry in entries)
    if len(entries) == 1:
        return f"{entries[0].name}, {first}"
    when = f"{first} to {last}" if first < last else f"{first}"
    return f"The family tree of {len(entries)} architectures, {when}"


def name_lines(entry: Architecture) -> list[str]:
    """The name without what is in brackets, on two lines where one is too narrow."""
    name = entry.name.partition(" (")[0]
    if len(name) <= MAX_LINE:
        return [name]
    spaces = [place for place, letter in enumerate(name) if letter == " "]
    if not spaces:
        return [name]
    middle = min(spaces, key=lambda place: max(place, len(name) - place - 1))
    return [name[:middle], name[middle + 1 :]]


def text_width(text: str, size: float) -> float:
    """What a text takes at most in the wider ones of the fonts; they are not at hand to be measured."""
    ems = {"narrow": 0.4, "wide": 1.05, "capital": 0.78, "usual": 0.68}
    kinds = ("narrow" if c in "ijltfI .,:'|-()" else "wide" if c in "mwMW" else "usual" for c in text)
    return size * sum(
        ems["capital" if c.isupper() and k == "usual" else k] for c, k in zip(text, kinds, strict=True)
    )


def _box_width(entry: Architecture, lines: Sequence[str]) -> float:
    names = max(text_width(line, NAME_SIZE) for line in lines)
    return round(max(names, text_width(_below(entry), SMALL_SIZE)) + 12, 1)


def _below(entry: Architecture) -> str:
    return f"{entry.id} · {entry.year}"


def _top(row: int) -> float:
    return HEAD + row * (BOX_HEIGHT + ROW_GAP)


def _head(title: str, entries: Sequence[Architecture]) -> list[str]:
    """The title, and below it what colours and lines mean."""
    parts = [f'<text class="title" x="{MARGIN}" y="30">{escape(title)}</text>', _line_legend()]
    x, y = MARGIN, 48.0
    for kind in dict.fromkeys(map(kind_of, entries)):
        colour = COLOURS[kind]
        parts.append(
            f'<rect x="{x:.1f}" y="{y}" width="14" height="12" rx="3" fill="{colour}" fill-opacity="0.16" '
            f'stroke="{colour}"/><text class="note" x="{x + 19:.1f}" y="{y + 10}">{kind}</text>'
        )
        x += 19 + text_width(kind, 11) + 10
    return parts


def _line_legend() -> str:
    parts, x = [], 0.0
    for style, meaning in (("main", "from the main parent"), ("idea", "one idea from another")):
        parts.append(f'<path class="{style}" d="M{x:.1f} 0h30"/>')
        parts.append(f'<text class="note" x="{x + 36:.1f}" y="4">{meaning}</text>')
        x += 36 + text_width(meaning, 11) + 8
    return f'<g transform="translate({WIDTH - MARGIN - x + 8:.1f} 25)">{"".join(parts)}</g>'


def _axis(layout: Layout, years: Mapping[str, int]) -> list[str]:
    """A thin rule and the years of every row."""
    parts = []
    for number, row in enumerate(layout.rows):
        here = [years[item[0]] for item in row if len(item) == 1]
        first, last = min(here), max(here)
        label = str(first) if first == last else f"{first}\N{EN DASH}{last}"
        y = _top(number) + BOX_HEIGHT / 2
        parts.append(
            f'<text class="year" x="{AXIS - 10}" y="{y + 4}">{label}</text>'
            f'<path class="rule" d="M{AXIS} {y}H{WIDTH - MARGIN}"/>'
        )
    return parts


def _edge(kin: Kin, child: str, layout: Layout, row_of: Mapping[str, int]) -> str:
    """A line from a box down to another: curves between the rows, and straight through those it passes."""
    first, last = row_of[kin.id], row_of[child]
    items = [line_through((kin.id, child), row, row_of) for row in range(first, last + 1)]
    places = [AXIS + layout.middle[row][item] for row, item in enumerate(items, first)]
    if not kin.main:  # beside the main parent's line, on the side that it comes from
        places[-1] += max(-12.0, min(12.0, places[-2] - places[-1]))
    path = f"M{places[0]:.1f} {_top(first) + BOX_HEIGHT}"
    for row, x in enumerate(places[1:], first + 1):
        y = _top(row)
        path += f"C{places[row - first - 1]:.1f} {y - ROW_GAP / 2} {x:.1f} {y - ROW_GAP / 2} {x:.1f} {y}"
        path += f"V{y + BOX_HEIGHT}" if row < last else ""
    idea = IDEAS.get(child, {}).get(kin.id, "")
    about = f"{kin.id} to {child}" + (f": {idea}" if idea else "")
    style = "main" if kin.main else "idea"
    return f'<path class="{style}" id="{kin.id}--{child}" d="{path}"><title>{escape(about)}</title></path>'


def _box(entry: Architecture, lines: Sequence[str], x: float, y: float, width: float) -> str:
    colour = COLOURS[kind_of(entry)]
    place = f'x="{x - width / 2:.1f}" y="{y}" width="{width}" height="{BOX_HEIGHT}" rx="6"'
    about = f"{entry.name} ({entry.year})\n+ {entry.adds}\n- {entry.removes}"
    baseline = y + BOX_HEIGHT / 2 - LINE_HEIGHT * len(lines) / 2 + 3.5
    texts = "".join(
        f'<text class="name" x="{x:.1f}" y="{baseline + LINE_HEIGHT * number}">{escape(line)}</text>'
        for number, line in enumerate(lines)
    )
    below = baseline + LINE_HEIGHT * len(lines)
    return (
        f'<g id="{entry.id}"><title>{escape(about)}</title><rect {place} fill="{PAPER}"/>'
        f'<rect {place} fill="{colour}" fill-opacity="0.16" stroke="{colour}"/>'
        f'{texts}<text class="id" x="{x:.1f}" y="{below}">{escape(_below(entry))}</text></g>'
    )
