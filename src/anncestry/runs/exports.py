"""Runs under the names of other programs: a row of `EXPORTERS` for each form, and what all of them share.

A form is written whole or not at all: a folder under another name that takes its own when all is in it. What
is not quite the same there, or was left out, is reported in notes.
"""

import dataclasses
import io
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors.torch
from torch import Tensor

from anncestry.checkpoints.converters.elmo import OPTIONS, WEIGHTS, elmo_bytes, to_elmo
from anncestry.checkpoints.converters.encoder_names import Exported, TextFacts
from anncestry.checkpoints.converters.hugging_face.bart import exported_rows
from anncestry.checkpoints.converters.hugging_face.marian import to_marian
from anncestry.checkpoints.converters.keras.writer import layers_of, model_bytes, weights_bytes
from anncestry.checkpoints.converters.torch_transformer import to_torch_transformer
from anncestry.checkpoints.exporting import (
    HUGGING_FACE,
    IMAGES,
    RECURRENT,
    apart,
    keras_arrays,
    to_hugging_face,
    torch_weights,
)
from anncestry.checkpoints.store import write_tensors
from anncestry.errors import UserError, require
from anncestry.files import write_bytes
from anncestry.formats.sentencepiece_model import unigram_bytes
from anncestry.models.xlnet import NUM_TEXTS
from anncestry.runs.folder import RunFolder, make_folder, write_json
from anncestry.runs.onnx_export import write_onnx
from anncestry.timeline.abilities import NO_ONNX
from anncestry.tokenizers.files import write_tokenizer
from anncestry.tokenizers.spec import Special
from anncestry.tokenizers.target_vocabulary import TargetTokenizer
from anncestry.tokenizers.tokenizer import Tokenizer
from anncestry.tokenizers.vocabulary import Vocabulary

_KERAS = (".keras", ".weights.h5", ".npz")


class Exporter(NamedTuple):
    """A form in which other programs keep whole networks.

    Attributes:
        holds: of which runs there is such a form.
        fault: why a run has none, as far as its architecture and task say; None where it has.
        write: writes a run to a path where nothing is yet; returns notes on what is not the same there.
        options: names of further arguments of ``write``.
    """

    holds: str
    fault: Callable[[RunFolder], str | None]
    write: Callable[..., tuple[str, ...]]
    options: tuple[str, ...] = ()


