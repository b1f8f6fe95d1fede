"""Matplotlib figures as SVG that lives inside a page and takes its colours from there."""

import io
import re
from html import escape
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.rcsetup import cycler

# Okabe & Ito's palette, told apart with any colour vision, without its yellow and black.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6BB1")
INK, FAINT = "#010203", "#040506"  # stand for the page's own text and rule colours
_PAGE_COLOURS = {INK: "currentColor", FAINT: "var(--faint)"}
_STYLE: Any = {
    "svg.fonttype": "none",  # text stays text: small, selectable, in the page's font
    "svg.hashsalt": "anncestry",  # the same figure gives the same bytes
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # what is measured; a page without it takes its own
    "font.size": 10.0,
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.5,
    "grid.alpha": 0.5,
    "axes.prop_cycle": cycler(color=COLOURS),
    "legend.frameon": False,
}


def style():
    """The context every figure is made in."""
    return matplotlib.rc_context(_STYLE)


def axes(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure of that size in inches with one set of axes, without pyplot's global state."""
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.patch.set_alpha(0)
    panel = figure.add_subplot()
    panel.patch.set_alpha(0)
    panel.set_axisbelow(True)
    return figure, panel


def literal(text: str) -> str:
    """Text of the user's for a figure: what it holds between dollar signs is not mathematics."""
    return text.replace("$", r"\$")


def in_black(text: str) -> str:
    """SVG text with the stand-ins for a page's colours replaced, for a file that stands alone."""
    return text.replace(INK, "#1c1e21").replace(FAINT, "#b9bec4")


def inline_svg(figure: Figure, name: str, description: str) -> str:
    """The figure as an ``<svg>`` element that scales with the page.

    Args:
        name: put before every id, so that figures of one page do not meet.
        description: read aloud in place of the figure.
    """
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Type", "Format"))
    with style():
        figure.savefig(buffer, format="svg", metadata=nothing)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]  # without the XML prolog and the DOCTYPE
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL).replace("xlink:href", "href")
    head, _, body = text.partition(">")
    box = re.search(r'viewBox="([^"]*)"', head)
    assert box is not None
    for reference in ('id="', 'href="#', "url(#"):
        body = body.replace(reference, f"{reference}{name}-")
    for stand_in, colour in _PAGE_COLOURS.items():
        body = body.replace(stand_in, colour)
    label, width = escape(description, quote=True), box[1].split()[2]
    return f'<svg viewBox="{box[1]}" role="img" aria-label="{label}" style="--width: {width}px">{body}'
