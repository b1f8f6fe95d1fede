"""tensor2tensor's Transformers: a TensorFlow checkpoint, with ``hparams.json`` and the vocabulary beside it.

Kernels are (in, out); the table of embeddings lies in shards of rows; attention has no biases; positions are
tensor2tensor's sinusoids. What begins a text is a vector of zeros, filler is read as zeros. The first version
normalises behind each sub-layer (``layer_postprocess_sequence`` has an ``n``), later ones in front.

A model of several languages adds a vector for the target's to all words of the source
(``target_space_embedding``): that of number 0, the generic one, is added to the source's table.
"""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anncestry.checkpoints.converters.transformer_names import (
    USUAL_HEADS,
    Words,
    arrange,
    imported,
    processor_json,
    refuse_unknown,
    vocabulary_json,
)
from anncestry.checkpoints.foreign_files import ForeignFiles
from anncestry.checkpoints.imported import Imported
from anncestry.errors import UserError, require

_TRAINING = re.compile(
    r"(.*/)?(Adam(_[0-9]+)?|Adafactor|vr|vc|m|v|Momentum|ExponentialMovingAverage)"
    r"|global_step|(losses_avg|train_stats|training|loss_scale|learning_rate)(/.*)?|(.*/)?beta[12]_power"
)
_PART = re.compile(r".*?body/(encoder|decoder)/layer_([0-9]+)/(self_attention|encdec_attention|ffn)/(.*)")
_LAST = re.compile(r".*?body/(encoder|decoder)/layer_(?:pre|post|prepost)process/layer_norm/layer_norm_(\w+)")
_NORM = re.compile(r"layer_(?:pre|post|prepost)process/layer_norm/layer_norm_(scale|bias)")
_TABLE = re.compile(
    r"(.*/)?symbol_modality_[0-9]+_[0-9]+/(shared|input_emb|target_emb|softmax)/weights(?:_([0-9]+))?"
)
_SPACE = re.compile(r".*?body/target_space_embedding/kernel")
_SUBLAYERS = {"self_attention": "attention", "encdec_attention": "cross_attention", "ffn": "feed_forward"}
_LINEAR = {
    "multihead_attention/q/kernel": "q.weight", "multihead_attention/k/kernel": "k.weight",
    "multihead_attention/v/kernel": "v.weight", "multihead_attention/output_transform/kernel": "out.weight",
    "conv1/kernel": "inner.weight", "conv1/bias": "inner.bias",
    "conv2/kernel": "out.weight", "conv2/bias": "out.bias",
}  # fmt: skip
_NORM_PARTS = {"scale": "weight", "bias": "bias"}
_PAD, _END = 0, 1  # rows of theirs
_HPARAMS = "hparams.json"
_VOCABULARY = re.compile(r"vocab\..*(\.subwords|[0-9])")


def is_tensor2tensor(files: ForeignFiles) -> bool:
    """Whether it is a checkpoint of TensorFlow, given by its folder, its prefix, or one of its files.

    Ask after GPT-2 and BERT, whose authors' checkpoints are of TensorFlow too.
    """
    return files.bundle is not None


def from_tensor2tensor(files: ForeignFiles, _: str | None = None) -> Imported:
    """The Transformer of what `is_tensor2tensor` accepts.

    Beside it ``hparams.json`` and one vocabulary, ``vocab.NAME.subwords``, are looked for. Without a
    vocabulary, or with several, texts cannot be read; a row t of theirs from 2 on then is the token t + 2 of
    ours.

    Raises:
        UserError: the files cannot be read; tensors are unknown or missing; the vocabulary does not fit; the
            settings are of another network.
    """
    source, bundle = files.name, files.bundle
    assert bundle is not None
    wanted = [name for name in bundle.listed if not _TRAINING.fullmatch(name)]
    named = {name: _our_name(name) for name in wanted}
    refuse_unknown([name for name, new in named.items() if new is None], source, "tensor2tensor's")
    read = bundle.read(wanted)
    arrays = {name: torch.from_numpy(np.array(array, np.float32)) for name, array in read.items()}
    tensors = {new: _turned(arrays[name], new) for name, new in named.items() if new}
    tables = _tables(arrays, tensors, source)
    config, notes = _config(files, tensors, source)
    space = [array for name, array in arrays.items() if _SPACE.fullmatch(name)]
    if space:
        scale = math.sqrt(space[0].shape[1]) if config["scale_embeddings"] else 1.0
        tables["source_embedding.weight"] = tables["source_embedding.weight"] + space[0][0] / scale
    words, processor = _words(files, len(tables["embedding.weight"]))
    return imported(tensors | tables, (words, words), config, source, processor, notes)


def _our_name(name: str) -> str | None:
    """Ours of a part of a layer; "" for tables, which are handled apart."""
    if _TABLE.fullmatch(name) or _SPACE.fullmatch(name):
        return ""
    if match := _LAST.fullmatch(name):
        part = _NORM_PARTS.get(match[2])
        return None if part is None else f"{match[1]}_norm.{part}"
    match = _PART.fullmatch(name)
    if match is None:
        return None
    place, sublayer = f"{match[1]}.{match[2]}", _SUBLAYERS[match[3]]
    if norm := _NORM.fullmatch(match[4]):
        return f"{place}.around_{sublayer}.norm.{_NORM_PARTS[norm[1]]}"
    part = _LINEAR.get(match[4])
    return None if part is None else f"{place}.{sublayer}.{part}"


