"""Run folders of weights that were trained elsewhere: what `anncestry import` writes."""

import dataclasses
from pathlib import Path
from typing import Any

import torch

import anncestry
from anncestry.checkpoints.imported import Imported
from anncestry.checkpoints.store import load_weights, write_tensors
from anncestry.data.processors import DenoisingProcessor, PieceTextProcessor, processor_from_json
from anncestry.data.tokenizer import Tokenizer, read_tokenizer
from anncestry.data.written_pieces import WrittenPieces
from anncestry.errors import UserError, require
from anncestry.models.building import build_checked
from anncestry.models.create import configure
from anncestry.runs import Run, check_new_folder, make_folder, write_json
from anncestry.timeline import find


def with_reader(found: Imported) -> Imported:
    """The same with what reads its texts, made from the tokenizer files beside the weights; with a note
    where these cannot be read or are of another vocabulary.

    Raises:
        UserError: an encoder's vocabulary has not as many tokens as its table has rows.
    """
    if found.processor is not None or found.tokenizer is None:
        return found
    try:
        tokenizer, size = read_tokenizer(found.tokenizer), found.config["input_size"]
        if found.reader is not None and found.reader["kind"] == DenoisingProcessor.kind:
            pieces = WrittenPieces.published(tokenizer, found.reader["rows"])
            made = DenoisingProcessor.around(pieces, found.reader["max_tokens"])
            return found._replace(processor=made.to_json())
        rule = f"has more tokens than the weights have rows, {size}"
        fits = len(tokenizer) <= size or found.reader is not None
        require(fits, "tokenizer", len(tokenizer), rule)
    except UserError as error:
        note = f"the tokenizer beside the weights cannot be used, so that the run takes tokens: {error}"
        return found._replace(tokenizer=None, notes=(*found.notes, note))
    if found.reader is not None:
        return _with_packed(found, found.reader, tokenizer)
    return found._replace(processor=PieceTextProcessor.of(tokenizer).to_json())


def _with_packed(found: Imported, reader: dict[str, Any], tokenizer: Tokenizer) -> Imported:
    """The same with texts packed between special tokens, and with the token that ends a first text."""
    size, config = found.config["input_size"], found.config
    rule = f"has {len(tokenizer)} tokens, and the table of words in the weights has {size} rows"
    require(len(tokenizer) == size, "vocabulary", str(found.tokenizer), rule)
    if reader["kind"] in ("packed-classes", "packed-labels", "packed-values"):
        reader = {"pairs": None, **reader}  # weights do not say whether they were trained on pairs
    separator = tokenizer.special.separator
    if config.get("num_segments", 0) > 1 and separator is not None:
        config = {"separator": separator, **config}
    return found._replace(config=config, processor={**reader, "tokenizer": tokenizer.to_json()})


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
    kept = {n: t for n, t in found.tensors.items() if n in wanted or not n.startswith(found.optional)}
    load_weights(model, kept, str(source))
    processor = None if found.processor is None else processor_from_json(found.processor)
    make_folder(folder)
    described = {
        "anncestry": anncestry.__version__,
        "torch": torch.__version__,
        "architecture": architecture.id,
        "model": dataclasses.asdict(config),
        "signature": config.signature.to_json(),
        "data": None,
        "training": {"imported": source.name},
    }
    write_tensors(folder / "model.safetensors", model.state_dict(), {"architecture": architecture.id})
    if processor is not None:
        write_json(folder / "processor.json", processor.to_json())
    write_json(folder / "config.json", described)
    return Run(folder)
