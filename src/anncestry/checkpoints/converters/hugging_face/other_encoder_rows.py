"""Tables of the tensor names of XLM, FlauBERT, XLNet and MobileBERT as Hugging Face writes them.

Each row of `OTHER_ENCODERS` has the names, how a config is read and written, and how tensors are laid out
where that differs from ours. XLNet keeps the matrices of attention by heads, (D, h, k); MobileBERT projects
queries and keys apart, and its second table of words is transposed.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from anncestry.checkpoints.converters.encoder_names import activation_of, their_activation
from anncestry.errors import require
from anncestry.fields import Fields

_SEPARATOR = 4  # XLNet's, of its authors' pieces: no config says it
_XLNET_HEADS = "qkvor"
_QUERY, _KEY, _BOTH = (f"attention.self.{part}" for part in ("query", "key", "query_key"))
_REST = "cls.predictions.dense.weight"


class OtherEncoder(NamedTuple):
    """How the files of one encoder are written.

    Attributes:
        name: what the names of their classes begin with.
        lm_class: the ending of the class with a head for masked tokens.
        prefix: what the names of the body's tensors begin with.
        body: modules, theirs -> ours; a name that ends with ``.weight``, ``.bias`` or ``!`` is a tensor's.
        heads: the same above the body, for each task.
        tied: tensors that are stored twice -> the tensor that they must equal.
        read: the fields of our config, from theirs.
        write: the fields of their config, from ours.
        summary: fields of a config with the values that the head for a whole text needs.
        inwards: tensors as they lay them out, as ours are.
        outwards: the way back.
    """

    name: str
    lm_class: str
    prefix: str
    body: Mapping[str, str]
    heads: Mapping[str, Mapping[str, str]]
    tied: Mapping[str, str]
    read: Callable[[Fields], dict[str, Any]]
    write: Callable[[Any], dict[str, Any]]
    summary: Mapping[str, Any] = {}
    inwards: Callable[[dict[str, Tensor]], dict[str, Tensor]] = dict
    outwards: Callable[[dict[str, Tensor], Any], dict[str, Tensor]] = lambda tensors, _: tensors


# ---- XLM and FlauBERT -----------------------------------------------------------------------------------

_XLM_BODY = {
    "embeddings.weight": "embeddings.words.weight",
    "position_embeddings.weight": "embeddings.positions.embedding.weight",
    "lang_embeddings.weight": "embeddings.segments.weight",
    "layer_norm_emb": "embeddings.norm",
    **{f"attentions.{{l}}.{p}_lin": f"blocks.{{l}}.attention.{p}" for p in ("q", "k", "v", "out")},
    "layer_norm1.{l}": "blocks.{l}.around_attention.norm",
    "layer_norm2.{l}": "blocks.{l}.around_feed_forward.norm",
    "ffns.{l}.lin1": "blocks.{l}.feed_forward.inner",
    "ffns.{l}.lin2": "blocks.{l}.feed_forward.out",
}
_ANSWERS = {"tagging": {"classifier": "head"}, "span": {"qa_outputs": "head"}, "embedding": {}}
_XLM_HEADS = {
    "masked-lm": {"pred_layer.proj.bias": "head.bias"},
    "classification": {"sequence_summary.summary": "head"},
    **_ANSWERS,
}
_SUMMARY = (
    "summary_type", "summary_use_proj", "summary_activation", "summary_proj_to_labels",
    "summary_first_dropout", "summary_last_dropout", "start_n_top", "end_n_top",
)  # fmt: skip


def _read_xlm(fields: Fields) -> dict[str, Any]:
    for name, usual in (("causal", False), ("asm", False), ("is_encoder", True)):
        fields.must_be(name, usual)
    fields.ignore(
        *_SUMMARY, "sinusoidal_embeddings", "embed_init_std", "init_std", "bos_index", "eos_index",
        "pad_index", "unk_index", "mask_index", "lang_id", "lang2id", "id2lang", "n_langs", "use_lang_emb",
        "mask_token_id", "pre_norm", "layerdrop", "gelu_activation", "n_words",
    )  # fmt: skip
    config = fields
    count = config.get("n_langs", 1) if config.get("use_lang_emb", True) else 0
    named = config.get("id2lang") or {}
    languages = [str(named.get(str(place), f"language-{place}")) for place in range(count)]
    width = fields.size("emb_dim")
    return {
        "input_size": fields.size("vocab_size", config.get("n_words")),
        "hidden_size": width,
        "num_layers": fields.size("n_layers"),
        "num_heads": fields.size("n_heads"),
        "num_positions": fields.size("max_position_embeddings", 512),
        "languages": tuple(languages) if count > 1 else (),
        "norm": "pre" if config.get("pre_norm") else "post",
        "layer_drop": float(config.get("layerdrop") or 0.0),
        "dropout": fields.number("dropout", 0.1),
        "attention_dropout": fields.number("attention_dropout", 0.1),
        "activation": "gelu" if config.get("gelu_activation", True) else "relu",
        "norm_eps": fields.number("layer_norm_eps", 1e-12),
    }


def _write_xlm(config: Any) -> dict[str, Any]:
    inner = config.inner_size in (0, 4 * config.hidden_size)
    require(inner, "inner_size", config.inner_size, "Hugging Face's XLM has 4 hidden_size", [0])
    known = config.activation in ("gelu", "relu")
    require(known, "activation", config.activation, "is not known there", ["gelu", "relu"])
    names = config.languages
    numbered = (
        {"id2lang": dict(enumerate(names)), "lang2id": {n: i for i, n in enumerate(names)}} if names else {}
    )
    return {
        "vocab_size": config.input_size, "emb_dim": config.hidden_size, "n_layers": config.num_layers,
        "n_heads": config.num_heads, "max_position_embeddings": config.num_positions,
        "n_langs": max(1, len(names)), "use_lang_emb": bool(names), "dropout": config.dropout, **numbered,
        "attention_dropout": config.attention_dropout, "gelu_activation": config.activation == "gelu",
        "layer_norm_eps": config.norm_eps, "pre_norm": config.norm == "pre", "layerdrop": config.layer_drop,
        "summary_type": "first", "summary_use_proj": True, "summary_proj_to_labels": True,
        "summary_activation": None, "pad_token_id": 2,
    }  # fmt: skip


# ---- XLNet ----------------------------------------------------------------------------------------------

_RELATIVE = {"q": "q", "k": "k", "v": "v", "o": "out", "r": "distance"}
_XLNET_BODY = {
    "word_embedding.weight": "embeddings.words.weight",
    "mask_emb!": "asking!",
    **{f"layer.{{l}}.rel_attn.{theirs}!": f"blocks.{{l}}.attention.{ours}.weight!"
       for theirs, ours in _RELATIVE.items()},
    "layer.{l}.rel_attn.r_w_bias!": "blocks.{l}.attention.content_bias!",
    "layer.{l}.rel_attn.r_r_bias!": "blocks.{l}.attention.distance_bias!",
    "layer.{l}.rel_attn.r_s_bias!": "blocks.{l}.attention.segment_bias!",
    "layer.{l}.rel_attn.seg_embed!": "blocks.{l}.attention.segments!",
    "layer.{l}.rel_attn.layer_norm": "blocks.{l}.around_attention.norm",
    "layer.{l}.ff.layer_norm": "blocks.{l}.around_feed_forward.norm",
    "layer.{l}.ff.layer_1": "blocks.{l}.feed_forward.inner",
    "layer.{l}.ff.layer_2": "blocks.{l}.feed_forward.out",
}  # fmt: skip
_XLNET_HEAD = {
    "masked-lm": {"lm_loss.bias": "head.bias"},
    "classification": {"sequence_summary.summary": "pooler.linear", "logits_proj": "head"},
    **_ANSWERS,
}


def _read_xlnet(fields: Fields) -> dict[str, Any]:
    fields.must_be("attn_type", "bi")
    fields.must_be("bi_data", False)
    fields.must_be("clamp_len", -1)
    fields.must_be("untie_r", True)
    fields.ignore(
        *_SUMMARY, "mem_len", "reuse_len", "same_length", "use_mems_eval", "use_mems_train", "d_head", "init",
        "init_range", "init_std", "n_token", "ff_activation",
    )  # fmt: skip
    width, inner, words = fields.size("d_model"), fields.size("d_inner"), fields.size("vocab_size")
    return {
        "input_size": words,
        "hidden_size": width,
        "num_layers": fields.size("n_layer"),
        "num_heads": fields.size("n_head"),
        "inner_size": 0 if inner == 4 * width else inner,
        "separator": min(_SEPARATOR, words - 1),
        "dropout": fields.number("dropout", 0.1),
        "attention_dropout": fields.number("dropout", 0.1),
        "activation": activation_of(fields, "ff_activation"),
        "norm_eps": fields.number("layer_norm_eps", 1e-12),
    }


def _write_xlnet(config: Any) -> dict[str, Any]:
    width = config.hidden_size
    return {
        "vocab_size": config.input_size, "d_model": width, "n_layer": config.num_layers,
        "n_head": config.num_heads, "d_inner": config.inner_size or 4 * width,
        "d_head": width // config.num_heads,
        "ff_activation": their_activation(config.activation), "dropout": config.dropout, "attn_type": "bi",
        "layer_norm_eps": config.norm_eps, "mem_len": None, "summary_type": "last", "summary_use_proj": True,
        "summary_activation": "tanh", "pad_token_id": 5, "untie_r": True,
    }  # fmt: skip


def _from_heads(theirs: dict[str, Tensor]) -> dict[str, Tensor]:
    """(D, h, k) as (h k, D), but what comes out of the heads as (D, h k)."""
    ours = {}
    for name, tensor in theirs.items():
        part = name.rpartition(".rel_attn.")[2]
        if len(part) == 1 and part in _XLNET_HEADS and tensor.dim() == 3:
            tensor = tensor.flatten(1) if part == "o" else tensor.flatten(1).t()
        ours[name] = tensor.flatten() if name.endswith("mask_emb") else tensor
    return ours


def _to_heads(theirs: dict[str, Tensor], config: Any) -> dict[str, Tensor]:
    width, heads = config.hidden_size, config.num_heads
    prefixed = dict(theirs)
    for name, tensor in theirs.items():
        part = name.rpartition(".rel_attn.")[2]
        if len(part) == 1:
            tensor = tensor if part == "o" else tensor.t()
            prefixed[name] = tensor.reshape(width, heads, -1).contiguous()
        elif name.endswith("mask_emb"):
            prefixed[name] = tensor.view(1, 1, -1)
    if config.separator < 0:  # all is one text, to which their zeros add nothing
        for name, tensor in list(prefixed.items()):
            if name.endswith(".r_w_bias"):
                prefixed[name.replace("r_w", "r_s")] = torch.zeros_like(tensor)
                prefixed[name.replace("r_w_bias", "seg_embed")] = tensor.new_zeros(2, *tensor.shape)
    return prefixed


# ---- MobileBERT -----------------------------------------------------------------------------------------

_L, _B = "encoder.layer.{l}.", "blocks.{l}."


def mobile_body(count: int = 4) -> dict[str, str]:
    """Of the feed-forward nets the last one has other names than those before."""
    last = f"feed_forwards.{count - 1}"
    return {
        "embeddings.word_embeddings.weight": "embeddings.words.weight",
        "embeddings.position_embeddings.weight": "embeddings.positions.embedding.weight",
        "embeddings.token_type_embeddings.weight": "embeddings.segments.weight",
        "embeddings.embedding_transformation": "embeddings.widen",
        "embeddings.LayerNorm": "embeddings.norm",
        f"{_L}{_BOTH}": f"{_B}attention.queries_keys",
        f"{_L}attention.self.value": f"{_B}attention.values",
        f"{_L}attention.output.dense": f"{_B}attention.out",
        f"{_L}attention.output.LayerNorm": f"{_B}around_attention.norm",
        f"{_L}bottleneck.input.dense": f"{_B}into.linear",
        f"{_L}bottleneck.input.LayerNorm": f"{_B}into.norm",
        f"{_L}bottleneck.attention.dense": f"{_B}shared.linear",
        f"{_L}bottleneck.attention.LayerNorm": f"{_B}shared.norm",
        f"{_L}intermediate.dense": f"{_B}{last}.inner",
        f"{_L}output.dense": f"{_B}{last}.out",
        f"{_L}output.LayerNorm": f"{_B}around_{last}.norm",
        f"{_L}ffn.{{f}}.intermediate.dense": f"{_B}feed_forwards.{{f}}.inner",
        f"{_L}ffn.{{f}}.output.dense": f"{_B}feed_forwards.{{f}}.out",
        f"{_L}ffn.{{f}}.output.LayerNorm": f"{_B}around_feed_forwards.{{f}}.norm",
        f"{_L}output.bottleneck.dense": f"{_B}out",
        f"{_L}output.bottleneck.LayerNorm": f"{_B}around.norm",
        "pooler.dense": "pooler.linear",
    }


_MOBILE_HEADS = {
    "masked-lm": {
        "cls.predictions.transform.dense": "head.linear",
        "cls.predictions.transform.LayerNorm": "head.norm",
        "cls.predictions.bias": "head.readout.bias",
        _REST: "head.rest.weight",
        "cls.seq_relationship": "relation",
    },
    "classification": {"classifier": "head"},
    **_ANSWERS,
}


def _read_mobile(fields: Fields) -> dict[str, Any]:
    for name, usual in (
        ("use_bottleneck", True), ("trigram_input", True), ("use_bottleneck_attention", False),
        ("key_query_shared_bottleneck", True), ("normalization_type", "no_norm"),
    ):  # fmt: skip
        fields.must_be(name, usual)
    fields.ignore("classifier_dropout", "true_hidden_size", "embedding_size")
    narrow, inner = fields.size("intra_bottleneck_size", 128), fields.size("intermediate_size", 512)
    return {
        "input_size": fields.size("vocab_size"),
        "hidden_size": fields.size("hidden_size", 512),
        "num_layers": fields.size("num_hidden_layers", 24),
        "num_heads": fields.size("num_attention_heads", 4),
        "bottleneck_size": narrow,
        "embed_dim": fields.size("embedding_size", 128),
        "inner_size": 0 if inner == 4 * narrow else inner,
        "num_feed_forwards": fields.size("num_feedforward_networks", 4),
        "num_positions": fields.size("max_position_embeddings", 512),
        "num_segments": fields.size("type_vocab_size", 2),
        "pooler": fields.flag("classifier_activation", True),
        "dropout": fields.number("hidden_dropout_prob", 0.0),
        "attention_dropout": fields.number("attention_probs_dropout_prob", 0.1),
        "activation": activation_of(fields, "hidden_act", "relu"),
        "norm_eps": fields.number("layer_norm_eps", 1e-12),
    }


def _write_mobile(config: Any) -> dict[str, Any]:
    return {
        "vocab_size": config.input_size, "hidden_size": config.hidden_size,
        "num_hidden_layers": config.num_layers, "num_attention_heads": config.num_heads,
        "intra_bottleneck_size": config.bottleneck_size, "embedding_size": config.embed_dim,
        "intermediate_size": config.inner_size or 4 * config.bottleneck_size,
        "num_feedforward_networks": config.num_feed_forwards, "max_position_embeddings": config.num_positions,
        "type_vocab_size": config.num_segments, "hidden_dropout_prob": config.dropout,
        "attention_probs_dropout_prob": config.attention_dropout, "layer_norm_eps": config.norm_eps,
        "hidden_act": their_activation(config.activation), "classifier_activation": config.pooler,
        "pad_token_id": 0, "normalization_type": "no_norm", "trigram_input": True, "use_bottleneck": True,
    }  # fmt: skip


def _queries_with_keys(theirs: dict[str, Tensor]) -> dict[str, Tensor]:
    ours = dict(theirs)
    for name, tensor in theirs.items():
        if _QUERY in name and (key := name.replace(_QUERY, _KEY)) in ours:
            ours[name.replace(_QUERY, _BOTH)] = torch.cat([ours.pop(name), ours.pop(key)])
        if name == _REST:
            ours[name] = tensor.t()
    return ours


def _queries_from_keys(theirs: dict[str, Tensor], _: Any) -> dict[str, Tensor]:
    apart = {}
    for name, tensor in theirs.items():
        if _BOTH in name:
            query, key = tensor.chunk(2)
            apart[name.replace(_BOTH, _QUERY)] = query.clone()
            apart[name.replace(_BOTH, _KEY)] = key.clone()
        else:
            apart[name] = tensor.t().contiguous() if name == _REST else tensor
    return apart


def silent_filler(
    theirs: Mapping[str, Tensor], prefix: str, pad: int
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """``(tensors, fields of the config)`` with a vector of zeros for the filler.

    The embeddings of three neighbouring tokens are read together, those of the filler too: its vector would
    change the last token of a text. The readout keeps the table as it was.

    Args:
        theirs: tensors by their names.
        prefix: of the names of the body.
        pad: the row of the filler.
    """
    name = f"{prefix}embeddings.word_embeddings.weight"
    table = theirs[name].clone()
    table[pad] = 0
    found = {**theirs, name: table}
    if f"{_PREDICTIONS}bias" not in theirs:
        return found, {}
    found[f"{_PREDICTIONS}decoder.weight"] = theirs[name]
    found[f"{_PREDICTIONS}decoder.bias"] = theirs[f"{_PREDICTIONS}bias"].clone()
    return found, {"tie_word_embeddings": False}


def whole_table(theirs: Mapping[str, Tensor], copies: Mapping[str, str]) -> dict[str, Tensor]:
    """The way back: the table as the readout has it, where the two differ in one row of zeros alone."""
    found = dict(theirs)
    for copy, name in copies.items():
        table, readout = found.get(name), found.get(copy)
        if table is None or readout is None or table.dim() != 2 or table.shape != readout.shape:
            continue
        other = (table != readout).any(1)
        if other.sum() == 1 and not table[other].any():
            found[name] = readout.clone()
    return found


_PREDICTIONS = "cls.predictions."
_FIRST: Mapping[str, Any] = {
    "summary_type": "first", "summary_use_proj": True, "summary_activation": None,
    "summary_proj_to_labels": True,
}  # fmt: skip
_LAST: Mapping[str, Any] = {"summary_type": "last", "summary_activation": "tanh"}
_TIED = {"pred_layer.proj.weight": "embeddings.weight"}
OTHER_ENCODERS: Mapping[str, OtherEncoder] = {
    "xlm": OtherEncoder(
        "XLM", "WithLMHeadModel", "transformer.", _XLM_BODY, _XLM_HEADS, _TIED, _read_xlm, _write_xlm,
        _FIRST,
    ),
    "flaubert": OtherEncoder(
        "Flaubert", "WithLMHeadModel", "transformer.", _XLM_BODY, _XLM_HEADS, _TIED, _read_xlm, _write_xlm,
        _FIRST,
    ),
    "xlnet": OtherEncoder(
        "XLNet", "LMHeadModel", "transformer.", _XLNET_BODY, _XLNET_HEAD,
        {"lm_loss.weight": "word_embedding.weight"}, _read_xlnet, _write_xlnet, _LAST,
        _from_heads, _to_heads,
    ),
    "mobilebert": OtherEncoder(
        "MobileBert", "ForMaskedLM", "mobilebert.", mobile_body(), _MOBILE_HEADS,
        {
            "cls.predictions.decoder.weight": "embeddings.word_embeddings.weight",
            "cls.predictions.decoder.bias": "cls.predictions.bias",
        },
        _read_mobile, _write_mobile, {}, _queries_with_keys, _queries_from_keys,
    ),
}  # fmt: skip