def _turned(array: Tensor, name: str) -> Tensor:
    """A kernel (in, out), or of a convolution over one place (1, in, out), as (out, in)."""
    if ".norm." in name or name.endswith("bias") or "_norm." in name:
        return array
    return array.reshape(array.shape[-2:]).t().contiguous()


def _tables(arrays: dict[str, Tensor], tensors: dict[str, Tensor], source: str) -> dict[str, Tensor]:
    shards: dict[str, dict[int, Tensor]] = {}
    for name, array in arrays.items():
        if match := _TABLE.fullmatch(name):
            shards.setdefault(match[2], {})[int(match[3] or 0)] = array
    for kind, parts in shards.items():
        rule = f"the shards of {kind} must be numbered from 0 on"
        require(sorted(parts) == list(range(len(parts))), source, sorted(parts), rule)
    whole = {kind: torch.cat([parts[i] for i in sorted(parts)]) for kind, parts in shards.items()}
    tables = {
        "source_embedding.weight": whole.get("input_emb", whole.get("shared")),
        "embedding.weight": whole.get("target_emb", whole.get("shared")),
        "readout.weight": whole.get("softmax", whole.get("shared")),
    }
    missing = [name for name, table in tables.items() if table is None]
    if missing:
        rule = "symbol_modality_.../shared/weights_0, or input_emb, target_emb and softmax, are missing"
        raise UserError(source, f"{len(arrays)} tensors", rule)
    return {name: table for name, table in tables.items() if table is not None}


def _config(files: ForeignFiles, tensors: dict[str, Tensor], source: str) -> tuple[dict[str, Any], list[str]]:
    said: Mapping[str, Any] = {}
    notes = []
    if _HPARAMS in files.names:
        said = files.json(_HPARAMS)
    else:
        notes.append(f"num_heads={USUAL_HEADS} is assumed: there is no {_HPARAMS} (set num_heads=...)")
    final = "encoder_norm.weight" in tensors
    before = said.get("layer_preprocess_sequence", "n" if final else "none")
    after = said.get("layer_postprocess_sequence", "da" if final else "dan")
    norms = ("n" in before.replace("none", ""), "n" in after.replace("none", ""))
    require(
        sum(norms) == 1,
        source,
        f"{before}, {after}",
        "must normalise before or after each sub-layer, not both",
    )
    positions, ffn = said.get("pos", "timing"), said.get("ffn_layer", "dense_relu_dense")
    require(positions == "timing", source, positions, "is no kind of positions that is read here", ["timing"])
    known = ("dense_relu_dense", "conv_hidden_relu")
    require(ffn in known, source, ffn, "is no feed-forward net that is read here", known)
    for name, usual in (("self_attention_type", "dot_product"), ("norm_type", "layer")):
        require(
            said.get(name, usual) == usual, source, said.get(name), f"is no {name} that is read here", [usual]
        )
    return {
        "num_heads": said.get("num_heads", USUAL_HEADS),
        "norm": "pre" if norms[0] else "post",
        "positions": "tensor2tensor",
        "scale_embeddings": said.get("multiply_embedding_mode", "sqrt_depth") == "sqrt_depth",
        "norm_eps": said.get("norm_epsilon", 1e-6),
        "dropout": said.get("layer_prepostprocess_dropout", 0.1),
        "attention_dropout": said.get("attention_dropout", 0.0),
        "inner_dropout": said.get("relu_dropout", 0.0),
    }, notes


def _words(files: ForeignFiles, rows: int) -> tuple[Words, dict[str, Any] | None]:
    """Filler is row 0 and the end row 1; no row begins a text, and no word is unknown."""
    found = [name for name in files.names if _VOCABULARY.fullmatch(name)]
    if len(found) != 1:
        return arrange([""] * rows, _PAD, -1, -1, _END), None
    path = files.folder / found[0]
    subwords = read_subwords(path)
    rule = f"has {len(subwords)} subwords; the table has {rows} rows"
    require(len(subwords) == rows, "file", str(path), rule)
    words = arrange(subwords, _PAD, -1, -1, _END)
    vocabulary = vocabulary_json(None, "source", words, "subword")
    return words, processor_json(vocabulary, vocabulary, source_end=True)


def read_subwords(path: Path) -> list[str]:
    """The subwords of a vocabulary: each on a line, in quotes.

    Raises:
        UserError: it cannot be read, or its first ones are not filler and end.
    """
    try:
        lines = path.read_bytes().decode().removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError("file", str(path), f"cannot be read as UTF-8 text ({error})") from error
    subwords = [line[1:-1] if re.fullmatch(r"(['\"]).*\1", line) else line for line in lines]
    wanted = ["<pad>", "<EOS>"]
    rule = f"must begin with {wanted[0]} and {wanted[1]}, a subword in quotes on each line"
    require(subwords[:2] == wanted, "file", str(path), rule)
    return subwords
