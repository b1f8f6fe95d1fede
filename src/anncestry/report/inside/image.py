"""The page of a convolutional net: its first kernels, its feature maps of an image, receptive fields."""

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from anncestry.report.inside.recurrent import picture
from anncestry.report.page import section, shell

COLUMNS = 8  # small pictures in a row
TILE = 1.05  # inches


def image_page(
    title: str, facts: Sequence[str], pixels: np.ndarray, filters: Any | None, layers: Sequence[Any]
) -> str:
    """The whole file.

    Args:
        facts: sentences at the top.
        pixels: the image, (C, H, W) in [0, 1].
        filters: ``name, weights (N, C, F, F), channels, total`` of the first convolution, if there is one.
        layers: ``name, maps (N, h, w), channels, total, unit, gradient (H, W), box`` of each, in the order of
            the net; see `anncestry.inspection.feature_maps`. All arrays are NumPy's.
    """
    content = f'<p class="lead">{escape(facts[0])}</p>\n<p>{escape(" ".join(facts[1:]))}</p>\n'
    height, width = pixels.shape[1:]
    content += f"<figure>{picture(image_figure(pixels), 'The image as the net reads it')}"
    content += f"<figcaption>As the net reads it: {height} x {width} pixels</figcaption></figure>\n"
    if filters is not None:
        content += section("filters", "The first kernels", _filters(filters))
    for layer in layers:
        content += section(layer.name.replace(".", "-"), f"Layer {layer.name}", _layer(layer, pixels))
    return shell(title, content)


def _filters(filters: Any) -> str:
    colours, height, width = filters.weights.shape[1:]
    shown = _chosen(len(filters.channels), filters.total, "kernels")
    if colours not in (1, 3):
        rule = f"{shown} of layer {filters.name} read {colours} channels, which have no colours to show."
        return f"<p>{escape(rule)}</p>"
    how = "red above zero, blue below" if colours == 1 else "grey is zero"
    size = f"{height} x {width} weights, each scaled by its own largest one ({how})"
    caption = f"{shown} of layer {filters.name}, {size}. The number is that of the feature map it makes."
    return _figure(filters_figure(filters.weights, filters.channels), caption)


def _layer(layer: Any, pixels: np.ndarray) -> str:
    channel, row, column = layer.unit
    height, width = layer.maps.shape[1:]
    largest = f"the largest value is {np.abs(layer.maps).max():.3g}"
    caption = (
        f"{_chosen(len(layer.channels), layer.total, 'feature maps')}, {height} x {width} units, each scaled "
    )
    caption += f"by its own largest value; {largest}."
    if layer.maps.min() < 0:
        caption += " Red is above zero, blue below."
    content = _figure(maps_figure(layer.maps, layer.channels), caption)
    top, left, tall, wide = layer.box
    caption = f"The unit of feature map {channel} in row {row + 1}, column {column + 1}: the frame is its "
    caption += f"receptive field of {tall} x {wide} pixels by arithmetic. Right: how much each pixel moves it"
    seen = layer.gradient > 0
    if not seen.any():
        caption += "; none does, for this image."
    else:
        rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
        caption += f"; those that do at all span {np.ptp(rows) + 1} x {np.ptp(columns) + 1}."
    if min(top, left) < 0 or top + tall > pixels.shape[1] or left + wide > pixels.shape[2]:
        caption += " The field reaches beyond the image, into the padding."
    return content + _figure(field_figure(pixels, layer.gradient, layer.box), caption)


def _chosen(count: int, total: int, what: str) -> str:
    return f"All {total} {what}" if count == total else f"The {count} of {total} {what} with the largest norm"


def _figure(figure: Figure, caption: str) -> str:
    image = picture(figure, caption)
    return f"<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>\n"


def image_figure(pixels: np.ndarray) -> Figure:
    """The image alone, (C, H, W) in [0, 1]."""
    figure = Figure(figsize=(2.6, 2.6))
    panel = figure.subplots()
    _image(panel, pixels)
    return figure


def filters_figure(weights: np.ndarray, channels: Sequence[int]) -> Figure:
    """Kernels (N, C, F, F) of 1 or 3 colours, each in its own scale."""
    if weights.shape[1] == 1:
        return maps_figure(weights[:, 0], channels, signed=True)
    scale = np.maximum(np.abs(weights).max(axis=(1, 2, 3), keepdims=True), 1e-12)
    figure, panels = _tiles(len(weights), weights.shape[2:])
    for panel, kernel, channel in zip(panels, 0.5 + 0.5 * weights / scale, channels, strict=True):
        panel.imshow(kernel.transpose(1, 2, 0), interpolation="nearest")
        panel.set_title(str(channel), fontsize=8, pad=2)
    return figure


def maps_figure(maps: np.ndarray, channels: Sequence[int], signed: bool | None = None) -> Figure:
    """Maps (N, h, w), each in its own scale; signed ones from blue to red, others from black to white."""
    signed = maps.min() < 0 if signed is None else signed
    figure, panels = _tiles(len(maps), maps.shape[1:])
    for panel, values, channel in zip(panels, maps, channels, strict=True):
        largest = max(float(np.abs(values).max()), 1e-12)
        low, colours = (-largest, "RdBu_r") if signed else (0.0, "gray")
        panel.imshow(values, interpolation="nearest", cmap=colours, vmin=low, vmax=largest)
        panel.set_title(str(channel), fontsize=8, pad=2)
    return figure


def field_figure(pixels: np.ndarray, gradient: np.ndarray, box: tuple[int, int, int, int]) -> Figure:
    """The image and the gradient by it, with the same frame on both."""
    figure = Figure(figsize=(6.4, 3.2))
    image, field = figure.subplots(1, 2)
    _image(image, pixels)
    field.imshow(np.sqrt(gradient / max(gradient.max(), 1e-12)), interpolation="nearest", cmap="Greys")
    top, left, height, width = box
    # Half a pixel of room, so that a frame along the border is seen whole.
    bottom, right = min(top + height, pixels.shape[1]), min(left + width, pixels.shape[2])
    top, left = max(top, 0), max(left, 0)
    for panel in (image, field):
        frame = Rectangle(
            (left - 0.5, top - 0.5), right - left, bottom - top, fill=False, color="#D55E00", lw=2
        )
        panel.add_patch(frame)
        frame.set_clip_on(False)
        panel.set_xticks([])
        panel.set_yticks([])
    return figure


def _image(panel: Any, pixels: np.ndarray) -> None:
    if len(pixels) == 3:
        panel.imshow(pixels.transpose(1, 2, 0), interpolation="nearest", vmin=0, vmax=1)
    else:
        panel.imshow(pixels.mean(0), interpolation="nearest", cmap="gray", vmin=0, vmax=1)
    panel.set_xticks([])
    panel.set_yticks([])


def _tiles(count: int, shape: Sequence[int]) -> tuple[Figure, list[Any]]:
    """Panels for so many small pictures of that height and width, without axes."""
    columns = min(COLUMNS, count)
    rows = -(-count // columns)
    tall = TILE * min(max(shape[0] / shape[1], 0.4), 2.5)
    figure = Figure(figsize=(TILE * columns, (tall + 0.2) * rows), layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for panel in panels:
        panel.set_xticks([])
        panel.set_yticks([])
    for panel in panels[count:]:
        panel.set_visible(False)
    return figure, panels[:count]
