"""The page of a Transformer: the attention weights of its heads over a text."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from anncestry.data.processors.given import Given
from anncestry.errors import UserError, require
from anncestry.inference.generation import default_search, generate
from anncestry.inspection.alignments import attends_to_source
from anncestry.inspection.attention_maps import (
    AttentionMaps,
    attention_maps,
    attention_modules,
    effective_keys,
    favourite_key,
    favourite_offset,
)
from anncestry.inspection.labels import labels_of, token_labels
from anncestry.report.inside.attention import Heads, attention_page
from anncestry.report.page import Page
from anncestry.runs.folder import RunFolder
from anncestry.runs.inside.options import InspectOptions
from anncestry.signature import BEGIN, END


def heads_of_translation(run: RunFolder, source: Given, options: InspectOptions) -> Page:
    """The heads while the net reads a text and generates its translation.

    Raises:
        UserError: the net has no attention heads, there is no such layer or head, or a text is empty.
    """
    last = _last_layer(run)
    layers, overview = _chosen(options, last)
    tokens, targets, highlights = _source_and_target(run, source, options)
    found = attention_maps(run.model, torch.tensor([tokens]), torch.tensor([targets]), layers, options.head)
    processor: Any = run.processor
    read, generated = labels_of(processor.source, tokens), labels_of(processor.target, targets)
    known = labels_of(processor.target, [BEGIN, *targets[:-1]])
    heads = [_of_stack(maps, read, generated, known) for maps in found]
    return _page(run, highlights, found, heads, last if overview else None, options)


def heads_of_text(run: RunFolder, source: Given, options: InspectOptions) -> Page:
    """The heads of an encoder or a language model over a text.

    Raises:
        UserError: there is no such layer or head, or the text cannot be read.
    """
    last = _last_layer(run)
    layers, overview = _chosen(options, last)
    read, inputs = run.processor.read(source)
    tokens = inputs[:1, : options.max_steps]
    highlights = [f"“{read[0]}”, as this {run.architecture.name} reads it."]
    highlights += [f"The first of {len(inputs)} texts."] if len(inputs) > 1 else []
    if tokens.shape[1] < inputs.shape[1]:
        highlights.append(f"Only its first {tokens.shape[1]} of {inputs.shape[1]} tokens were read.")
    found = attention_maps(run.model, tokens, None, layers, options.head)
    labels = token_labels(run.processor, tokens[0].tolist())
    about = "A row is a token that attends, a column one that it attends to."
    if all((maps.weights.triu(1) == 0).all() for maps in found):
        about += " No token attends to a later one."
    heads = [_heads(maps, labels, labels, about, "the token itself") for maps in found]
    return _page(run, highlights, found, heads, last if overview else None, options)


def _chosen(options: InspectOptions, last: int) -> tuple[tuple[int, ...], bool]:
    """The layers whose heads are shown, none for all, and whether all are shown at a glance."""
    overview = not options.layer and options.head is None
    return (() if overview else _numbers(options.layer) or (last,)), overview


def _page(
    run: RunFolder,
    highlights: list[str],
    found: Sequence[AttentionMaps],
    heads: Sequence[Heads],
    large: int | None,
    options: InspectOptions,
) -> Page:
    """The page.

    Args:
        highlights: what is to be said before the layers.
        large: the layer that is drawn large beside all at a glance; None where only what was chosen is drawn.
    """
    shown = [part for part, maps in zip(heads, found, strict=True) if large in (None, maps.layer)]
    overview = [
        (kind, [replace(part, title=f"Layer {maps.layer}") for part, maps in zip(heads, found, strict=True)
                if _kind(maps) == kind])
        for kind in dict.fromkeys(map(_kind, found))
    ]  # fmt: skip
    which = "the heads attend" if options.head is None else f"head {options.head} attends"
    counts = [f"{part.title}: {which} to {_listed(part.effective_keys)} tokens on average." for part in shown]
    title, highlights = f"Inside {run.architecture.name}", [*highlights, *counts]
    html = attention_page(title, highlights, shown, overview if large is not None else ())
    return Page(html, tuple(highlights))


def _last_layer(run: RunFolder) -> int:
    """The number of the last layer with attention.

    Raises:
        UserError: there is none; it says what else there is to see.
    """
    try:
        return max(layer for _, layer, _ in attention_modules(run.model).values())
    except UserError as error:
        name = run.architecture.name
        if attends_to_source(run.model, run.signature):
            rule = f"has one attention without heads; `anncestry predict {run.folder} INPUT --alignments "
            raise UserError("run", name, f"{rule}PAGE` shows its weights") from error
        rule = "has no attention: it reads its source into a state of fixed size and sees nothing else of it"
        raise UserError("run", name, rule) from error


def _numbers(layers: tuple[str, ...]) -> tuple[int, ...]:
    """The numbers of a Transformer's layers."""
    for layer in layers:
        require(str(layer).isdecimal(), "layer", layer, "must be the number of a layer, 1 being the first")
    return tuple(map(int, layers))


