"""Look inside a model at work: states, gates and memory of a recurrent one, maps of one of images, where the
heads of a Transformer look."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anncestry.inspection.attention_maps import AttentionMaps
    from anncestry.report.inside_attention import Heads
    from anncestry.runs import Run


@dataclass(frozen=True)
class Arguments:
    """Which run, and what it shall read."""

    run: tyro.conf.Positional[Path]
    """A run folder of a recurrent model, of one of images, or of a Transformer."""
    input: tyro.conf.Positional[str]
    """A text, a file, or - for standard input; numbers for a series; an image file."""
    out: Path | None = None
    """The page to write; inside.html in the run folder unless told."""
    layer: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """Images: a layer whose maps are shown, as `anncestry show RUN` names it; may be given several times.
    Unless told, the last layer of every resolution. Transformers: a layer's number, 1 being the first; the
    last unless told."""
    head: int | None = None
    """Transformers: the number of the head that is shown, 1 being the first; all of the layer unless told."""
    answer: str | None = None
    """Transformers: a translation that is taken for the net's own; what it writes greedily unless told."""
    units: int = 32
    """Sequences: how many units of each layer are shown: those that vary most."""
    max_steps: int = 120
    """Sequences and translations: the longest that is read; the rest is left out."""


def run(arguments: Arguments) -> int:
    """Write the page; print where it is and what stands out."""
    from anncestry.errors import require
    from anncestry.files import check_writable
    from anncestry.layers.sequence_network import SequenceNetwork
    from anncestry.runs import Run

    require(arguments.units >= 1, "--units", arguments.units, "must be at least 1")
    require(arguments.max_steps >= 2, "--max-steps", arguments.max_steps, "must be at least 2")
    if arguments.out is not None:
        check_writable(arguments.out, "--out")
    trained = Run(arguments.run)
    if trained.signature.task == "translation":
        facts, page = _of_translation(trained, arguments)
        return _written(arguments, facts, page)
    for option, value in (("--head", arguments.head), ("--answer", arguments.answer)):
        rule = f"is for models that translate; this {trained.architecture.name} does not"
        require(value is None, option, value, rule)
    if trained.signature.inputs == "image" and not isinstance(trained.model, SequenceNetwork):
        facts, page = _of_image(trained, arguments)
    else:
        facts, page = _of_sequence(trained, arguments)
    return _written(arguments, facts, page)


def _written(arguments: Arguments, facts: list[str], page: str) -> int:
    """Write the page; print what stands out, and where it is."""
    from anncestry.files import write_text

    out = arguments.out or arguments.run / "inside.html"
    write_text(out, page, "--out")
    for fact in facts:
        print(fact)
    print(f"Page: {out}")
    return 0


def _of_sequence(trained: "Run", arguments: Arguments) -> tuple[list[str], str]:
    """What stands out in a recurrent model, and the page."""
    from anncestry.cli.inputs import input_of
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
    _, inputs = trained.processor.read(input_of(arguments.input, trained.processor))
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
    from anncestry.cli.inputs import input_of
    from anncestry.inspection.feature_maps import feature_maps, first_filters
    from anncestry.report.inside_image import image_page

    source = input_of(arguments.input, trained.processor)
    labels, inputs = trained.processor.read(source)
    image, name = inputs[:1], trained.architecture.name
    layers = feature_maps(trained.model, image, arguments.layer)
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


def _of_translation(trained: "Run", arguments: Arguments) -> tuple[list[str], str]:
    """Where the heads look while the net reads a text and writes what it becomes, and the page."""
    import torch

    from anncestry.cli.labels import labels_of
    from anncestry.inspection.attention_maps import attention_maps
    from anncestry.report.inside_attention import attention_page
    from anncestry.signature import BEGIN

    last = _last_layer(trained)
    layers, glance = _numbers(arguments.layer), not arguments.layer and arguments.head is None
    source, targets, facts = _read_and_written(trained, arguments)
    found = attention_maps(
        trained.model,
        torch.tensor([source]),
        torch.tensor([targets]),
        () if glance else layers or (last,),
        arguments.head,
    )
    processor: Any = trained.processor
    read, written = labels_of(processor.source, source), labels_of(processor.target, targets)
    known = labels_of(processor.target, [BEGIN, *targets[:-1]])
    heads = [_heads(maps, read, written, known) for maps in found]
    shown = [part for part, maps in zip(heads, found, strict=True) if not glance or maps.layer == last]
    kinds = dict.fromkeys(map(_kind, found))
    overview = [
        (kind, [replace(part, title=f"Layer {maps.layer}") for part, maps in zip(heads, found, strict=True)
                if _kind(maps) == kind])
        for kind in kinds
    ]  # fmt: skip
    look = "the heads look" if arguments.head is None else f"head {arguments.head} looks"
    facts += [f"{part.title}: {look} at {_listed(part.places)} places on average." for part in shown]
    return facts, attention_page(
        f"Inside {trained.architecture.name}", facts, shown, overview if glance else ()
    )


