"""The attention weights of each head of a layer, and of all heads of all layers at a glance."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from anncestry.report.inside.alignments import SMALLEST, heat_map
from anncestry.report.page import section, shell

SIDE = 84  # pixels of the longer side of a small map
LEVELS = 16  # shades of a small map: one path each, in place of a rectangle for each weight
SHADES = "The stronger a square, the larger the weight; the weights of a row have the sum 1, and those below "
SHADES += f"{SMALLEST} are left blank. Under each head, in brackets, its largest mean weight."
SMALL_SHADES = "Each small map is one head, with the shades of square roots, so that small weights are seen. "
SMALL_SHADES += "Below it, its number, and to how many tokens it attends on average."


@dataclass(frozen=True, kw_only=True)
class Heads:
    """The heads of one attention.

    Attributes:
        title: of its part of the page, or of its line among others.
        about: what rows and columns are.
        rows: (T,) labels of queries.
        columns: (S,) labels of keys.
        numbers: (h,) of the heads.
        weights: (h, T, S) from 0 to 1.
        effective_keys: (h,) to how many keys each attends on average.
        notes: (h,) what else there is to say of each.
    """

    title: str
    about: str
    rows: Sequence[str]
    columns: Sequence[str]
    numbers: Sequence[int]
    weights: np.ndarray
    effective_keys: Sequence[float]
    notes: Sequence[str]


def attention_page(
    title: str,
    facts: Sequence[str],
    parts: Sequence[Heads],
    overview: Sequence[tuple[str, Sequence[Heads]]] = (),
) -> str:
    """The whole file.

    Args:
        facts: sentences at the top.
        parts: what is drawn large.
        overview: of each kind of attention its name and its layers, drawn small.
    """
    content = f'<p class="lead">{escape(facts[0])}</p>\n<p>{escape(" ".join(facts[1:]))}</p>\n'
    if overview:
        grids = "".join(_grid(name, layers) for name, layers in overview)
        grids = f'<div style="display: flex; flex-wrap: wrap; gap: 0 3rem">\n{grids}</div>'
        content += section("overview", "All heads at a glance", f"<p>{escape(SMALL_SHADES)}</p>\n{grids}")
    for number, part in enumerate(parts, 1):
        style = "display: flex; flex-wrap: wrap; gap: 2rem; align-items: flex-start"
        figures = "".join(map(_figure, _captions(part), part.weights, [part] * len(part.weights)))
        about = f"<p>{escape(part.about)}{escape('' if number > 1 else f' {SHADES}')}</p>\n"
        content += section(f"part-{number}", part.title, f'{about}<div style="{style}">\n{figures}</div>')
    return shell(title, content)


def _captions(part: Heads) -> list[str]:
    """A sentence for each head."""
    counts = (f"{keys:.1f} token{'' if f'{keys:.1f}' == '1.0' else 's'}" for keys in part.effective_keys)
    rows = zip(part.numbers, counts, part.notes, strict=True)
    return [f"Head {number}: attends to {count}, {note}." for number, count, note in rows]


def _figure(caption: str, weights: np.ndarray, part: Heads) -> str:
    drawing = heat_map(part.columns, part.rows, weights)
    style = "margin: 0; width: min-content; min-width: 12rem; max-width: 100%"
    return f'<figure style="{style}">{drawing}<figcaption>{escape(caption)}</figcaption></figure>\n'


def _grid(name: str, layers: Sequence[Heads]) -> str:
    """A line of small maps for each layer."""
    lines = ""
    for layer in layers:
        cells = ""
        captions = _captions(layer)
        for number, weights, keys, caption in zip(
            layer.numbers, layer.weights, layer.effective_keys, captions, strict=True
        ):
            below = f"<figcaption>{number}: {keys:.1f}</figcaption>"
            drawing = small_map(weights, f"{name}, {layer.title}. {caption}")
            cells += f'<figure style="margin: 0">{drawing}{below}</figure>\n'
        head = f'<div style="width: 4.5rem; color: var(--soft)">{escape(layer.title)}</div>\n'
        style = "display: flex; flex-wrap: wrap; gap: .75rem; align-items: center; margin: .5rem 0 1rem"
        lines += f'<div style="{style}">\n{head}{cells}</div>\n'
    return f"<div><h3>{escape(name)}</h3>\n{lines}</div>\n"


def small_map(weights: np.ndarray, description: str) -> str:
    """The weights (T, S) as a drawing of one length, without labels; shades go by their square roots."""
    num_rows, num_columns = weights.shape
    longest = max(num_rows, num_columns)
    levels = np.rint(np.sqrt(weights.clip(0, 1)) * LEVELS).astype(int)
    shown = f'<rect width="{num_columns}" height="{num_rows}" fill="var(--tint)"/>'
    for level in range(1, LEVELS + 1):
        runs = "".join(f"M{s} {t}h{run}v1h-{run}z" for t, s, run in _runs(levels == level))
        shown += f'<path fill-opacity="{level / LEVELS:.3g}" d="{runs}"/>' if runs else ""
    wide, high = (max(12, round(SIDE * count / longest)) for count in (num_columns, num_rows))
    size = f'viewBox="0 0 {num_columns} {num_rows}" preserveAspectRatio="none"'
    style = f"width: {wide}px; height: {high}px; max-width: none"
    about = escape(description)
    return (
        f'<svg {size} style="{style}" role="img" aria-label="{about}" fill="currentColor" '
        f'shape-rendering="crispEdges"><title>{about}</title>{shown}</svg>'
    )


def _runs(mask: np.ndarray) -> list[tuple[int, int, int]]:
    """Row, first column and length of every unbroken line of True in a row."""
    edges = np.diff(np.pad(mask.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    rows, starts = np.nonzero(edges == 1)
    ends = np.nonzero(edges == -1)[1]
    return [(int(t), int(s), int(e - s)) for t, s, e in zip(rows, starts, ends, strict=True)]
