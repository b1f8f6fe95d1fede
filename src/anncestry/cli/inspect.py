"""Look inside a model while it reads: states, gates and memory of a recurrent one, maps of one of images."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

if TYPE_CHECKING:
    from anncestry.runs import Run


@dataclass(frozen=True)
class Arguments:
    """Which run, and what it shall read."""

    run: tyro.conf.Positional[Path]
    """A run folder of a recurrent model, or of one of images."""
    input: tyro.conf.Positional[str]
    """A text, a file, or - for standard input; numbers for a series; an image file."""
    out: Path | None = None
    """The page to write; inside.html in the run folder unless told."""
    layer: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """Images: a layer whose maps are shown, as `anncestry show RUN` names it; may be given several times.
    Unless told, the last layer of every resolution."""
    units: int = 32
    """Sequences: how many units of each layer are shown: those that vary most."""
    max_steps: int = 120
    """Sequences: the longest that is read; the rest is left out."""


def run(arguments: Arguments) -> int:
    """Write the page; print where it is and what stands out."""
    from anncestry.errors import require
    from anncestry.layers.sequence_network import SequenceNetwork
    from anncestry.runs import Run

    require(arguments.units >= 1, "--units", arguments.units, "must be at least 1")
    require(arguments.max_steps >= 2, "--max-steps", arguments.max_steps, "must be at least 2")
    trained = Run(arguments.run)
    if trained.signature.inputs == "image" and not isinstance(trained.model, SequenceNetwork):
        facts, page = _of_image(trained, arguments)
    else:
        facts, page = _of_sequence(trained, arguments)
    out = arguments.out or arguments.run / "inside.html"
    out.write_text(page, encoding="utf-8")
    for fact in facts:
        print(fact)
    print(f"Page: {out}")
    return 0


def _of_sequence(trained: "Run", arguments: Arguments) -> tuple[list[str], str]:
    """What stands out in a recurrent model, and the page."""
    from anncestry.data.readers.files import absolute, is_file
    from anncestry.data.readers.images import is_image
    from anncestry.errors import UserError, require
    from anncestry.inspection.influence import influence, reach
    from anncestry.inspection.traces import traces
    from anncestry.report.inside import inside_page

    name, kind = trained.architecture.name, trained.signature.inputs
    require(not arguments.layer, "--layer", arguments.layer, "chooses maps of images; this run has none")
    if kind in ("tokens", "vector") and is_file(arguments.input) and is_image(absolute(arguments.input)):
        raise UserError("INPUT", arguments.input, f"is an image; this {name} reads {kind}")
    _, inputs = trained.processor.read(arguments.input)
    inputs = inputs[:1, : arguments.max_steps]
    matrix = influence(trained.model, inputs)
    found = traces(trained.model, inputs)
    facts = [f"On average an output of this {name} looks {reach(matrix):.1f} steps back."]
    facts.append("(Steps weighted by influence, over the later half of the text.)")
    facts += _path_length(trained.model)
    layers = [
        (trace.name, {part: _most(v, arguments.units) for part, v in trace.values.items()}) for trace in found
    ]
    labels = _labels(trained, inputs)
    return facts, inside_page(f"Inside {name}", facts, labels, layers, matrix.cpu().numpy())


def _of_image(trained: "Run", arguments: Arguments) -> tuple[list[str], str]:
    """What stands out in a net of images, and the page."""
    from anncestry.inspection.feature_maps import feature_maps, first_filters
    from anncestry.report.inside_image import image_page

    labels, inputs = trained.processor.read(arguments.input)
    image, name = inputs[:1], trained.architecture.name
    layers = feature_maps(trained.model, image, arguments.layer)
    filters = first_filters(trained.model, image)
    row = trained.predict(arguments.input)[0]
    facts = [f"{labels[0]}: {_said(row)}."]
    if len(labels) > 1:
        facts.append(f"The first of {len(labels)} images.")
    for layer in layers:
        shape = " x ".join(map(str, layer.maps.shape[1:]))
        sees = " x ".join(map(str, layer.box[2:]))
        facts.append(f"{layer.name}: {layer.total} maps of {shape}, a unit sees {sees} pixels.")
    pixels = trained.processor.pixels(image)[0]  # pyright: ignore[reportAttributeAccessIssue]
    return facts, image_page(
        f"Inside {name}", facts, _array(pixels), _arrays(filters), list(map(_arrays, layers))
    )


def _said(row: dict) -> str:
    """The prediction in words."""
    if "class" not in row:
        return ", ".join(f"{key} {value:.4g}" for key, value in row.items() if isinstance(value, float))
    scores = row.get("probabilities") or row.get("scores") or {}
    best = sorted(scores.items(), key=lambda pair: -pair[1])[:3]
    shown = ", ".join(f"{label} {score:.3f}" for label, score in best)
    return f"the net says {row['class']} ({shown})" if shown else f"the net says {row['class']}"


def _arrays(found):
    """The same record with NumPy's arrays in place of tensors."""
    from dataclasses import fields, replace

    from torch import Tensor

    values = {field.name: getattr(found, field.name) for field in fields(found)}
    return replace(found, **{name: _array(v) for name, v in values.items() if isinstance(v, Tensor)})


def _array(values):
    return values.detach().cpu().numpy()


def _path_length(model) -> list[str]:
    """How far inputs are from later outputs, where there is more to say than one step after the other."""
    from anncestry.errors import UserError
    from anncestry.inspection.path_length import layer_lags, mean_recurrent_length

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


def _most(values, count: int):
    """The units (columns) that vary most, (T, at most count)."""
    chosen = values.std(0).topk(min(count, values.shape[1])).indices.sort().values
    return values[:, chosen].cpu().numpy()


def _labels(trained, inputs) -> list[str]:
    """One for each step: the token, or its number."""
    vocabulary = getattr(trained.processor, "vocabulary", None)
    if vocabulary is None or inputs.dim() != 2:
        return [str(step + 1) for step in range(inputs.shape[1])]
    return [str(vocabulary[token]).replace("\n", "⏎").replace(" ", "␣") for token in inputs[0].tolist()]
