"""BART: Hugging Face's folders of BartForConditionalGeneration, both ways.

One table embeds sources and targets and is the readout. A generated text begins with
``decoder_start_token_id``, which as a rule is the end, </s>; of that row our beginning gets a copy, which is
never generated. Our vocabularies begin with filler, unknown word, beginning and end, so rows change places:
after these four come the other rows, in the file's order.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from anncestry.checkpoints.converters.encoder_names import (
    NOTHING_KNOWN,
    Exported,
    TextFacts,
    activation_of,
    fitted,
    foreign,
    their_activation,
    without_copies,
)
from anncestry.checkpoints.converters.transformer_names import SILENT, Words, arrange
from anncestry.checkpoints.foreign_files import ForeignFiles
from anncestry.checkpoints.imported import Imported
from anncestry.checkpoints.rename import KeyMap
from anncestry.errors import require
from anncestry.fields import Fields
from anncestry.models.bart import FIRST_POSITION
from anncestry.signature import BEGIN, END, PAD, UNKNOWN

_SHARED, _BIAS = "model.shared.weight", "final_logits_bias"
_COPIES: dict[str, str] = dict.fromkeys(
    ("model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight", "lm_head.weight"), _SHARED
)
_UNKNOWN = 3  # <unk>, where no vocabulary says it
_TOKENIZERS = ("tokenizer.json", "vocab.json", "encoder.json")
_SIDES = {"encoder": "source_positions", "decoder": "positions"}
_LAYER = {
    **{f"{theirs}.{p}_proj": f"{ours}.{'out' if p == 'out' else p}"
       for theirs, ours in (("self_attn", "attention"), ("encoder_attn", "cross_attention"))
       for p in ("q", "k", "v", "out")},
    "self_attn_layer_norm": "around_attention.norm",
    "encoder_attn_layer_norm": "around_cross_attention.norm",
    "final_layer_norm": "around_feed_forward.norm",
    "fc1": "feed_forward.inner",
    "fc2": "feed_forward.out",
}  # fmt: skip
_NAMES = KeyMap(
    {
        f"model.{{side*}}.layers.{{l}}.{theirs}.{part}": f"{{side*}}.{{l}}.{ours}.{part}"
        for theirs, ours in _LAYER.items()
        for part in ("weight", "bias")
    }
    | {f"model.{side}.embed_positions.weight": f"{ours}.embedding.weight" for side, ours in _SIDES.items()}
    | {
        f"model.{side}.layernorm_embedding.{part}": f"{ours}.norm.{part}"
        for side, ours in _SIDES.items()
        for part in ("weight", "bias")
    }
    | {_SHARED: "embedding.weight", _BIAS: "readout.bias"}
)


def is_bart(files: ForeignFiles) -> bool:
    """Whether it is BART's."""
    return files.model_type == "bart"


def from_bart(files: ForeignFiles, _: str | None = None) -> Imported:
    """The network of what `is_bart` accepts.

    Raises:
        UserError: a file is missing, a pickle or damaged; tensors are missing, unknown or misshapen; the
            config is of a network that is not one of ours.
    """
    source, fields, theirs = files.name, files.config, files.weights
    if not any(name.startswith("model.") for name in theirs):  # BartModel
        theirs = {name if name == _BIAS else f"model.{name}": tensor for name, tensor in theirs.items()}
    theirs = without_copies(theirs, _COPIES, source)
    table = theirs.get(_SHARED)
    if table is not None:
        rule = f"{_SHARED} has another shape; the config has {fields.size('vocab_size')} words"
        require(table.shape[:1] == (fields.size("vocab_size"),), source, tuple(table.shape), rule)
    words = words_of(fields, files)
    sizes = _sizes(fields, len(words.rows))
    if table is not None:
        theirs[_SHARED] = table[list(words.rows)]
        bias = theirs.get(_BIAS, table.new_zeros(len(table))).flatten()[list(words.rows)]
        bias[list(words.silent)] = SILENT
        theirs[_BIAS] = bias
    tensors = fitted("bart", sizes, theirs, _NAMES, source)
    reader = {"kind": "denoising", "rows": list(words.rows), "max_tokens": sizes["num_positions"] - 2}
    notes = (*files.generation_notes(), *fields.notes())
    if not any(name in files.names for name in _TOKENIZERS):
        numbers = "filler 0, unknown 1, beginning 2, end 3, then the file's others"
        notes = (f"no tokenizer lies beside the weights: the run takes tokens, not texts: {numbers}", *notes)
        return Imported("bart", sizes, tensors, notes=notes)
    return Imported("bart", sizes, tensors, None, notes, files.folder, reader)


def words_of(fields: Fields, files: ForeignFiles | None = None) -> Words:
    """Which rows of the table our tokens have.

    Args:
        fields: the config.
        files: where ``vocab.json`` may say which one is unknown.
    """
    count = fields.size("vocab_size")
    special = [fields.size(f"{name}_token_id", usual) for name, usual in
               (("pad", 1), ("decoder_start", 2), ("eos", 2))]  # fmt: skip
    require(max(special) < count, fields.source, special, f"pad, start and end must be below {count}")
    unknown = _UNKNOWN
    if files is not None and (places := _places(files)):
        unknown = places.get("<unk>", -1)
    elif unknown in special or unknown >= count:
        unknown = -1
    return arrange([str(row) for row in range(count)], special[0], unknown, *special[1:])


