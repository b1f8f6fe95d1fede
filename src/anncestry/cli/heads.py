"""`anncestry inspect` of a Transformer: the attention weights of its heads over a text, as a page."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anncestry.cli.inspect_options import Options
    from anncestry.inspection.attention_maps import AttentionMaps
    from anncestry.report.inside.attention import Heads
    from anncestry.runs.run import Run


def of_translation(trained: "Run", source: str, options: "Options") -> tuple[list[str], str]:
    """The heads while the net reads a text and writes what it becomes: what stands out, and the page."""
    import torch

    from anncestry.inspection.attention_maps import attention_maps
    from anncestry.inspection.labels import labels_of
    from anncestry.signature import BEGIN

    last = _last_layer(trained)
    layers, glance = _chosen(options, last)
    tokens, targets, facts = _read_and_written(trained, source, options)
    asked = (torch.tensor([tokens]), torch.tensor([targets]))
    found = attention_maps(trained.model, *asked, layers, options.head)
    processor: Any = trained.processor
    read, written = labels_of(processor.source, tokens), labels_of(processor.target, targets)
    known = labels_of(processor.target, [BEGIN, *targets[:-1]])
    heads = [_of_stack(maps, read, written, known) for maps in found]
    return _page(trained, facts, found, heads, last if glance else None, options)


def of_text(trained: "Run", text: str, options: "Options") -> tuple[list[str], str]:
    """The heads of an encoder or a language model over a text: what stands out, and the page."""
    from anncestry.cli.inputs import input_of
    from anncestry.inspection.attention_maps import attention_maps
    from anncestry.inspection.labels import token_labels

    last = _last_layer(trained)
    layers, glance = _chosen(options, last)
    read, inputs = trained.processor.read(input_of(text, trained.processor))
    tokens = inputs[:1, : options.max_steps]
    facts = [f"“{read[0]}”, as this {trained.architecture.name} reads it."]
    facts += [f"The first of {len(inputs)} texts."] if len(inputs) > 1 else []
    if tokens.shape[1] < inputs.shape[1]:
        facts.append(f"Only its first {tokens.shape[1]} of {inputs.shape[1]} tokens were read.")
    found = attention_maps(trained.model, tokens, None, layers, options.head)
    labels = token_labels(trained.processor, tokens[0].tolist())
    about = "A row is a token that attends, a column one that it attends to."
    if all((maps.weights.triu(1) == 0).all() for maps in found):
        about += " No token attends to a later one."
    heads = [_heads(maps, labels, labels, about, "the token itself") for maps in found]
    return _page(trained, facts, found, heads, last if glance else None, options)


def _chosen(options: "Options", last: int) -> tuple[tuple[int, ...], bool]:
    """The layers whose heads are shown, none for all, and whether all are shown at a glance."""
    glance = not options.layer and options.head is None
    return (() if glance else _numbers(options.layer) or (last,)), glance


def _page(
    trained: "Run",
    facts: list[str],
    found: "Sequence[AttentionMaps]",
    heads: "Sequence[Heads]",
    large: int | None,
    options: "Options",
) -> tuple[list[str], str]:
    """What stands out, and the page.

    Args:
        large: the layer that is drawn large beside all at a glance; None where only what was chosen is drawn.
    """
    from anncestry.report.inside.attention import attention_page

    shown = [part for part, maps in zip(heads, found, strict=True) if large in (None, maps.layer)]
    overview = [
        (kind, [replace(part, title=f"Layer {maps.layer}") for part, maps in zip(heads, found, strict=True)
                if _kind(maps) == kind])
        for kind in dict.fromkeys(map(_kind, found))
    ]  # fmt: skip
    which = "the heads attend" if options.head is None else f"head {options.head} attends"
    facts += [f"{part.title}: {which} to {_listed(part.places)} tokens on average." for part in shown]
    title = f"Inside {trained.architecture.name}"
    return facts, attention_page(title, facts, shown, overview if large is not None else ())


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
            raise UserError("run", name, f"{rule}PAGE` shows its weights") from error
        rule = "has no attention: it reads its source into a state of fixed size and sees nothing else of it"
        raise UserError("run", name, rule) from error


def _numbers(layers: tuple[str, ...]) -> tuple[int, ...]:
    """The numbers of a Transformer's layers."""
    from anncestry.errors import require

    for layer in layers:
        require(layer.isdecimal(), "--layer", layer, "must be the number of a layer, 1 being the first")
    return tuple(map(int, layers))


