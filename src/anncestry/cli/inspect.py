"""Look inside a model at work, as one HTML page: hidden states and gates of a recurrent net, feature maps of
a convolutional net, attention heads of a Transformer. Nets without any of these have no page."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from anncestry.cli.given import flag, given
from anncestry.cli.inspect_options import Options
from anncestry.errors import UserError, require
from anncestry.files import check_writable

if TYPE_CHECKING:
    from anncestry.runs.run import Run


_OF_PAGE = {
    "of_translation": ("layer", "head", "answer", "max_steps"),
    "of_text": ("layer", "head", "max_steps"),
    "image": ("layer",),
    "sequence": ("units", "max_steps"),
}
GivenOptions: Any = given(Options, without=("layer",))


@dataclass(frozen=True)
class Arguments:
    """Which run, and what it shall read."""

    run: tyro.conf.Positional[Path]
    """A run folder of a recurrent net, of one of images, or of a Transformer."""
    input: tyro.conf.Positional[str]
    """A text, a file, or - for standard input; numbers for a series; an image file."""
    out: Path | None = None
    """The page to write; default: inside.html in the run folder."""
    layer: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """Images: a layer whose maps are shown, as `anncestry show RUN` names it; default: the last layer of
    every resolution. Transformers: a layer's number, 1 being the first; default: the last. May be given
    several times."""
    options: Annotated[GivenOptions, tyro.conf.arg(name="")] = field(default_factory=dict)


def run(arguments: Arguments) -> int:
    """Write the page; print where it is and what stands out."""
    from anncestry.cli import heads
    from anncestry.runs.run import Run

    if arguments.out is not None:
        check_writable(arguments.out, "--out")
    trained = Run(arguments.run)
    kind = _page_of(trained)
    layers = {"layer": arguments.layer} if arguments.layer else {}
    options = _applicable(trained, kind, {**arguments.options, **layers})
    of = {"image": _of_image, "sequence": _of_sequence}.get(kind) or getattr(heads, kind)
    facts, page = of(trained, arguments.input, options)
    return _written(arguments, facts, page)


def _page_of(trained: "Run") -> str:
    """The kind of page a run has, a key of ``_OF_PAGE``.

    Raises:
        UserError: it has none.
    """
    from torch import nn

    from anncestry.inspection.attention_maps import has_heads
    from anncestry.layers.recurrent.sequence_network import SequenceNetwork

    model, signature = trained.model, trained.signature
    if signature.task == "translation":
        return "of_translation"
    if isinstance(model, SequenceNetwork):
        return "sequence"
    if signature.inputs == "tokens" and has_heads(model):
        return "of_text"
    convolves = any(isinstance(module, nn.Conv2d) for module in model.modules())
    if signature.inputs == "image" and convolves:
        return "image"
    rule = "has no page: it has no hidden states, no feature maps and no attention heads to show"
    raise UserError("run", trained.architecture.name, rule)


def _applicable(trained: "Run", kind: str, options: Mapping[str, Any]) -> Options:
    """The options, each of which the page heeds.

    Raises:
        UserError: one could have no effect, or is out of range.
    """
    for name, value in options.items():
        rule = f"has no effect on the page of this {trained.architecture.name}"
        if name not in _OF_PAGE[kind]:
            raise UserError(flag(name), str(value), rule, [flag(other) for other in _OF_PAGE[kind]])
    found = Options(**options)
    require(found.units >= 1, "--units", found.units, "must be at least 1")
    require(found.max_steps >= 2, "--max-steps", found.max_steps, "must be at least 2")
    return found


def _written(arguments: Arguments, facts: list[str], page: str) -> int:
    """Write the page; print what stands out, and where it is."""
    from anncestry.files import write_text

    out = arguments.out or arguments.run / "inside.html"
    write_text(out, page, "--out")
    for fact in facts:
        print(fact)
    print(f"Page: {out}")
    return 0


def _of_sequence(trained: "Run", given_input: str, options: Options) -> tuple[list[str], str]:
    """What stands out in a recurrent model, and the page."""
    from anncestry.cli.inputs import input_of
    from anncestry.data.readers.images import is_image
    from anncestry.inspection.influence import influence, reach
    from anncestry.inspection.traces import traces
    from anncestry.report.inside.recurrent import inside_page
    from anncestry.user_files import absolute, is_file

    name, kind = trained.architecture.name, trained.signature.inputs
    if kind in ("tokens", "vector") and is_file(given_input) and is_image(absolute(given_input)):
        raise UserError("INPUT", given_input, f"is an image; this {name} reads {kind}")
    _, inputs = trained.processor.read(input_of(given_input, trained.processor))
    inputs = inputs[:1, : options.max_steps]
    matrix = influence(trained.model, inputs)
    found = traces(trained.model, inputs)
    facts = [f"On average an output of this {name} looks {reach(matrix):.1f} steps back."]
    facts.append("(Steps weighted by influence, over the later half of the text.)")
    facts += _path_length(trained.model)
    layers = [
        (trace.name, {part: _most(v, options.units) for part, v in trace.values.items()}) for trace in found
    ]
    labels = _labels(trained, inputs)
    return facts, inside_page(f"Inside {name}", facts, labels, layers, matrix.cpu().numpy())


def _of_image(trained: "Run", given_input: str, options: Options) -> tuple[list[str], str]:
    """What stands out in a net of images, and the page."""
    from anncestry.cli.inputs import input_of
    from anncestry.inspection.feature_maps import feature_maps, first_filters
    from anncestry.report.inside.image import image_page

    source = input_of(given_input, trained.processor)
    labels, inputs = trained.processor.read(source)
    image, name = inputs[:1], trained.architecture.name
    layers = feature_maps(trained.model, image, options.layer)
    filters = first_filters(trained.model, image)
    row = trained.predict(source)[0]
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
    if "caption" in row:
        return f"the net writes “{row['caption']}”"
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
    from anncestry.inspection.labels import token_labels

    if getattr(trained.processor, "vocabulary", None) is None or inputs.dim() != 2:
        return [str(step + 1) for step in range(inputs.shape[1])]
    return token_labels(trained.processor, inputs[0].tolist())
