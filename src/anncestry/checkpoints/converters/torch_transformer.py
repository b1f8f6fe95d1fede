"""Modules with a ``torch.nn.Transformer``, both ways.

PyTorch's has no embeddings and no readout; a module that translates has them beside it: ``src_embed``,
``tgt_embed`` and ``generator`` here. On the way in other names are found too: tables by ``src``/``source``/
``encoder`` and ``tgt``/``target``/``decoder`` in their names (one table alone is shared), the readout as what
remains with as many columns as the width; without one the target's table scores words. A table of positions
(a name with ``pos`` or ``pe``) is recognised where it holds sinusoids, and learnt where not.

Weights do not say how many heads there are and where the normalisation stands; heads are assumed to be 8,
the normalisation behind, embeddings scaled, sinusoids interleaved. What we wrote says all that itself.
"""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from anncestry.checkpoints.converters.transformer_names import (
    SPECIAL,
    USUAL_HEADS,
    Words,
    arrange,
    imported,
    positions_of,
    processor_json,
    rename,
    unchanged,
    vocabulary_json,
)
from anncestry.checkpoints.foreign_files import ForeignFiles
from anncestry.checkpoints.imported import Imported
from anncestry.checkpoints.rename import KeyMap
from anncestry.checkpoints.store import some_of
from anncestry.errors import UserError, require

_MODULES = {
    "{side*}.layers.{l}.self_attn.out_proj": "{side*}.{l}.attention.out",
    "{side*}.layers.{l}.multihead_attn.out_proj": "{side*}.{l}.cross_attention.out",
    "{side*}.layers.{l}.linear1": "{side*}.{l}.feed_forward.inner",
    "{side*}.layers.{l}.linear2": "{side*}.{l}.feed_forward.out",
    "{side*}.layers.{l}.norm1": "{side*}.{l}.around_attention.norm",
    "encoder.layers.{l}.norm2": "encoder.{l}.around_feed_forward.norm",
    "decoder.layers.{l}.norm2": "decoder.{l}.around_cross_attention.norm",
    "decoder.layers.{l}.norm3": "decoder.{l}.around_feed_forward.norm",
    "{side*}.norm": "{side*}_norm",
    "src_embed": "source_embedding",
    "tgt_embed": "embedding",
    "generator": "readout",
}
_NAMES = KeyMap(
    {f"{theirs}.{part}": f"{ours}.{part}" for theirs, ours in _MODULES.items() for part in ("weight", "bias")}
    | {
        f"{{side*}}.layers.{{l}}.self_attn.in_proj_{part}": f"{{side*}}.{{l}}.attention.qkv.{part}"
        for part in ("weight", "bias")
    }
    | {
        f"decoder.layers.{{l}}.multihead_attn.{p}.{part}": f"decoder.{{l}}.cross_attention.{p}.{part}"
        for part in ("weight", "bias")
        for p in "qkv"
    }
)
_CROSS = re.compile(r"decoder\.layers\.([0-9]+)\.multihead_attn\.in_proj_(weight|bias)")
_INSIDE = re.compile(r"(?P<prefix>.*?)(?P<name>(?:encoder|decoder)\.(?:layers\.[0-9]+|norm)\..*)")
_MARK = re.compile(r"(.*?)encoder\.layers\.0\.self_attn\.in_proj_weight")
_SIDES = {"source_embedding.weight": ("src", "source", "encoder", "input"),
          "embedding.weight": ("tgt", "trg", "target", "decoder", "output")}  # fmt: skip
_POSITION = re.compile(r"(.*[._])?(pe|pos\w*|\w*position\w*)([._].*)?", re.IGNORECASE)
_NAMED = {  # what others call the special tokens
    "<pad>": ("<pad>", "<blank>", "[PAD]"),
    "<unk>": ("<unk>", "[UNK]"),
    "<begin>": ("<begin>", "<s>", "<bos>", "<sos>", "[BOS]", "[CLS]"),
    "<end>": ("<end>", "</s>", "<eos>", "[EOS]", "[SEP]"),
}
NOTE = "config"  # of the metadata of a file: fields of the config


