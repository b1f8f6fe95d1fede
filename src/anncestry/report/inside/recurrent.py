"""The page of a recurrent net: hidden states and gates over the input, and its influence map."""

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from anncestry.report.page import section, shell
from anncestry.report.svg import literal

MEANINGS = {
    "h": "hidden state",
    "c": "memory cell",
    "i": "input gate: what may come in",
    "f": "forget gate: what stays",
    "g": "candidate: what would come in",
    "o": "output gate: what is shown",
    "r": "reset gate: what of the old state the candidate sees",
    "z": "update gate: what stays",
    "n": "candidate",
}
GATES = ("i", "f", "o", "r", "z")  # between 0 and 1


def inside_page(
    title: str, facts: Sequence[str], labels: Sequence[str], layers: Sequence[Any], map_: np.ndarray
):
    """The whole file.

    Args:
        facts: sentences at the top.
        labels: what was read, one label for each step.
        layers: ``(name, {"h": (T, H), ...})`` from the bottom up, each with the units to show.
        map_: (T, T) influence, row t, column s.
    """
    content = f'<p class="lead">{escape(facts[0])}</p>\n<p>{escape(" ".join(facts[1:]))}</p>\n'
    about = "Row: an output. Column: an input. The darker, the more the output would change with the input."
    figure = picture(influence_figure(map_, labels), "Influence of every input on every output")
    content += section(
        "influence", "Who remembers what", f"<p>{escape(about)}</p>\n<figure>{figure}</figure>"
    )
    for name, values in layers:
        pictures = ""
        for part, matrix in values.items():
            caption = f"{part}: {MEANINGS.get(part, part)}; one row for each unit"
            shown = picture(trace_figure(matrix, labels, part), caption)
            pictures += f"<figure>{shown}<figcaption>{escape(caption)}</figcaption></figure>\n"
        content += section(name.replace(".", "-"), f"Layer {name}", pictures)
    return shell(title, content)


def trace_figure(matrix: np.ndarray, labels: Sequence[str], part: str) -> Figure:
    """Units (rows) over steps (columns), (T, H)."""
    num_steps, num_units = matrix.shape
    figure = Figure(figsize=(max(7.0, 0.13 * num_steps + 1.2), 0.6 + 0.09 * num_units + 0.4))
    panel = figure.subplots()
    gate = part in GATES
    largest = 1.0 if gate else max(float(np.abs(matrix).max()), 1e-9)
    image = panel.imshow(
        matrix.T, aspect="auto", interpolation="nearest",
        cmap="Blues" if gate else "RdBu_r", vmin=0.0 if gate else -largest, vmax=largest,
    )  # fmt: skip
    _label(panel, labels)
    panel.set_yticks([])
    panel.set_ylabel("unit")
    figure.colorbar(image, ax=panel, fraction=0.02, pad=0.01)
    return figure


def influence_figure(matrix: np.ndarray, labels: Sequence[str]) -> Figure:
    """The map, each row scaled to its own largest value."""
    size = max(5.0, min(14.0, 0.13 * len(matrix) + 1.5))
    figure = Figure(figsize=(size, size))
    panel = figure.subplots()
    scaled = matrix / np.maximum(matrix.max(axis=1, keepdims=True), 1e-12)
    panel.imshow(np.sqrt(scaled), cmap="Greys", interpolation="nearest", vmin=0, vmax=1)
    _label(panel, labels)
    panel.set_yticks(range(len(labels)), [literal(label) for label in labels], fontsize=6)
    panel.set(xlabel="input", ylabel="output")
    return figure


def _label(panel, labels: Sequence[str]) -> None:
    every = 1 + len(labels) // 250
    shown = [literal(label) for label in labels[::every]]
    panel.set_xticks(range(0, len(labels), every), shown, fontsize=6, family="monospace")
    if max(map(len, labels), default=1) > 2:
        panel.tick_params(axis="x", rotation=90)


def picture(figure: Figure, alternative: str) -> str:
    """A figure as an ``<img>`` that holds its own data; ``alternative`` is read aloud in its place."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, bbox_inches="tight")
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<img style="max-width:100%" alt="{escape(alternative)}" src="data:image/png;base64,{data}">'