def _last_layer(trained: "Run") -> int:
    """The number of the last layer with attention.

    Raises:
        UserError: there is none; it says what else there is to see.
    """
    from anncestry.errors import UserError
    from anncestry.inspection.alignments import can_look
    from anncestry.inspection.attention_maps import attention_places

    try:
        return max(layer for _, layer, _ in attention_places(trained.model).values())
    except UserError as error:
        name = trained.architecture.name
        if can_look(trained.model, trained.signature):
            rule = f"has one attention without heads; `anncestry predict {trained.folder} INPUT --alignments "
            raise UserError("run", name, f"{rule}PAGE` shows where it looked") from error
        rule = "has no attention: it reads its source into a state of fixed size and never looks at it again"
        raise UserError("run", name, rule) from error


def _numbers(layers: tuple[str, ...]) -> tuple[int, ...]:
    """The numbers of a Transformer's layers."""
    from anncestry.errors import require

    for layer in layers:
        require(layer.isdecimal(), "--layer", layer, "must be the number of a layer, 1 being the first")
    return tuple(map(int, layers))


def _read_and_written(trained: "Run", arguments: Arguments) -> tuple[list[int], list[int], list[str]]:
    """The tokens of the source, those of what is written for it with the end, and what is to say of both."""
    from anncestry.cli.inputs import input_of
    from anncestry.errors import UserError, require
    from anncestry.generation import generate, usual_search
    from anncestry.signature import END

    processor: Any = trained.processor
    read = [
        item for item in processor.read_each(input_of(arguments.input, processor)) if item.value is not None
    ]
    if not read:
        rule = "holds no word; it must be a text, a file with one on each line, or -"
        raise UserError("INPUT", arguments.input, rule)
    source, notes = read[0].value[: arguments.max_steps], []
    if len(read) > 1:
        notes.append(f"The first of {len(read)} texts.")
    if read[0].note:
        notes.append(f"Note: {read[0].note}.")
    if len(source) < len(read[0].value):
        notes.append(f"Only its first {len(source)} of {len(read[0].value)} tokens were read.")
    if arguments.answer is None:
        inputs, lengths = processor.batch([source])
        (best,) = generate(trained.model, inputs, lengths, usual_search(trained.signature))[0]
        text, targets = processor.target.decode(best.tokens), [*best.tokens, END][: best.length]
        notes.append(f"Greedy search, log probability {best.log_prob:.4g}.")
    else:
        tokens = processor.target.encode(arguments.answer)
        require(bool(tokens), "--answer", arguments.answer, "holds no word")
        text, targets = processor.target.decode(tokens), [*tokens, END]
        notes.append("The answer was given; the net did not write it.")
    targets = targets[: arguments.max_steps]
    return source, targets, [f"“{read[0].label}” becomes “{text}”.", *notes]


def _kind(maps: "AttentionMaps") -> str:
    return "Cross-attention" if maps.cross else f"{maps.stack.capitalize()} self-attention"


def _heads(maps: "AttentionMaps", read: list[str], written: list[str], known: list[str]) -> "Heads":
    """What the page shows of a layer.

    Args:
        read: (S,) labels of the source.
        written: (T,) labels of what is written.
        known: (T,) labels of the token before each of them.
    """
    from anncestry.inspection.attention_maps import favourite_key, favourite_offset, places_seen
    from anncestry.report.inside_attention import Heads

    if maps.cross:
        about = "A row is a token that is written next, a column one of the source."
    elif maps.stack == "decoder":
        about = "A row is a token that is written next, a column one before it; a token sees no later one."
    else:
        about = "A row is a token of the source that looks, a column one that it looks at."
    rows = read if maps.stack == "encoder" else written
    columns = read if maps.cross or maps.stack == "encoder" else known
    notes = []
    for weights in maps.weights:
        key, share = favourite_key(weights)
        where = f" in place {key + 1}" if columns.count(columns[key]) > 1 else ""
        note = f"most at “{columns[key]}”{where} ({share:.2f})"
        if not maps.cross:
            offset, mean = favourite_offset(weights)
            here = "the token written last" if maps.stack == "decoder" else "the token itself"
            note = note if share > mean else f"most at {_distance(offset, here)} ({mean:.2f})"
        notes.append(note)
    return Heads(
        title=f"{_kind(maps)}, layer {maps.layer}",
        about=about,
        rows=rows,
        columns=columns,
        numbers=maps.heads,
        weights=_array(maps.weights),
        places=places_seen(maps.weights).tolist(),
        notes=notes,
    )


def _distance(offset: int, here: str) -> str:
    if not offset:
        return here
    places = "" if abs(offset) == 1 else f"{abs(offset)} places "
    return f"the token {places}{'before' if offset < 0 else 'after'} it"


def _listed(places: "Sequence[float]") -> str:
    """Figures in one line of words."""
    *most, last = [f"{place:.1f}" for place in places]
    return f"{', '.join(most)} and {last}" if most else last


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
