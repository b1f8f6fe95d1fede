"""Tables of the tensor names and config fields of BERT's variants, a row for each, as Hugging Face writes
them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from anncestry.checkpoints.converters.encoder_names import BLOCK, EMBEDDINGS, POOLER

_TWO_LAYERS = {"classifier.dense": "pooler.linear", "classifier.out_proj": "head"}
_SIZES = {
    "input_size": "vocab_size", "hidden_size": "hidden_size", "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads", "inner_size": "intermediate_size",
    "num_positions": "max_position_embeddings", "num_segments": "type_vocab_size",
}  # fmt: skip
_NUMBERS = {
    "dropout": ("hidden_dropout_prob", 0.1), "attention_dropout": ("attention_probs_dropout_prob", 0.1),
    "norm_eps": ("layer_norm_eps", 1e-12),
}  # fmt: skip


class BertVariant(NamedTuple):
    """How the files of one variant are written. Modules are given as theirs -> ours.

    Attributes:
        architecture: its id on the timeline.
        name: what the names of their classes begin with.
        prefix: what the names of the body's tensors begin with.
        lm_head: modules of the head for masked tokens.
        tied: tensors of that head that are stored twice -> the tensor that they must equal.
        classifier: modules of the head for a whole text; two where no pooler is below it.
        pooler: the module of the pooler.
        layer, block, embeddings: as for `bert_names`.
        sizes, numbers: our fields -> the names of theirs in a config; ``numbers`` with their defaults.
        activation: its name in a config.
        fixed: fields of ours whose values their program fixes.
        first_position: rows of the table of positions before that of the first token.
        gelu: whether the head for masked tokens has GELU, whatever the activation is.
        ids: of special tokens, for a config that is written.
        ignored: fields of a config that change no result.
    """

    architecture: str
    name: str
    prefix: str
    lm_head: Mapping[str, str]
    tied: Mapping[str, str]
    classifier: Mapping[str, str] = {"classifier": "head"}
    pooler: Mapping[str, str] = POOLER
    layer: str = "encoder.layer.{l}"
    block: Mapping[str, str] = BLOCK
    embeddings: Mapping[str, str] = EMBEDDINGS
    sizes: Mapping[str, str] = _SIZES
    numbers: Mapping[str, tuple[str, float]] = _NUMBERS
    activation: str = "hidden_act"
    fixed: Mapping[str, Any] = {}
    first_position: int = 0
    gelu: bool = False
    ids: Mapping[str, int] = {"pad_token_id": 0}
    ignored: tuple[str, ...] = ("classifier_dropout",)


_ROBERTA = BertVariant(
    "roberta", "Roberta", "roberta.",
    {"lm_head.dense": "head.linear", "lm_head.layer_norm": "head.norm", "lm_head.bias": "head.readout.bias"},
    {"lm_head.decoder.weight": "embeddings.word_embeddings.weight", "lm_head.decoder.bias": "lm_head.bias"},
    _TWO_LAYERS, first_position=2, gelu=True,
    ids={"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2},
)  # fmt: skip
_ALBERT = BertVariant(
    "albert", "Albert", "albert.",
    {
        "predictions.dense": "head.linear", "predictions.LayerNorm": "head.norm",
        "predictions.bias": "head.readout.bias",
    },
    {
        "predictions.decoder.weight": "embeddings.word_embeddings.weight",
        "predictions.decoder.bias": "predictions.bias",
    },
    pooler={"pooler": "pooler.linear"}, layer="encoder.albert_layer_groups.{l}.albert_layers.0",
    block={
        "attention.query": "attention.q", "attention.key": "attention.k", "attention.value": "attention.v",
        "attention.dense": "attention.out", "attention.LayerNorm": "around_attention.norm",
        "ffn": "feed_forward.inner", "ffn_output": "feed_forward.out",
        "full_layer_layer_norm": "around_feed_forward.norm",
    },
    embeddings={**EMBEDDINGS, "encoder.embedding_hidden_mapping_in": "embeddings.widen"},
    sizes={**_SIZES, "embed_dim": "embedding_size"},
    ids={"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3},
    ignored=(
        "classifier_dropout_prob", "down_scale_factor", "gap_size", "net_structure_type",
        "num_memory_blocks",
    ),
)  # fmt: skip
_DISTILBERT = BertVariant(
    "distilbert", "DistilBert", "distilbert.",
    {
        "vocab_transform": "head.linear", "vocab_layer_norm": "head.norm",
        "vocab_projector.bias": "head.readout.bias",
    },
    {"vocab_projector.weight": "embeddings.word_embeddings.weight"},
    {"pre_classifier": "pooler.linear", "classifier": "head"},
    pooler={}, layer="transformer.layer.{l}",
    block={
        "attention.q_lin": "attention.q", "attention.k_lin": "attention.k", "attention.v_lin": "attention.v",
        "attention.out_lin": "attention.out", "sa_layer_norm": "around_attention.norm",
        "ffn.lin1": "feed_forward.inner", "ffn.lin2": "feed_forward.out",
        "output_layer_norm": "around_feed_forward.norm",
    },
    embeddings={theirs: ours for theirs, ours in EMBEDDINGS.items() if "token_type" not in theirs},
    sizes={
        "input_size": "vocab_size", "hidden_size": "dim", "num_layers": "n_layers", "num_heads": "n_heads",
        "inner_size": "hidden_dim", "num_positions": "max_position_embeddings",
    },
    numbers={"dropout": ("dropout", 0.1), "attention_dropout": ("attention_dropout", 0.1)},
    activation="activation", fixed={"num_segments": 0, "norm_eps": 1e-12},
    ignored=("sinusoidal_pos_embds", "qa_dropout", "seq_classif_dropout", "tie_weights_"),
)  # fmt: skip
_GENERATOR_HEAD = {
    "generator_predictions.dense": "head.linear", "generator_predictions.LayerNorm": "head.norm",
    "generator_lm_head.bias": "head.readout.bias",
}  # fmt: skip
ELECTRA = BertVariant(
    "electra", "Electra", "electra.",
    {
        "discriminator_predictions.dense": "head.linear",
        "discriminator_predictions.dense_prediction": "head.out",
    },
    {}, _TWO_LAYERS, pooler={},
    embeddings={**EMBEDDINGS, "embeddings_project": "embeddings.widen"},
    sizes={**_SIZES, "embed_dim": "embedding_size"}, gelu=True,
    ignored=(
        "classifier_dropout", "summary_type", "summary_use_proj", "summary_activation",
        "summary_last_dropout",
    ),
)  # fmt: skip
GENERATOR = ELECTRA._replace(
    architecture="bert",
    lm_head=_GENERATOR_HEAD,
    tied={"generator_lm_head.weight": "embeddings.word_embeddings.weight"},
)
BERT_VARIANTS: Mapping[str, BertVariant] = {
    "roberta": _ROBERTA,
    "camembert": _ROBERTA._replace(
        architecture="camembert", name="Camembert",
        ids={"pad_token_id": 1, "bos_token_id": 5, "eos_token_id": 6},
    ),
    "xlm-roberta": _ROBERTA._replace(name="XLMRoberta"),
    "albert": _ALBERT,
    "distilbert": _DISTILBERT,
    "electra": ELECTRA,
}  # fmt: skip
"""``model_type`` of a config.json -> how its files are written."""
