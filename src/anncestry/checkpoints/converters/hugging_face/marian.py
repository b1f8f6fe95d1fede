"""Marian's Transformers as Hugging Face keeps them, both ways: config.json, model.safetensors, vocab.json.

The normalisation stands behind each sub-layer, positions are concatenated sinusoids, attention has biases. A
generated text begins with ``decoder_start_token_id``, which often is the filler; a source ends as a
target does. ``vocab.json`` numbers the pieces; ``source.spm`` and ``target.spm`` of SentencePiece cut the
texts. With separate vocabularies that of the target is ``target_vocab.json``.

Interleaved sinusoids are concatenated ones with the features in another order, and nothing in a Transformer
depends on that order: on the way out all weights follow it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from anncestry.checkpoints.converters.encoder_names import Exported
from anncestry.checkpoints.converters.transformer_names import (
    SPECIAL,
    Words,
    arrange,
    imported,
    positions_of,
    processor_json,
    rename,
    split_projections,
    vocabulary_json,
)
from anncestry.checkpoints.foreign_files import ForeignFiles
from anncestry.checkpoints.imported import Imported
from anncestry.checkpoints.rename import KeyMap
from anncestry.errors import UserError, require
from anncestry.fields import Fields
from anncestry.layers.attention.positions import LAYOUTS
from anncestry.signature import BEGIN, END, PAD, UNKNOWN
from anncestry.stored import whole

_EPS = 1e-5  # of their normalisation
_ACTIVATIONS = {"relu": "relu", "gelu": "gelu", "gelu_new": "gelu-tanh", "silu": "silu", "swish": "silu"}
_SUBLAYERS = {"self_attn": "attention", "encoder_attn": "cross_attention"}
_MODULES = {
    f"model.{{side*}}.layers.{{l}}.{theirs}.{p}_proj": f"{{side*}}.{{l}}.{ours}.{'out' if p == 'out' else p}"
    for theirs, ours in _SUBLAYERS.items()
    for p in ("q", "k", "v", "out")
}
_MODULES |= {
    f"model.{{side*}}.layers.{{l}}.{theirs}_layer_norm": f"{{side*}}.{{l}}.around_{ours}.norm"
    for theirs, ours in (*_SUBLAYERS.items(), ("final", "feed_forward"))
}
_MODULES |= {
    "model.{side*}.layers.{l}.fc1": "{side*}.{l}.feed_forward.inner",
    "model.{side*}.layers.{l}.fc2": "{side*}.{l}.feed_forward.out",
    "model.encoder.embed_tokens": "source_embedding",
    "model.decoder.embed_tokens": "embedding",
    "lm_head": "readout",
}
_NAMES = KeyMap(
    {f"{theirs}.{part}": f"{ours}.{part}" for theirs, ours in _MODULES.items() for part in ("weight", "bias")}
)
_SHARED, _BIAS = "model.shared.weight", "final_logits_bias"
_POSITIONS = [f"model.{side}.embed_positions.weight" for side in ("encoder", "decoder")]
_TABLES = {"source_embedding.weight": "encoder", "embedding.weight": "decoder", "readout.weight": ""}
_END_NAME = "</s>"
_IDLE = (  # weights and vocabularies show them, or they are of training or of generation
    "vocab_size", "decoder_vocab_size", "d_model", "num_hidden_layers", "static_position_embeddings",
    "share_encoder_decoder_embeddings", "init_std", "encoder_layerdrop", "decoder_layerdrop",
    "classifier_dropout", "classif_dropout", "is_decoder", "extra_pos_embeddings", "num_beams", "max_length",
    "min_length", "length_penalty", "no_repeat_ngram_size", "early_stopping", "forced_bos_token_id",
    "forced_eos_token_id", "bad_words_ids",
)  # fmt: skip
_OFF = ("normalize_before", "normalize_embedding", "add_final_layer_norm", "add_bias_logits")


def is_marian(files: ForeignFiles) -> bool:
    """Whether config.json says so."""
    return files.model_type == "marian"


def from_marian(files: ForeignFiles, _: str | None = None) -> Imported:
    """The Transformer of a folder.

    Without ``.spm`` files texts are pieces of vocab.json with blanks between them.

    Raises:
        UserError: a file is missing, a pickle, damaged or another model's; the vocabulary does not fit the
            weights.
    """
    config, source, folder, theirs = files.config, files.name, files.folder, dict(files.weights)
    if not any(name.startswith("model.") for name in theirs):  # MarianModel
        theirs = {n if n.startswith((_BIAS, "lm_head.")) else f"model.{n}": t for n, t in theirs.items()}
    for side in ("encoder", "decoder"):
        held = {name.split(".")[3] for name in theirs if name.startswith(f"model.{side}.layers.")}
        said, rule = (
            config.get(f"{side}_layers"),
            f"{side}_layers must be 1 or more, as many as in the weights",
        )
        require(bool(held) and said in (None, len(held)), source, said, rule, [max(1, len(held))])
    on = [name for name in _OFF if config.get(name)]
    require(not on, source, on, "make another Transformer than ours of Marian's")
    bias, positions = theirs.pop(_BIAS, None), [theirs.pop(name) for name in _POSITIONS if name in theirs]
    shared = theirs.pop(_SHARED, None)
    tensors = rename(theirs, _NAMES.rename, source, "Marian's")
    embedding = tensors.get("embedding.weight", shared)
    for name, table in (
        ("source_embedding.weight", shared if shared is not None else embedding),
        ("embedding.weight", embedding),
        ("readout.weight", embedding),
    ):
        if table is not None:
            tensors.setdefault(name, table)
    if bias is not None:
        tensors["readout.bias"] = bias.flatten()
    ours = _config(config, source)
    if len(positions) == 2:
        found, learnt = positions_of(positions)
        ours, tensors = ours | found, tensors | learnt
    words = [_words(files, side) for side in ("source", "target")]
    longest = config.size("max_position_embeddings", 512) - 1
    if "tokenizer_config.json" in files.names:
        longest = min(longest, files.json("tokenizer_config.json").size("model_max_length", longest + 1) - 1)
    vocabularies = [vocabulary_json(folder, *pair) for pair in zip(("source", "target"), words, strict=True)]
    processor = processor_json(*vocabularies, source_end=True, max_tokens=longest)
    if bias is not None and not bias.any() and not words[1].silent:
        del tensors["readout.bias"]
    config.ignore(*_IDLE)
    return imported(
        tensors, (words[0], words[1]), ours, source, processor, (*files.generation_notes(), *config.notes())
    )


def _config(config: Fields, source: str) -> dict[str, Any]:
    def sizes(part: str) -> set[int | None]:
        names = [f"{side}_{part}" for side in ("encoder", "decoder")]
        return {None if config.get(name) is None else config.size(name) for name in names}

    heads, inner = sizes("attention_heads"), sizes("ffn_dim")
    rule = "must be given, and be the same in encoder and decoder"
    for name, values in (("attention_heads", heads), ("ffn_dim", inner)):
        require(len(values) == 1 and None not in values, source, list(values), f"{name} {rule}")
    return {
        "num_heads": heads.pop(),
        "norm": "post",
        "positions": "concatenated",
        "activation": config.one_of("activation_function", _ACTIVATIONS, "gelu"),
        "scale_embeddings": config.flag("scale_embedding", False),
        "norm_eps": _EPS,
        "dropout": config.number("dropout", 0.1),
        "attention_dropout": config.number("attention_dropout", 0.0),
        "inner_dropout": config.number("activation_dropout", 0.0),
    }


def _words(files: ForeignFiles, side: str) -> Words:
    config, path = files.config, files.folder / "vocab.json"
    if side == "target" and "target_vocab.json" in files.names:
        path = files.folder / "target_vocab.json"
    places = dict(files.json(path.name))
    wrong = {name: place for name, place in places.items() if type(place) is not int}
    require(not wrong, "file", str(path), f"must number its words, each by a whole number; not so: {wrong}")
    names: list[str] = sorted(places, key=lambda name: places[name])
    rule = "must number its words from 0 on, each with a number of its own"
    require([places[name] for name in names] == list(range(len(names))), "file", str(path), rule)
    special = [config.get(f"{name}_token_id") for name in ("pad", "decoder_start", "eos")]
    pad, begin, end = (
        -1 if token is None else whole(int, token, f"{files.name}: special tokens") for token in special
    )
    if not (0 <= end < len(names) and -1 <= max(pad, begin) < len(names)):
        raise UserError(
            files.name, special, f"pad, start and end must be among the {len(names)} of {path.name}"
        )
    return arrange(names, pad, places.get("<unk>", -1), begin, end)


def to_marian(
    tensors: Mapping[str, Tensor],
    config: Any,
    vocabularies: tuple[tuple[str, ...], tuple[str, ...]],
    max_tokens: int = 0,
) -> Exported:
    """The files of a Transformer of ours.

    A joint vocabulary is numbered as Marian's are: the end, the unknown word, the others in their order, the
    beginning where it has a vector of its own, and the filler last. Generated texts begin with the filler, or
    with that beginning.

    Args:
        tensors: the state dict.
        config: its `TransformerConfig`.
        vocabularies: the tokens of source and target.
        max_tokens: of a source, without its end.

    Raises:
        UserError: Marian has no such Transformer; names the field and what it would have to be.
    """
    _check_export(config)
    width = config.hidden_size
    ours = split_projections({name: tensor.detach().clone() for name, tensor in tensors.items()})
    if config.positions == "interleaved":
        ours = _concatenated(ours, width)
    bias = ours.pop("readout.bias", torch.zeros(config.output_size))
    tables = {name: ours.pop(name) for name in _TABLES if name in ours}
    rows, start = list(range(len(vocabularies[0]))), BEGIN
    joint = vocabularies[0] == vocabularies[1]
    if joint:
        rows, start = _in_their_order(tables["embedding.weight"])
        tables = {name: table[rows] for name, table in tables.items()}
        bias = bias[rows]
    names = _NAMES.reverse()
    theirs = {new: tensor for name, tensor in ours.items() if (new := names.rename(name)) is not None}
    assert len(theirs) == len(ours), "a part of ours without a name of theirs"
    for name in [name for name in theirs if name.endswith("_proj.weight")]:
        theirs.setdefault(name.removesuffix("weight") + "bias", theirs[name].new_zeros(len(theirs[name])))
    if config.tie == "all":
        theirs[_SHARED] = tables["embedding.weight"]
    else:
        theirs |= {str(names.rename(name)): table for name, table in tables.items()}
    theirs[_BIAS] = bias[None]
    place = {token: number for number, token in enumerate(rows)}
    sizes = (len(rows), len(rows)) if joint else (config.input_size, config.output_size)
    end, pad, begin = place[END], place[PAD], place[start]
    described = {
        "architectures": ["MarianMTModel"], "model_type": "marian", "is_encoder_decoder": True,
        "vocab_size": sizes[0], "decoder_vocab_size": sizes[1], "d_model": width,
        "encoder_layers": config.num_layers, "decoder_layers": config.decoder_layers or config.num_layers,
        "activation_function": {ours: theirs for theirs, ours in _ACTIVATIONS.items()}[config.activation],
        "scale_embedding": config.scale_embeddings, "static_position_embeddings": True,
        "max_position_embeddings": max(512, max_tokens + 1), "normalize_before": False,
        "normalize_embedding": False,
        "share_encoder_decoder_embeddings": config.tie == "all", "tie_word_embeddings": config.tie != "none",
        "pad_token_id": pad, "eos_token_id": end, "forced_eos_token_id": end, "decoder_start_token_id": begin,
        "bad_words_ids": [[token] for token in sorted({pad, begin})],
        "dropout": config.dropout, "torch_dtype": "float32",
        "attention_dropout": config.attention_dropout, "activation_dropout": config.inner_dropout,
        **{f"{side}_attention_heads": config.num_heads for side in ("encoder", "decoder")},
        **{f"{side}_ffn_dim": config.inner_size or 4 * width for side in ("encoder", "decoder")},
    }  # fmt: skip
    numbered: dict[str, Any] = {"vocab.json": _numbered(vocabularies[0], rows)}
    if not joint:
        numbered["target_vocab.json"] = _numbered(vocabularies[1], range(len(vocabularies[1])))
    numbered["tokenizer_config.json"] = {
        "tokenizer_class": "MarianTokenizer", "unk_token": "<unk>", "eos_token": _END_NAME,
        "pad_token": "<pad>", "source_lang": None, "target_lang": None, "separate_vocabs": not joint,
        "model_max_length": max_tokens + 1 if max_tokens else 512, "clean_up_tokenization_spaces": False,
    }  # fmt: skip
    notes = ()
    if config.norm_eps != _EPS:
        notes = (
            f"norm_eps is {config.norm_eps:g} here and {_EPS:g} there: scores differ in the sixth digit",
        )
    return Exported(described, theirs, numbered, notes)


def _check_export(config: Any) -> None:
    usual = config.head_size in (0, config.hidden_size / config.num_heads)
    rule = "Marian's Transformer as Hugging Face computes it has another one"
    for name, fits, wanted in (
        ("norm", config.norm == "post", "post"),
        ("last_norm", not config.last_norm, "False"),
        ("positions", config.positions in LAYOUTS[:2], LAYOUTS[1]),
        ("first_position", config.first_position == 0, "0"),
        ("head_size", usual, "hidden_size / num_heads"),
        ("norm_eps", config.norm_eps <= _EPS, f"{_EPS:g}"),
    ):
        require(fits, name, getattr(config, name), rule, [wanted])


def _concatenated(tensors: Mapping[str, Tensor], width: int) -> dict[str, Tensor]:
    """All weights with the features of the residual stream in the order of concatenated sinusoids."""
    order = torch.cat([torch.arange(0, width, 2), torch.arange(1, width, 2)])

    def follow(name: str, tensor: Tensor) -> Tensor:
        writes = ".norm." in name or any(f"{part}.out." in name for part in ("attention", "feed_forward"))
        if writes:
            return tensor[order]
        return tensor[:, order] if tensor.ndim == 2 else tensor

    return {name: follow(name, tensor) for name, tensor in tensors.items()}


def _in_their_order(table: Tensor) -> tuple[list[int], int]:
    """``(rows, start)``: which token of ours each of their rows is, and the one that a text is begun with."""
    start = PAD if torch.equal(table[BEGIN], table[PAD]) else BEGIN
    own = [] if start == PAD else [BEGIN]
    return [END, UNKNOWN, *range(END + 1, len(table)), *own, PAD], start


def _numbered(tokens: tuple[str, ...], rows: Sequence[int]) -> dict[str, int]:
    """Token -> number, the end under the name that their tokeniser looks for."""
    own = [*SPECIAL[:END], _END_NAME, *tokens[END + 1 :]]
    names = [own[row] for row in rows]
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    require(not twice, "vocabulary", twice, "names of two tokens each; vocab.json tells them apart by name")
    return {name: number for number, name in enumerate(names)}