def _read_and_written(
    trained: "Run", given_source: str, options: "Options"
) -> tuple[list[int], list[int], list[str]]:
    """The tokens of the source, those of what is written for it with the end, and what is to say of both."""
    from anncestry.cli.inputs import input_of
    from anncestry.errors import UserError, require
    from anncestry.inference.generation import generate, usual_search
    from anncestry.signature import END

    processor: Any = trained.processor
    read = [item for item in processor.read_each(input_of(given_source, processor)) if item.value is not None]
    if not read:
        rule = "holds no word; it must be a text, a file with one on each line, or -"
        raise UserError("INPUT", given_source, rule)
    source, notes = read[0].value[: options.max_steps], []
    if len(read) > 1:
        notes.append(f"The first of {len(read)} texts.")
    if read[0].note:
        notes.append(f"Note: {read[0].note}.")
    if len(source) < len(read[0].value):
        notes.append(f"Only its first {len(source)} of {len(read[0].value)} tokens were read.")
    if options.answer is None:
        inputs, lengths = processor.batch([source])
        (best,) = generate(trained.model, inputs, lengths, usual_search(trained.signature))[0]
        text, targets = processor.target.decode(best.tokens), [*best.tokens, END][: best.length]
        notes.append(f"Greedy search, log probability {best.log_prob:.4g}.")
    else:
        tokens = processor.target.encode(options.answer)
        require(bool(tokens), "--answer", options.answer, "holds no word")
        text, targets = processor.target.decode(tokens), [*tokens, END]
        notes.append("The answer was given; the net did not write it.")
    targets = targets[: options.max_steps]
    return source, targets, [f"“{read[0].label}” becomes “{text}”.", *notes]


def _kind(maps: "AttentionMaps") -> str:
    if maps.cross:
        return "Cross-attention"
    return (
        f"{maps.stack.capitalize()} self-attention"
        if maps.stack in ("encoder", "decoder")
        else "Self-attention"
    )


def _of_stack(maps: "AttentionMaps", read: list[str], written: list[str], known: list[str]) -> "Heads":
    """What the page shows of a layer of an encoder-decoder.

    Args:
        read: (S,) labels of the source.
        written: (T,) labels of what is generated.
        known: (T,) labels of the token before each of them.
    """
    if maps.cross:
        about = "A row is a token that is generated next, a column one of the source."
        return _heads(maps, written, read, about, "")
    if maps.stack == "decoder":
        about = "A row is a token that is generated next, a column one before it; a token sees no later one."
        return _heads(maps, written, known, about, "the token generated last")
    about = "A row is a token of the source that attends, a column one that it attends to."
    return _heads(maps, read, read, about, "the token itself")


def _heads(maps: "AttentionMaps", rows: list[str], columns: list[str], about: str, here: str) -> "Heads":
    """What the page shows of a layer.

    Args:
        rows: (T,) labels of the queries.
        columns: (S,) labels of the keys.
        here: the key at a query's own place, in words.
    """
    from anncestry.inspection.attention_maps import favourite_key, favourite_offset, places_seen
    from anncestry.report.inside.attention import Heads

    notes = []
    for weights in maps.weights:
        key, share = favourite_key(weights)
        where = f" in place {key + 1}" if columns.count(columns[key]) > 1 else ""
        note = f"most to “{columns[key]}”{where} ({share:.2f})"
        if not maps.cross:
            offset, mean = favourite_offset(weights)
            note = note if share > mean else f"most to {_distance(offset, here)} ({mean:.2f})"
        notes.append(note)
    return Heads(
        title=f"{_kind(maps)}, layer {maps.layer}",
        about=about,
        rows=rows,
        columns=columns,
        numbers=maps.heads,
        weights=maps.weights.detach().cpu().numpy(),
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