def is_torch_transformer(files: ForeignFiles) -> bool:
    """By the first self-attention of its encoder."""
    return any(_MARK.fullmatch(name) for name in files.tensors)


def from_torch_transformer(files: ForeignFiles, _: str | None = None) -> Imported:
    """The Transformer of a module, which `is_torch_transformer` accepts.

    The metadata of a file that `to_torch_transformer` was written to say what weights do not. Beside it
    ``source_vocabulary.txt`` and ``target_vocabulary.txt`` may lie, a token a line. Without them rows of
    tables stay where they are, and texts cannot be read: filler, unknown word, beginning and end must be the
    first four.

    Raises:
        UserError: a table of embeddings is missing; tensors are unknown or missing, named together.
    """
    tensors, source, metadata = files.weights, files.name, files.weights.metadata
    (prefix,) = {match[1] for name in tensors if (match := _MARK.fullmatch(name))}
    inside, beside = {}, {}
    for name, tensor in tensors.items():
        match = _INSIDE.fullmatch(name)
        if match and match["prefix"] == prefix:
            inside[match["name"]] = tensor
        else:
            beside[name] = tensor
    width = inside["encoder.layers.0.self_attn.in_proj_weight"].shape[-1]
    named = [name for name in beside if _POSITION.fullmatch(name)]
    named.sort(key=lambda name: not any(mark in name.lower() for mark in _SIDES["source_embedding.weight"]))
    positions = [beside.pop(name).squeeze() for name in named]  # the source's first
    ours = rename(_split_cross(inside), _NAMES.rename, source, "PyTorch's") | _tables(beside, width, source)
    config: dict[str, Any] = {
        "num_heads": USUAL_HEADS, "norm": "post", "positions": "interleaved", "norm_eps": 1e-5,
        "last_norm": "encoder_norm.weight" in ours,
    }  # fmt: skip
    notes = [
        f"num_heads={USUAL_HEADS} is assumed: weights do not say (set num_heads=...)",
        "norm=post is assumed, PyTorch's usual place: weights do not say (set norm=pre)",
        "activation=relu is assumed: weights do not say (set activation=gelu)",
    ]
    if positions:
        tables = [table.reshape(-1, width) for table in (positions[0], positions[-1])]
        found, learnt = positions_of(tables)
        config, ours = config | found, ours | learnt
    else:
        notes.append("positions=interleaved is assumed: the file has none (set positions=...)")
    if NOTE in metadata:
        config, notes = config | dict(metadata[NOTE]), []
    for name in [name for name in ours if name.endswith("weight") and "embedding" not in name]:
        if name != "readout.weight" and (".norm." in name or "attention." not in name):  # made without biases
            ours.setdefault(name.removesuffix("weight") + "bias", ours[name].new_zeros(len(ours[name])))
    words, processor = _words(files, ours)
    return imported(ours, words, config, source, processor, notes)


