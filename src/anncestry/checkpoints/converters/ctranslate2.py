"""CTranslate2's Transformers: a folder with ``model.bin`` and vocabularies.

Their first binary version has OpenNMT-tf's names, all others CTranslate2's. A file whose positions are not
stored means tensor2tensor's sinusoids, counted from 1. What later specifications store (heads, place of the
normalisation, activation, scale) is read; an older one is a Transformer of 8 heads (``TransformerBig``: 16)
with the normalisation in front and relu. Quantised weights are made float32 again.

Weights are (out, in), queries, keys and values in one matrix already. Everything is read; what our
Transformer does not compute (relative positions, gated units, ...) is refused by name.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anncestry.checkpoints.converters.transformer_names import (
    USUAL_HEADS,
    Words,
    arrange,
    imported,
    positions_of,
    processor_json,
    rename,
    vocabulary_json,
)
from anncestry.checkpoints.foreign_files import ForeignFiles
from anncestry.checkpoints.imported import Imported
from anncestry.checkpoints.rename import KeyMap
from anncestry.errors import UserError, require
from anncestry.formats.ctranslate2_model import MODEL, CTranslate2Model, dequantise, read_ctranslate2

SPECS = {"": USUAL_HEADS, "TransformerBase": 8, "TransformerBig": 16, "TransformerSpec": USUAL_HEADS}
_ACTIVATIONS = {0: "relu", 2: "silu", 3: "gelu"}
_SUBLAYERS = {
    "self_attention": ("attention", {"linear_0": "qkv", "linear_1": "out"}),
    "attention": ("cross_attention", {"linear_0": "query", "linear_1": "keys_values", "linear_2": "out"}),
    "ffn": ("feed_forward", {"linear_0": "inner", "linear_1": "out"}),
}
_PARTS = {
    f"{{side*}}/layer_{{l}}/{theirs}/{linear}": f"{{side*}}.{{l}}.{ours}.{part}"
    for theirs, (ours, linears) in _SUBLAYERS.items()
    for linear, part in linears.items()
}
_PARTS |= {
    f"{{side*}}/layer_{{l}}/{theirs}/layer_norm": f"{{side*}}.{{l}}.around_{ours}.norm"
    for theirs, (ours, _) in _SUBLAYERS.items()
}
_NAMES = KeyMap(
    {
        **_PARTS,
        "{side*}/layer_norm": "{side*}_norm",
        "encoder/embeddings": "source_embedding",
        "encoder/embeddings_0": "source_embedding",
        "decoder/embeddings": "embedding",
        "decoder/projection": "readout",
    }
)
_FIRST = KeyMap(
    {
        "transformer/{side*}/layer_{l}/masked_multi_head/{rest*}": "{side*}/layer_{l}/self_attention/{rest*}",
        "transformer/encoder/layer_{l}/multi_head/{rest*}": "encoder/layer_{l}/self_attention/{rest*}",
        "transformer/decoder/layer_{l}/multi_head/{rest*}": "decoder/layer_{l}/attention/{rest*}",
        "transformer/decoder/dense/{part*}": "decoder/projection/{part*}",
        "transformer/{side*}/w_embs": "{side*}/embeddings/weight",
        "transformer/{rest*}": "{rest*}",
    }
)
_ENCODINGS = [f"{side}/position_encodings/encodings" for side in ("encoder", "decoder")]
_FACTS = {"num_heads", "pre_norm", "activation", "scale_embeddings", "start_from_zero_embedding"}
_FACTS |= {"with_source_bos", "with_source_eos", "with_target_bos", "user_decoder_start_tokens"}
_FACTS |= {"alignment_layer", "alignment_heads", "embeddings_merge"}  # change no number that is computed
_MUST_BE_OFF = {"alibi", "alibi_use_positive_positions", "scale_alibi", "multi_query_attention"}


def is_ctranslate2(files: ForeignFiles) -> bool:
    """Whether it is a ``model.bin``, or a folder with one."""
    return MODEL in files.names and (files.is_folder or files.path.name == MODEL)


def from_ctranslate2(files: ForeignFiles, _: str | None = None) -> Imported:
    """The Transformer of what `is_ctranslate2` accepts.

    Its texts are pieces with blanks between them, unless ``source.spm`` and ``target.spm`` lie in the folder.

    Raises:
        UserError: the files cannot be read; the specification is another; a tensor is unknown or missing; a
            vocabulary does not fit the weights.
    """
    model, source, folder = read_ctranslate2(files.folder), files.name, files.folder
    settings = files.config
    require(model.spec in SPECS, source, model.spec, "is of another specification", [*SPECS][1:])
    variables = dequantise(model.variables)
    if model.version == 1:
        variables = {_of_first(name): array for name, array in variables.items()}
    facts = {name: array for name, array in variables.items() if array.ndim == 0}
    stored = {name: array for name, array in variables.items() if array.ndim}
    tables = [stored.pop(name) for name in _ENCODINGS if name in stored]
    tensors = rename(
        {name: torch.from_numpy(np.array(array, np.float32)) for name, array in stored.items()},
        _our_name, source, "CTranslate2's",
    )  # fmt: skip
    tensors.setdefault("readout.weight", tensors.get("embedding.weight", torch.empty(0, 0)))
    config, notes = _config(model, settings, facts, tensors, source)
    if tables:
        require(len(tables) == 2, source, _ENCODINGS, "has one of the two alone")
        found, learnt = positions_of([torch.from_numpy(np.array(table, np.float32)) for table in tables])
        config, tensors = config | found, tensors | learnt
    from_zero = bool(facts.get("decoder/start_from_zero_embedding", 0))
    read = _words(model, settings, "source", tensors, from_zero, source)
    written = _words(model, settings, "target", tensors, from_zero, source)
    processor = processor_json(
        vocabulary_json(folder, "source", read),
        vocabulary_json(folder, "target", written),
        source_end=bool(facts.get("with_source_eos", settings.get("add_source_eos", False))),
    )
    return imported(tensors, (read, written), config, source, processor, notes)


def _of_first(name: str) -> str:
    """CTranslate2's name of a variable of binary version 1."""
    name = name.removesuffix(":0").replace("LayerNorm", "layer_norm").replace("/kernel", "/weight")
    for theirs, number in (("conv1d_2", 2), ("conv1d_1", 1), ("conv1d", 0)):
        name = name.replace(f"/{theirs}/", f"/linear_{number}/")
    return _FIRST.rename(name) or name


