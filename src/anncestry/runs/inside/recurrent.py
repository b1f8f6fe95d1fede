"""The page of a recurrent net: its influence map, and hidden states and gates of each layer."""

from pathlib import Path

import numpy as np
from torch import nn

from anncestry.arrays import Float, Tensor
from anncestry.data.processors.given import Given
from anncestry.data.readers.images import is_image
from anncestry.errors import UserError
from anncestry.inspection.influence import influence, reach
from anncestry.inspection.labels import token_labels
from anncestry.inspection.path_length import layer_lags, mean_recurrent_length
from anncestry.inspection.traces import traces
from anncestry.report.inside.recurrent import inside_page
from anncestry.report.page import Page
from anncestry.runs.folder import RunFolder
from anncestry.runs.inside.options import InspectOptions


def state_page(run: RunFolder, source: Given, options: InspectOptions) -> Page:
    """Hidden states and gates while the net reads the first sequence of an input.

    Raises:
        UserError: the input cannot be read.
    """
    name, kind = run.architecture.name, run.signature.inputs
    if kind in ("tokens", "vector") and isinstance(source, Path) and is_image(source):
        raise UserError("INPUT", str(source), f"is an image; this {name} reads {kind}")
    _, inputs = run.processor.read(source)
    inputs = inputs[:1, : options.max_steps]
    matrix = influence(run.model, inputs)
    layers = [
        (trace.name, {part: _most_varied(v, options.units) for part, v in trace.values.items()})
        for trace in traces(run.model, inputs)
    ]
    highlights = [
        f"On average an output of this {name} depends on inputs {reach(matrix):.1f} steps back.",
        "(Steps weighted by influence, over the later half of the text.)",
        *_path_length(run.model),
    ]
    title = f"Inside {name}"
    page = inside_page(title, highlights, _labels(run, inputs), layers, matrix.cpu().numpy())
    return Page(page, tuple(highlights))


def _path_length(model: nn.Module) -> list[str]:
    """How far inputs are from later outputs, where there is more to say than one step after the other."""
    try:
        lags = layer_lags(model)
    except UserError:
        return []  # both directions, or convolutions: no such length
    period = max(max(layer) for layer in lags)
    if period == 1:
        return []
    shown = ", ".join("/".join(map(str, sorted(layer))) for layer in lags)
    length = mean_recurrent_length(lags, period)
    return [f"Its layers reach back {shown} steps: mean recurrent length {length:.2f} over {period} lags."]


def _most_varied(values: Float[Tensor, "T H"], count: int) -> np.ndarray:
    """The units (columns) that vary most, (T, at most count)."""
    chosen = values.std(0).topk(min(count, values.shape[1])).indices.sort().values
    return values[:, chosen].cpu().numpy()


def _labels(run: RunFolder, inputs: Tensor) -> list[str]:
    """One for each step: the token, or its number."""
    if getattr(run.processor, "vocabulary", None) is None or inputs.dim() != 2:
        return [str(step + 1) for step in range(inputs.shape[1])]
    return token_labels(run.processor, inputs[0].tolist())