def _split_cross(inside: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The decoder's second attention in three parts: ours projects its queries by themselves."""
    found: dict[str, Tensor] = {}
    for name, tensor in inside.items():
        match = _CROSS.fullmatch(name)
        if match is None:
            found[name] = tensor
        else:
            place = f"decoder.layers.{match[1]}.multihead_attn"
            found |= dict(zip((f"{place}.{p}.{match[2]}" for p in "qkv"), tensor.chunk(3), strict=True))
    return found


def _tables(beside: dict[str, Tensor], width: int, source: str) -> dict[str, Tensor]:
    """Embeddings and readout, by their names and shapes."""
    tables = {
        name: tensor for name, tensor in beside.items() if tensor.ndim == 2 and tensor.shape[1] == width
    }
    embeds = {n: t for n, t in tables.items() if "emb" in n.lower() or re.search(r"lut|tok", n.lower())}
    found: dict[str, Tensor] = {}
    used: list[str] = []
    for ours, marks in _SIDES.items():
        names = [name for name in embeds if any(mark in name.lower() for mark in marks)]
        names = names or (list(embeds) if len(embeds) == 1 else [])  # one serves both
        if len(names) != 1:
            rule = (
                "needs one table of embeddings for each side, as src_embed.weight and tgt_embed.weight, with "
            )
            rule += f"{width} columns; torch.nn.Transformer alone has none"
            raise UserError(source, some_of(names or beside or ["nothing beside it"]), rule)
        found[ours] = embeds[names[0]]
        used += names
    readouts = [name for name in tables if name not in used]
    if len(readouts) == 1:
        used += readouts
        found["readout.weight"] = tables[readouts[0]]
        bias = readouts[0].removesuffix("weight") + "bias"
        if bias in beside:
            used.append(bias)
            found["readout.bias"] = beside[bias]
    elif not readouts:
        found["readout.weight"] = found["embedding.weight"]
    unused = [name for name in beside if name not in used]
    if unused:
        rule = "beside the Transformer there may be two tables of embeddings, positions, and one readout"
        raise UserError(source, some_of(unused), rule)
    return found


def _words(
    files: ForeignFiles, ours: Mapping[str, Tensor]
) -> tuple[tuple[Words, Words], dict[str, Any] | None]:
    names = {"source": "source_embedding.weight", "target": "embedding.weight"}
    listed = [f"{side}_vocabulary.txt" for side in names]
    if not files.names.issuperset(listed):
        read, written = (unchanged(len(ours[name])) for name in names.values())
        return (read, written), None
    found = []
    for file in (files.folder / name for name in listed):
        lines = file.read_text("utf-8").removesuffix("\n").split("\n")
        place = {word: row for row, word in reversed(list(enumerate(lines)))}
        special = [next((place[n] for n in _NAMED[name] if n in place), -1) for name in SPECIAL]
        require(
            special[3] >= 0, "file", str(file), f"must hold the end of a text: {', '.join(_NAMED['<end>'])}"
        )
        found.append(arrange(lines, *special))
    vocabularies = [vocabulary_json(files.folder, *pair) for pair in zip(names, found, strict=True)]
    return (found[0], found[1]), processor_json(vocabularies[0], vocabularies[1], source_end=False)


def to_torch_transformer(
    tensors: Mapping[str, Tensor], config: Any
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """``(state dict, metadata)`` of a module with ``encoder``, ``decoder``, ``src_embed``, ``tgt_embed`` and
    ``generator``, ready for `write_tensors`.

    Behind ``post`` without ``last_norm`` there are no ``encoder.norm`` and ``decoder.norm``: make PyTorch's
    stacks with ``norm=None``.

    Raises:
        UserError: heads of another size than PyTorch's.
    """
    usual = config.head_size in (0, config.hidden_size / config.num_heads)
    require(usual, "head_size", config.head_size, "must be hidden_size / num_heads in torch.nn.Transformer")
    ours = dict(tensors)
    ours.setdefault("source_embedding.weight", ours["embedding.weight"])
    ours.setdefault("readout.weight", ours["embedding.weight"])
    names, theirs = _NAMES.reverse(), {}
    for name, tensor in ours.items():
        if ".cross_attention.query." in name:
            pair = torch.cat([tensor, ours[name.replace("query", "keys_values")]])
            _, layer, _, _, part = name.split(".")
            theirs[f"decoder.layers.{layer}.multihead_attn.in_proj_{part}"] = pair
        elif ".cross_attention.keys_values." not in name:
            place = "pos_embed.weight" if name == "positions.embedding.weight" else names.rename(name)
            place = "src_pos_embed.weight" if name == "source_positions.embedding.weight" else place
            assert place is not None, name
            theirs[place] = tensor
    for name in list(theirs):
        if name.endswith(("in_proj_weight", "out_proj.weight")):
            theirs.setdefault(name.removesuffix("weight") + "bias", theirs[name].new_zeros(len(theirs[name])))
    said = {"num_heads", "norm", "last_norm", "positions", "first_position", "activation", "norm_eps"}
    said |= {"scale_embeddings", "dropout", "attention_dropout", "inner_dropout", "seq_len", "target_len"}
    fields = dataclasses.asdict(config)
    return theirs, {NOTE: {name: fields[name] for name in sorted(said)}}