def _our_name(name: str) -> str | None:
    module, _, part = name.rpartition("/")
    part = {"gamma": "weight", "beta": "bias", "weight": "weight", "bias": "bias"}.get(part)
    module = _NAMES.rename(module)
    return None if part is None or module is None else f"{module}.{part}"


def _config(
    model: CTranslate2Model,
    settings: Mapping[str, Any],
    facts: dict[str, np.ndarray],
    tensors: dict[str, Tensor],
    source: str,
) -> tuple[dict[str, Any], list[str]]:
    """What shapes do not say, and what is assumed."""
    known = {name: value for name, value in facts.items() if name.rpartition("/")[2] in _FACTS}
    rest = {name: value for name, value in facts.items() if name not in known}
    strange = [n for n, v in rest.items() if n.rpartition("/")[2] not in _MUST_BE_OFF or v]
    require(not strange, source, strange, "says something that our Transformer does not compute")
    rule = "a source that begins with a token of its own cannot be read here"
    begins = facts.get("with_source_bos", settings.get("add_source_bos", False))
    require(not begins, source, "add_source_bos", rule)

    def said(name: str, usual: Any) -> Any:
        stored = (facts.get(f"{side}/{name}") for side in ("encoder", "decoder"))
        values = {float(usual if value is None else value) for value in stored}
        require(len(values) == 1, source, sorted(values), f"{name} must be the same in encoder and decoder")
        return values.pop()

    scale = said("scale_embeddings", 1)
    root = math.sqrt(tensors["embedding.weight"].shape[1]) if "embedding.weight" in tensors else 1.0
    scaled = facts.get("encoder/scale_embeddings", np.int8(1)).dtype.kind != "f" or not math.isclose(scale, 1)
    if scale not in (0, 1) and not math.isclose(scale, root, rel_tol=1e-4):
        raise UserError(source, scale, "embeddings are multiplied by 1 or by the root of the width")
    activation = int(said("activation", 0))
    require(activation in _ACTIVATIONS, source, activation, "is an unknown activation", _ACTIVATIONS)
    pre = bool(said("pre_norm", 1))
    notes = []
    if model.spec == "TransformerSpec" and "encoder/num_heads" not in facts:
        notes.append(f"num_heads={USUAL_HEADS} is assumed: the file does not say (set num_heads=...)")
    return {
        "num_heads": int(said("num_heads", SPECS[model.spec])),
        "norm": "pre" if pre else "post",
        "last_norm": not pre and "encoder_norm.weight" in tensors,
        "activation": _ACTIVATIONS[activation],
        "scale_embeddings": bool(scale) and scaled,
        "positions": "tensor2tensor",
        "first_position": 1,
        "norm_eps": settings.get("layer_norm_epsilon") or 1e-5,
    }, notes


def _words(
    model: CTranslate2Model,
    settings: Mapping[str, Any],
    side: str,
    tensors: dict[str, Tensor],
    from_zero: bool,
    source: str,
) -> Words:
    """Our order of a vocabulary; one row more than words is that of the unknown word."""
    vocabulary = model.vocabularies.get(side, model.vocabularies.get("shared"))
    if vocabulary is None:
        raise UserError(source, sorted(model.vocabularies), f"needs {side}_vocabulary.txt or .json beside it")
    table = tensors.get("source_embedding.weight" if side == "source" else "embedding.weight")
    rows = 0 if table is None else len(table)
    rule = f"has {rows} rows in its table of the {side}; they must be as many as the words, or one more"
    require(rows - len(vocabulary) in (0, 1), f"{side} vocabulary", len(vocabulary), rule)
    place = {word: row for row, word in reversed(list(enumerate(vocabulary)))}

    def find(said: str, *usual: str) -> int:
        names = [settings[said]] if said in settings else usual
        return next((place[name] for name in names if name in place), -1)

    end = find("eos_token", "</s>")
    require(end >= 0, f"{side} vocabulary", vocabulary[:8], "must hold </s>, the end of a text")
    unknown = len(vocabulary) if rows > len(vocabulary) else find("unk_token", "<unk>")
    start = settings.get("decoder_start_token")
    begin = place.get(start, -1) if start else find("bos_token", "<s>")
    names = [*vocabulary, "<unk>"] if rows > len(vocabulary) else vocabulary
    return arrange(names, find("pad_token", "<blank>", "<pad>"), unknown, -1 if from_zero else begin, end)
