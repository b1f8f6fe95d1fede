"""Run folders of weights that were trained elsewhere: what `anncestry import` writes."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anncestry.checkpoints.imported import Imported
from anncestry.checkpoints.store import load_weights, write_tensors
from anncestry.data.processors import (
    DenoisingProcessor,
    PackedLabelsProcessor,
    PieceTextProcessor,
    processor_from_json,
)
from anncestry.errors import UserError, require
from anncestry.models.building import build_checked
from anncestry.models.create import configure
from anncestry.runs.folder import check_new_folder, make_folder, write_json, written_by
from anncestry.runs.run import Run
from anncestry.timeline import find
from anncestry.tokenizers.files import Facts
from anncestry.tokenizers.files import read as read_facts
from anncestry.tokenizers.library import lowered
from anncestry.tokenizers.spec import Template, packed_parts
from anncestry.tokenizers.target_vocabulary import TargetTokenizer


def with_reader(found: Imported) -> Imported:
    """The same with what reads its texts, made from the tokenizer files beside the weights; with a note
    where these cannot be read or are of another vocabulary.

    Raises:
        UserError: an encoder's vocabulary has more tokens than its table has rows; the tokenizer tells texts
            apart in a way that is not computed here.
    """
    if found.processor is not None or found.tokenizer is None:
        return found
    try:
        facts, size = read_facts(found.tokenizer), found.config["input_size"]
        if found.reader is not None and found.reader["kind"] == DenoisingProcessor.kind:
            pieces = TargetTokenizer.published(facts.tokenizer, found.reader["rows"])
            made = DenoisingProcessor.around(pieces, found.reader["max_tokens"])
            notes = (*found.notes, *facts.notes)
            return found._replace(processor=made.to_json(), notes=notes)
        rule = f"has more tokens than the weights have rows, {size}"
        fits = len(facts.tokenizer) <= size or found.reader is not None
        require(fits, "tokenizer", len(facts.tokenizer), rule)
    except UserError as error:
        note = f"the tokenizer beside the weights cannot be used, so that the run takes tokens: {error}"
        return found._replace(tokenizer=None, notes=(*found.notes, note))
    assumed = [note for note in found.notes if not note.startswith("separator=")]  # now it is known
    found = found._replace(notes=(*assumed, *facts.notes))
    if found.reader is not None:
        return _with_packed(found, found.reader, facts)
    reads = PieceTextProcessor(facts.tokenizer.tokens, facts.tokenizer, facts.reads_special)
    return found._replace(processor=reads.to_json())


def _with_packed(found: Imported, reader: dict[str, Any], facts: Facts) -> Imported:
    """The same with texts packed between special tokens, and with the token that ends a first text."""
    size, tokenizer, reader = found.config["input_size"], facts.tokenizer, dict(reader)
    if reader.pop("lower", False):
        tokenizer = lowered(tokenizer)
    rule = f"has {len(tokenizer)} tokens, and the table of words in the weights has {size} rows"
    require(len(tokenizer) <= size, "vocabulary", str(found.tokenizer), rule)
    if reader["kind"] in ("packed-classes", "packed-labels", "packed-values"):
        reader = {"pairs": None, **reader}  # weights do not say whether they were trained on pairs
    if not reader.pop("fixed", False) and facts.max_tokens is not None:
        reader = {**reader, "max_tokens": min(facts.max_tokens, reader.get("max_tokens", facts.max_tokens))}
    config, notes = _with_separators(found, facts)
    pad, filler = reader.pop("pad", None), tokenizer.special.pad
    if pad is not None and filler is not None and pad != filler:
        notes += (f"pad_token_id={pad} is not heeded: the tokenizer fills with {filler}, and so do we",)
    separator = config.get("separator", -1)
    read = {
        **reader, "read_special": facts.reads_special, "apart": separator if separator >= 0 else None,
        "tokenizer": tokenizer.to_json(),
    }  # fmt: skip
    return found._replace(config=config, processor=read, notes=(*found.notes, *notes))


def _with_separators(found: Imported, facts: Facts) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The config that tells texts apart as the tokenizer does, by the separators between them; and notes.

    Raises:
        UserError: separators cannot tell what its template says.
    """
    config, tokenizer = found.config, facts.tokenizer
    by_distance = found.architecture == "xlnet"  # no table, but whether two tokens are of one text
    count = 2 if by_distance else config.get("num_segments", 0)
    if count < 2:
        word = found.architecture in ("xlm", "flaubert") and any(map(any, facts.types))
        note = (
            "the tokenizer's token_type_ids are not heeded; transformers adds the vectors of tokens 0 and 1"
        )
        return config, (note,) if word else ()
    separator = tokenizer.special.separator
    if not any(map(any, facts.types)):
        if separator is None or "B" not in packed_parts(tokenizer.template)[1]:
            return {**config, "separator": -1}, ()
        note = f"separator=-1: the tokenizer tells no texts apart (set separator={separator} does)"
        return {**config, "separator": -1}, (note,)
    wanted = tuple(_by_separators(form, tokenizer.template, count) for form in (0, 1))
    found_types = tuple(tuple(min(kind, count - 1) for kind in form) for form in facts.types)
    rule = f"tells the parts of two texts apart as {facts.types[1]}; separators tell {wanted[1]}"
    require(separator is not None and found_types == wanted, "tokenizer", str(found.tokenizer), rule)
    return {**config, "separator": separator}, ()


def _by_separators(form: int, template: Template, count: int) -> tuple[int, ...]:
    """Of the parts round one text, or two, how many separators stand before each."""
    parts, ended = packed_parts(template)[form], 0
    types = []
    for part in parts:
        types.append(min(ended, count - 1))
        ended += part == "separator" or (part == "end" and template in ("bert", "roberta"))
    return tuple(types)


def _is_optional(name: str, parts: Sequence[str]) -> bool:
    return any(part in name for part in parts)


def write_import(folder: Path, found: Imported, source: Path) -> Run:
    """A folder for weights that were trained elsewhere: the config, the weights, and what reads texts if it
    is known; no data.

    Raises:
        UserError: the folder exists and is not empty, cannot be written, or the weights do not fit.
    """
    check_new_folder(folder)
    found = with_reader(found)
    architecture = find(found.architecture)
    config = configure(architecture.id, found.config, source=str(source))
    model = build_checked(architecture, config, found.tensors, str(source))
    wanted = model.state_dict()
    kept = {n: t for n, t in found.tensors.items() if n in wanted or not _is_optional(n, found.optional)}
    load_weights(model, kept, str(source))
    processor = None if found.processor is None else processor_from_json(found.processor)
    signature = config.signature
    if found.processor is not None and found.processor["kind"] == PackedLabelsProcessor.kind:
        signature = dataclasses.replace(signature, task="multi-label")
    make_folder(folder)
    described = written_by() | {
        "architecture": architecture.id,
        "model": dataclasses.asdict(config),
        "signature": signature.to_json(),
        "data": None,
        "training": {"imported": source.name, "notes": list(found.notes)},
    }
    write_tensors(folder / "model.safetensors", model.state_dict(), {"architecture": architecture.id})
    if processor is not None:
        write_json(folder / "processor.json", processor.to_json())
    write_json(folder / "config.json", described)
    return Run(folder)