def _places(files: ForeignFiles) -> dict[str, int]:
    """The numbers of the tokens of the vocabulary beside the weights; empty where there is none."""
    if "vocab.json" in files.names:
        return dict(files.json("vocab.json"))
    if "tokenizer.json" not in files.names:
        return {}
    whole = dict(files.json("tokenizer.json"))
    vocab = (whole.get("model") or {}).get("vocab") or {}
    listed = dict(vocab) if isinstance(vocab, dict) else {piece[0]: p for p, piece in enumerate(vocab)}
    return listed | {token["content"]: token["id"] for token in whole.get("added_tokens") or ()}


def _sizes(fields: Fields, num_words: int) -> dict[str, Any]:
    for name in ("scale_embedding", "normalize_before", "add_final_layer_norm"):
        fields.must_be(name, False)
    fields.ignore(
        "encoder_layerdrop", "decoder_layerdrop",  # of training
        "init_std", "classifier_dropout", "classif_dropout", "forced_bos_token_id", "forced_eos_token_id",
        "is_decoder", "normalize_embedding", "static_position_embeddings", "extra_pos_embeddings",
        "add_bias_logits", "num_hidden_layers", "num_beams", "max_length", "min_length", "length_penalty",
        "no_repeat_ngram_size", "early_stopping",
    )  # fmt: skip
    width, layers = fields.size("d_model"), fields.size("encoder_layers")
    decoder_layers = fields.size("decoder_layers")
    for name in ("attention_heads", "ffn_dim"):
        both = {fields.size(f"{side}_{name}") for side in _SIDES}
        require(
            len(both) == 1, fields.source, sorted(both), f"{name} must be the same in encoder and decoder"
        )
    inner = fields.size("encoder_ffn_dim")
    return {
        "input_size": num_words,
        "output_size": num_words,
        "hidden_size": width,
        "num_layers": layers,
        "decoder_layers": 0 if decoder_layers == layers else decoder_layers,
        "num_heads": fields.size("encoder_attention_heads"),
        "inner_size": 0 if inner == 4 * width else inner,
        "num_positions": fields.size("max_position_embeddings", 1024),
        "output_bias": True,
        "activation": activation_of(fields, "activation_function"),
        "dropout": fields.number("dropout", 0.1),
        "attention_dropout": fields.number("attention_dropout", 0.0),
        "inner_dropout": fields.number("activation_dropout", 0.0),
    }


def exported_rows(tensors: Mapping[str, Tensor], numbers: Sequence[int]) -> tuple[int, ...]:
    """(V,) which token of ours each row of their table is.

    A beginning that is still as the end, and an unknown token that nothing was ever read for, need no rows
    of their own; other tokens that have no number there follow behind all others.

    Args:
        tensors: the state dict.
        numbers: (V,) what the tokens are numbered there; -1 for those that are not.
    """
    table = tensors["embedding.weight"]
    idle = {UNKNOWN} if not table[UNKNOWN].any() else set()
    idle |= {BEGIN} if _start(table) != BEGIN else set()
    places = {number: token for token, number in enumerate(numbers) if number >= 0}
    others = [token for token, number in enumerate(numbers) if number < 0 and token not in idle]
    return (*(places[number] for number in sorted(places)), *others)


def _start(table: Tensor) -> int:
    """The token that a generated text begins with: the beginning, or the one whose vector it still shares."""
    return next((token for token in (END, PAD) if torch.equal(table[token], table[BEGIN])), BEGIN)


def to_bart(tensors: Mapping[str, Tensor], config: Any, facts: TextFacts = NOTHING_KNOWN) -> Exported:
    """The files of a BART of ours, for BartForConditionalGeneration, with the words in our order.

    Args:
        tensors: the state dict.
        config: its `BARTConfig`.
        facts: how it reads texts.

    Raises:
        UserError: transformers has no such BART; names the field and what it would have to be.
    """
    width = config.hidden_size
    usual = config.head_size in (0, width / config.num_heads)
    for name, fits, wanted in (
        ("tie", config.tie == "all", "all"),
        ("attention_bias", config.attention_bias, "True"),
        ("last_norm", not config.last_norm, "False"),
        ("head_size", usual, "hidden_size / num_heads"),
        ("norm_eps", config.norm_eps == 1e-5, "1e-05"),
    ):
        require(fits, name, getattr(config, name), "Hugging Face's BART has another one", [wanted])
    theirs = foreign(tensors, _NAMES)
    rows = facts.rows or tuple(range(config.input_size))
    number = {token: place for place, token in enumerate(rows)}
    start = number[BEGIN if BEGIN in number else _start(tensors["embedding.weight"])]
    theirs[_SHARED] = theirs[_SHARED][list(rows)].clone()
    theirs[_BIAS] = theirs.get(_BIAS, torch.zeros(config.output_size))[list(rows)][None]
    described = {
        "architectures": ["BartForConditionalGeneration"], "model_type": "bart", "is_encoder_decoder": True,
        "vocab_size": len(rows), "d_model": width, "max_position_embeddings": config.num_positions,
        "encoder_layers": config.num_layers, "decoder_layers": config.decoder_layers or config.num_layers,
        **{f"{side}_attention_heads": config.num_heads for side in _SIDES},
        **{f"{side}_ffn_dim": config.inner_size or 4 * width for side in _SIDES},
        "activation_function": their_activation(config.activation), "dropout": config.dropout,
        "attention_dropout": config.attention_dropout, "activation_dropout": config.inner_dropout,
        "scale_embedding": False, "normalize_before": False, "normalize_embedding": True,
        "tie_word_embeddings": True, "pad_token_id": number[PAD],
        "bos_token_id": start if facts.begin is None else facts.begin, "eos_token_id": number[END],
        "decoder_start_token_id": start, "forced_eos_token_id": number[END], "dtype": "float32",
    }  # fmt: skip
    rows = len(theirs["model.encoder.embed_positions.weight"])
    assert rows == config.num_positions + FIRST_POSITION
    return Exported(described, theirs)