def _source_and_target(
    run: RunFolder, given: Given, options: InspectOptions
) -> tuple[list[int], list[int], list[str]]:
    """The tokens of the source, those of its translation with the end, and what is to say of both."""
    processor: Any = run.processor
    read = [item for item in processor.read_each(given) if item.value is not None]
    if not read:
        rule = "holds no word; it must be a text, a file with one on each line, or -"
        raise UserError("INPUT", given if isinstance(given, str) else str(given), rule)
    source, notes = read[0].value[: options.max_steps], []
    if len(read) > 1:
        notes.append(f"The first of {len(read)} texts.")
    if read[0].note:
        notes.append(f"Note: {read[0].note}.")
    if len(source) < len(read[0].value):
        notes.append(f"Only its first {len(source)} of {len(read[0].value)} tokens were read.")
    if options.answer is None:
        inputs, lengths = processor.batch([source])
        (best,) = generate(run.model, inputs, lengths, default_search(run.signature))[0]
        text, targets = processor.target.decode(best.tokens), [*best.tokens, END][: best.length]
        notes.append(f"Greedy search, log probability {best.log_prob:.4g}.")
    else:
        tokens = processor.target.encode(options.answer)
        require(bool(tokens), "answer", options.answer, "holds no word")
        text, targets = processor.target.decode(tokens), [*tokens, END]
        notes.append("The answer was given; the net did not generate it.")
    targets = targets[: options.max_steps]
    return source, targets, [f"“{read[0].label}” becomes “{text}”.", *notes]


def _kind(maps: AttentionMaps) -> str:
    if maps.cross:
        return "Cross-attention"
    of_two = maps.stack in ("encoder", "decoder")
    return f"{maps.stack.capitalize()} self-attention" if of_two else "Self-attention"


def _of_stack(maps: AttentionMaps, read: list[str], generated: list[str], known: list[str]) -> Heads:
    """What the page shows of a layer of an encoder-decoder.

    Args:
        read: (S,) labels of the source.
        generated: (T,) labels of what is generated.
        known: (T,) labels of the token before each of them.
    """
    if maps.cross:
        about = "A row is a token that is generated next, a column one of the source."
        return _heads(maps, generated, read, about, "")
    if maps.stack == "decoder":
        about = "A row is a token that is generated next, a column one before it; a token sees no later one."
        return _heads(maps, generated, known, about, "the token generated last")
    about = "A row is a token of the source that attends, a column one that it attends to."
    return _heads(maps, read, read, about, "the token itself")


def _heads(maps: AttentionMaps, rows: list[str], columns: list[str], about: str, here: str) -> Heads:
    """What the page shows of a layer.

    Args:
        rows: (T,) labels of the queries.
        columns: (S,) labels of the keys.
        here: the key at a query's own position, in words.
    """
    notes = []
    for weights in maps.weights:
        key, share = favourite_key(weights)
        where = f" at position {key + 1}" if columns.count(columns[key]) > 1 else ""
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
        effective_keys=effective_keys(maps.weights).tolist(),
        notes=notes,
    )


def _distance(offset: int, here: str) -> str:
    if not offset:
        return here
    positions = "" if abs(offset) == 1 else f"{abs(offset)} positions "
    return f"the token {positions}{'before' if offset < 0 else 'after'} it"


def _listed(figures: Sequence[float]) -> str:
    """Figures in one line of words."""
    *most, last = [f"{figure:.1f}" for figure in figures]
    return f"{', '.join(most)} and {last}" if most else last
