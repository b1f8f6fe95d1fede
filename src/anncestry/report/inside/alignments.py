"""Attention weights of generated texts: tokens by tokens, or an image under a coloured light."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from PIL import Image

from anncestry.report.inside.generated import data_uri
from anncestry.report.page import section, shell

CELL, LETTER, GAP = 22, 7.9, 6  # pixels: a weight, a letter of 13 pixels with a fixed width, beside a label
LONGEST = 20  # letters of a label
SLANT = 0.71  # sine and cosine of the angle of the labels above
SMALLEST = 0.005  # weights below are left out
LIGHT = np.array([0.835, 0.369, 0.0])[:, None, None]  # seen on black and on white
STRENGTH = 0.65  # of the light where the attention weight is largest


@dataclass(frozen=True, kw_only=True)
class Aligned:
    """A generated text.

    Attributes:
        title: what it is of: a line, or the name of an image.
        text: what was generated.
        about: its log probability, and what else there is to know.
        figure: HTML; see `heat_map` and `lit_images`.
    """

    title: str
    text: str
    about: str
    figure: str


def alignments_page(title: str, facts: Sequence[str], texts: Sequence[Aligned]) -> str:
    """The whole file.

    Args:
        facts: sentences at the top.
    """
    content = f'<p class="lead">{escape(facts[0])}</p>\n<p>{escape(" ".join(facts[1:]))}</p>\n'
    for number, item in enumerate(texts, 1):
        words = f'<p class="lead">{escape(item.text)}</p>\n<p class="notes">{escape(item.about)}</p>\n'
        content += section(f"text-{number}", item.title, words + item.figure)
    return shell(title, content)


def heat_map(source: Sequence[str], words: Sequence[str], weights: np.ndarray) -> str:
    """A column for each token of the source, a row for each generated one; darker is a larger weight.

    Args:
        source: (S,) labels.
        words: (T,) labels.
        weights: (T, S) from 0 to 1.
    """
    assert weights.shape == (len(words), len(source)), "a row for each word, a column for each of the source"
    above, beside = [list(map(_short, labels)) for labels in (source, words)]
    letters = max(map(_letters, above), default=0)
    slanted, longest = letters > 2, LETTER * letters
    top = SLANT * (longest + LETTER) + GAP if slanted else CELL
    left = LETTER * max(map(_letters, beside), default=0) + GAP
    over = SLANT * longest if slanted else 0  # the last label leans out on the right
    grid_width, grid_height = CELL * len(source), CELL * len(words)
    width, height = left + grid_width + max(over - CELL / 2, 0) + 1, top + grid_height + 1
    parts = [
        f'<rect x="{left:g}" y="{top:g}" width="{grid_width}" height="{grid_height}" fill="var(--tint)"/>'
    ]
    for s, label in enumerate(above):
        x = left + CELL * (s + 0.5)
        turned = f"rotate(-45 {x:g} {top - GAP:g})" if slanted else ""
        parts.append(_label(label, x, top - GAP, "start" if slanted else "middle", turned))
    for t, label in enumerate(beside):
        parts.append(_label(label, left - GAP, top + CELL * (t + 0.5) + 4.5, "end"))
    for t, s in zip(*np.nonzero(weights >= SMALLEST), strict=True):
        weight, at = float(weights[t, s]), f'x="{left + CELL * s:g}" y="{top + CELL * t:g}"'
        weighed = escape(f"{words[t]} / {source[s]}: {weight:.2f}")
        opacity = f'fill-opacity="{min(weight, 1):.3g}"'
        parts.append(
            f'<rect {at} width="{CELL - 1}" height="{CELL - 1}" {opacity}><title>{weighed}</title></rect>'
        )
    described = escape(f"Attention weights of {len(words)} tokens over {len(source)} of the source")
    drawing = "\n".join(parts)
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" style="--width: {width:.0f}px; min-width: var(--width)"'
    svg = f'<svg {size} role="img" aria-label="{described}" fill="currentColor">\n{drawing}\n</svg>'
    return f'<div class="wide">{svg}</div>'


def _label(text: str, x: float, y: float, anchor: str, transform: str = "") -> str:
    """A word in the drawing, in a font of fixed width, so that its room is known."""
    turned = f' transform="{transform}"' if transform else ""
    font = 'font-family="ui-monospace, monospace" font-size="13"'
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" {font}{turned}>{escape(text)}</text>'


def _short(text: str) -> str:
    """A label that leaves room for the drawing; the whole word stands with each weight."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _letters(text: str) -> int:
    """How many letters wide a text is: marks take no room, and wide characters that of two."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(unicodedata.combining(letter) > 0 for letter in text)


def lit_images(name: str, words: Sequence[str], pixels: np.ndarray, maps: np.ndarray) -> str:
    """The image, and for each word the same in grey, under a coloured light where its weights are large.

    Args:
        name: of the image.
        words: (T,) labels.
        pixels: (C, H, W) in [0, 1].
        maps: (T, H, W) from 0 to 1.
    """
    assert len(words) == len(maps), "a map for each word"
    pictures = [_picture(pixels, name)]
    grey = pixels.mean(0)
    for word, lit in zip(words, STRENGTH * maps, strict=True):
        pictures.append(_picture((1 - lit) * grey + lit * LIGHT, word))
    return f'<div class="pictures">\n{"".join(pictures)}</div>'


def _picture(pixels: np.ndarray, caption: str) -> str:
    colours = pixels if len(pixels) == 3 else pixels.mean(0, keepdims=True).repeat(3, axis=0)
    image = Image.fromarray((colours.clip(0, 1) * 255).round().astype(np.uint8).transpose(1, 2, 0))
    style = "width: 7rem; height: 7rem; image-rendering: auto"
    shown = f'<img style="{style}" alt="{escape(caption)}" src="{data_uri(image)}">'
    below = f'<figcaption style="overflow-wrap: anywhere">{escape(caption)}</figcaption>'
    return f"<figure>{shown}{below}</figure>\n"