def export_run(run: RunFolder, to: str, out: Path, **options: Any) -> tuple[str, ...]:
    """Write a run in another program's form.

    Args:
        to: a name of `EXPORTERS`.
        out: a new file or folder; a folder that is there must be empty.
        options: of the exporter.

    Returns:
        Notes for a person: what is not quite the same there.

    Raises:
        UserError: the run has no such form, or not with its config; ``out`` exists; an option is of another
            form; the disk is full.
    """
    if to not in EXPORTERS:
        raise UserError("to", to, "is not a form of weights", EXPORTERS)
    exporter = EXPORTERS[to]
    for name in options:
        if name not in exporter.options:
            able = [form for form, row in EXPORTERS.items() if name in row.options]
            raise UserError(name, options[name], f"is no option of {to}", able)
    fault = exporter.fault(run)
    if fault is not None:
        able = [form for form, row in EXPORTERS.items() if row.fault(run) is None]
        what = f"{run.architecture.id} ({run.architecture.name}) with the task {run.signature.task}"
        rule = f"{fault}; this run is {what}" + ("" if able else ", which no form holds")
        raise UserError("to", to, rule, able or None)
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise UserError("out", str(out), "exists already")
    return exporter.write(run, out, **options)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A new folder beside the one that is meant, which takes its place at the end, whole or not at all.

    Raises:
        UserError: it cannot be written.
    """
    make_folder(folder.absolute().parent)
    beside = folder.absolute().with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        beside.mkdir()
        yield beside
        if folder.is_dir():
            folder.rmdir()  # is empty
        os.replace(beside, folder)
    except OSError as error:
        raise UserError("out", str(folder), f"cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


# ---- what each form holds, and what writes it -----------------------------------------------------------


def _of(*architectures: str, task: str | None = None) -> Callable[[RunFolder], str | None]:
    """The fault of runs of other architectures than these, or of another task."""

    def fault(run: RunFolder) -> str | None:
        if run.architecture.id not in architectures:
            return f"holds runs of {', '.join(architectures)}"
        if task is not None and run.signature.task != task:
            return f"holds runs whose task is {task}"
        return None

    return fault


def _torch(run: RunFolder, out: Path) -> tuple[str, ...]:
    weights = run.model.state_dict()
    if run.architecture.id == "transformer":
        write_tensors(out, *to_torch_transformer(weights, run.model.config))  # pyright: ignore[reportArgumentType]
        return ()
    if run.architecture.id in IMAGES:
        write_tensors(out, weights)
        return ()
    write_tensors(out, torch_weights(weights, run.model.config))
    return _of_cells(run, "torch.nn.RNN(nonlinearity='relu')")


def _keras(run: RunFolder, out: Path) -> tuple[str, ...]:
    """By the ending of the file: a whole model, its weights, or arrays with their names."""
    tensors, config = run.model.state_dict(), run.model.config
    ending = next((ending for ending in _KERAS if out.name.endswith(ending)), "")
    require(bool(ending), "out", str(out), "must end as Keras's files do", _KERAS)
    recurrent = run.architecture.id in RECURRENT
    if ending == ".npz":
        require(recurrent, "out", str(out), "is a form of recurrent nets alone", _KERAS[:2])
        archive = io.BytesIO()
        np.savez(archive, **keras_arrays(tensors, config))  # pyright: ignore[reportArgumentType]
        write_bytes(out, archive.getvalue())
        return _of_cells(run, "SimpleRNN(activation='relu')")
    processor: Any = run.processor if (run.folder / "processor.json").is_file() else None
    fills = hasattr(processor, "lengths_of")
    masked = fills and run.signature.inputs == "tokens" and getattr(processor, "filler", 0) == 0
    if recurrent:
        wiring, rest = apart(tensors, config)
        tensors = {f"wiring.{name}": tensor for name, tensor in wiring.items()} | rest
    layers = layers_of(run.architecture.id, tensors, config, run.signature, masked)
    write_bytes(out, model_bytes(layers) if ending == ".keras" else weights_bytes(layers))
    notes: tuple[str, ...] = ()
    if fills and not masked:
        notes += ("sequences must be of equal length there: what fills them up would be read",)
    if processor is not None:
        notes += (
            f"its inputs are as {run.folder / 'processor.json'} makes them, and outputs as it reads them",
        )
    if ending == ".weights.h5":
        chain = ", ".join(f"{layer.kind}({_said(layer.options)})" for layer in layers)
        notes += (f"these are the weights of keras.Sequential([{chain}])",)
    return notes


def _said(options: dict[str, Any]) -> str:
    """The options of a layer that matter to a person."""
    shown = {name: value for name, value in options.items() if not isinstance(value, dict)}
    inner = [part["class_name"] for part in options.values() if isinstance(part, dict)]
    return ", ".join([*inner[:1], *(f"{name}={value!r}" for name, value in shown.items())])


def _of_cells(run: RunFolder, relu: str) -> tuple[str, ...]:
    """What the weights of recurrent cells do not say."""
    config: Any = run.model.config
    return (f"its units are ReLU: {relu}",) if getattr(config, "activation", "") == "relu" else ()


def _marian(run: RunFolder, out: Path) -> tuple[str, ...]:
    processor: Any = run.processor
    sides = (processor.source.tokens, processor.target.tokens)
    made = to_marian(run.model.state_dict(), run.model.config, sides, processor.max_tokens)
    cutters = {"source.spm": processor.source, "target.spm": processor.target}
    models = {
        name: unigram_bytes(words.pieces, words.charsmap)
        for name, words in cutters.items()
        if words.kind == "unigram" and isinstance(words, Vocabulary)
    }
    with whole_folder(out) as folder:
        _write_network(folder, made)
        for name, octets in models.items():
            write_bytes(folder / name, octets)
    if len(models) == len(cutters):
        return made.notes
    kind = processor.source.kind
    note = f"no .spm is written: texts are cut by {kind} here, which MarianTokenizer does not know"
    return *made.notes, note


def _elmo(run: RunFolder, out: Path) -> tuple[str, ...]:
    options, arrays = to_elmo(run.model.state_dict(), run.model.config)  # pyright: ignore[reportArgumentType]
    with whole_folder(out) as folder:
        write_bytes(folder / WEIGHTS, elmo_bytes(arrays))
        write_json(folder / OPTIONS, options)
    return ()


def _hugging_face(run: RunFolder, out: Path) -> tuple[str, ...]:
    processor: Any = run.processor if (run.folder / "processor.json").is_file() else None
    config: Any = run.model.config
    tensors = run.model.state_dict()
    longest = getattr(processor, "max_tokens", 0)
    if run.architecture.id != "xlnet":  # which has no positions
        longest = min(longest or config.num_positions, config.num_positions)
    tokenizer, rows = getattr(processor, "tokenizer", None), ()
    if (
        isinstance(getattr(processor, "source", None), TargetTokenizer)
        and processor.source == processor.target
    ):
        rows = exported_rows(tensors, processor.source.numbers or range(len(processor.source)))
        tokenizer, longest = processor.source.as_published(rows), config.num_positions
    elif tokenizer is not None:
        tokenizer = _for_clients(tokenizer, run)
    special = Special() if tokenizer is None else tokenizer.special
    facts = TextFacts(
        tuple(getattr(processor, "classes", None) or getattr(processor, "tags", None) or ()),
        longest, special.pad, special.begin, special.end, run.signature.task == "multi-label", rows,
    )  # fmt: skip
    mean, scale = getattr(processor, "mean", 0.0), getattr(processor, "scale", 1.0)
    if run.signature.task == "regression":
        tensors = _in_units(tensors, mean, scale)
    made = to_hugging_face(run.architecture.id, tensors, config, facts)
    with whole_folder(out) as folder:
        for place, part in {"": made, **made.folders}.items():
            _write_network(folder / place, part)
            if tokenizer is not None:
                write_tokenizer(tokenizer, folder / place, longest, _separators_of(run))
    if tokenizer is not None:
        return made.notes
    what = "takes tokens" if processor is None else f"reads {processor.kind} in its own way"
    return *made.notes, f"no tokenizer is written: the run {what}"


def _in_units(tensors: dict[str, Tensor], mean: float, scale: float) -> dict[str, Tensor]:
    """A net that puts out values in their units, where it learnt (value - mean) / scale."""
    head = next((name for name in ("head", "answer.linear") if f"{name}.bias" in tensors), None)
    if head is None:  # a cosine, which has none
        return tensors
    weight, bias = f"{head}.weight", f"{head}.bias"
    return {**tensors, weight: tensors[weight] * scale, bias: tensors[bias] * scale + mean}


def _for_clients(tokenizer: Tokenizer, run: RunFolder) -> Tokenizer:
    """The tokenizer with which transformers reads as the run does."""
    if run.signature.task == "tagging" and tokenizer.kind == "byte-bpe" and not tokenizer.rules:
        tokenizer = dataclasses.replace(tokenizer, prefix_space=True)  # every word as if a blank stood before
    return _with_filler(tokenizer, run)


def _without_graph(run: RunFolder) -> str | None:
    """The fault of runs whose architecture has no ONNX graph."""
    return NO_ONNX.get(run.architecture.id)


def _onnx(run: RunFolder, out: Path, int8: bool = False) -> tuple[str, ...]:
    processor = run.processor if (run.folder / "processor.json").is_file() else None
    if getattr(processor, "tokenizer", None) is not None:
        processor = dataclasses.replace(processor, tokenizer=_with_filler(processor.tokenizer, run))  # pyright: ignore
    with whole_folder(out) as folder:
        return write_onnx(run.architecture.id, run.model, run.signature, processor, folder, int8)


def _with_filler(tokenizer: Tokenizer, run: RunFolder) -> Tokenizer:
    """A tokenizer that fills up batches as the run does, where it has no token for that alone."""
    special = tokenizer.special
    if special.pad is not None or special.begin is None or tokenizer.template == "none":
        return tokenizer
    counted = getattr(run.model, "first_position", 0)  # positions are counted by what is no filler
    rule = f"needs a filler of its own in {run.architecture.name}, and this tokenizer has none"
    require(not counted, "tokenizer", tokenizer.kind, rule)
    filler: int = getattr(run.processor, "filler", special.begin)
    return dataclasses.replace(tokenizer, special=dataclasses.replace(special, pad=filler))


def _separators_of(run: RunFolder) -> int:
    """How many texts of an input a net tells apart by the types of their tokens."""
    config: Any = run.model.config
    if getattr(config, "separator", -1) < 0:
        return 1
    return NUM_TEXTS if run.architecture.id == "xlnet" else max(1, config.num_segments)


def _write_network(folder: Path, made: Exported) -> None:
    """The weights, the config and what lies beside them."""
    make_folder(folder)
    write_bytes(folder / "model.safetensors", safetensors.torch.save(made.tensors, {"format": "pt"}))
    for name, content in {"config.json": made.config, **made.files}.items():
        make_folder((folder / name).parent)
        write_json(folder / name, content)


def _in_transformers(run: RunFolder) -> str | None:
    """The fault of runs whose network transformers has no class for."""
    if run.architecture.id in HUGGING_FACE:
        return None
    return f"transformers has no class of {run.architecture.id}; it has those of {', '.join(HUGGING_FACE)}"


EXPORTERS: dict[str, Exporter] = {
    "torch": Exporter(
        "recurrent nets, Transformers and nets of images", _of(*RECURRENT, *IMAGES, "transformer"), _torch
    ),
    "keras": Exporter("recurrent nets and perceptrons of many layers", _of(*RECURRENT, "mlp"), _keras),
    "marian": Exporter(
        "Transformers with the normalisation behind", _of("transformer", task="translation"), _marian
    ),
    "huggingface": Exporter("what transformers has a class for", _in_transformers, _hugging_face),
    "elmo": Exporter("ELMo's language models", _of("elmo"), _elmo),
    "onnx": Exporter("whatever predicts", _without_graph, _onnx, ("int8",)),
}
"""Every form, by its name."""
