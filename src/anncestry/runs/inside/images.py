"""The page of a convolutional net: its first kernels, and the feature maps of an image in each layer."""

from dataclasses import fields, replace
from typing import Any

import numpy as np
from torch import Tensor

from anncestry.data.processors.given import Given
from anncestry.inspection.feature_maps import feature_maps, first_filters
from anncestry.report.inside.image import image_page
from anncestry.report.page import Page
from anncestry.runs.inside.options import InspectOptions


def feature_map_page(run: Any, source: Given, options: InspectOptions) -> Page:
    """Feature maps while the net reads the first image of an input, and what it predicts of it.

    Args:
        run: an `anncestry.runs.run.Run`, which is not imported here, since it makes this page.

    Raises:
        UserError: the image cannot be read, or a layer has no feature maps.
    """
    labels, inputs = run.processor.read(source)
    image, title = inputs[:1], f"Inside {run.architecture.name}"
    layers = feature_maps(run.model, image, options.layer)
    filters = first_filters(run.model, image)
    highlights = [f"{labels[0]}: {_predicted(run.predict(source)[0])}."]
    if len(labels) > 1:
        highlights.append(f"The first of {len(labels)} images.")
    for layer in layers:
        shape, field = (" x ".join(map(str, sizes)) for sizes in (layer.maps.shape[1:], layer.box[2:]))
        highlights.append(
            f"{layer.name}: {layer.total} maps of {shape}, a unit's receptive field is {field} pixels."
        )
    pixels = _array(run.processor.pixels(image)[0])
    page = image_page(title, highlights, pixels, _arrays(filters), list(map(_arrays, layers)))
    return Page(page, tuple(highlights))


def _predicted(row: dict[str, Any]) -> str:
    """The prediction in words."""
    if "caption" in row:
        return f"the net generates “{row['caption']}”"
    if "class" not in row:
        return ", ".join(f"{key} {value:.4g}" for key, value in row.items() if isinstance(value, float))
    figures = row.get("probabilities") or row.get("scores") or {}
    best = sorted(figures.items(), key=lambda pair: -pair[1])[:3]
    shown = ", ".join(f"{label} {figure:.3f}" for label, figure in best)
    return f"the net says {row['class']} ({shown})" if shown else f"the net says {row['class']}"


def _arrays(record: Any) -> Any:
    """The same record with NumPy's arrays in place of tensors."""
    values = {field.name: getattr(record, field.name) for field in fields(record)}
    return replace(record, **{name: _array(v) for name, v in values.items() if isinstance(v, Tensor)})


def _array(values: Tensor) -> np.ndarray:
    return values.detach().cpu().numpy()
