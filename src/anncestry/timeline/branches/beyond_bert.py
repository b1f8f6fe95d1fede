"""BERT's forks that change how it reads: texts apart, in any order, in many languages, thinner."""

from typing import Any

from anncestry.timeline.architecture import Architecture, Preset
from anncestry.timeline.branches.multilingual_encoders import MULTILINGUAL_ENCODERS, without_head
from anncestry.timeline.branches.pretrained_encoders import ENCODER_FITS, PRETRAINING, SMALL_RECIPE
from anncestry.timeline.ledgers import beyond_bert as ledger

_UNCASED, _SEPARATOR = 30_522, 102  # BERT's

# ---- Sentence-BERT --------------------------------------------------------------------------------------

_SENTENCES: dict[str, Any] = {
    "optimizer": "adamw",
    "learning_rate": 2e-5,
    "weight_decay": 0.01,
    "schedule": "linear",
    "warmup_steps": 6250,  # a tenth of a million pairs in batches of 16
    "epochs": 1,
    "batch_size": 16,
}
_SENTENCE_BASE: dict[str, Any] = {
    "input_size": _UNCASED, "hidden_size": 768, "num_layers": 12, "num_heads": 12, "separator": _SEPARATOR,
    "pooling": "mean",
}  # fmt: skip
_SENTENCE_PRESETS = (
    Preset(
        name="sentence-bert-base",
        config={**_SENTENCE_BASE, "task": "embedding", "output_size": 768},
        num_parameters=108_891_648,
        source="Reimers & Gurevych, 1908.10084: BERT-base's 109,482,240 less the 590,592 of its pooler, "
        "which the mean of all tokens does not use",
        recipe=_SENTENCES,
    ),
    Preset(
        name="sentence-bert-nli-base",
        config={**_SENTENCE_BASE, "task": "classification", "output_size": 3},
        num_parameters=108_898_560,
        source="Reimers & Gurevych, 1908.10084, section 3: the same and 3 x 3 x 768 = 6,912 of the softmax",
        recipe=_SENTENCES,
    ),
)

# ---- BART -----------------------------------------------------------------------------------------------

_DENOISING: dict[str, Any] = {
    "optimizer": "adamw",
    "learning_rate": 4e-4,
    "beta2": 0.98,
    "epsilon": 1e-6,
    "weight_decay": 0.01,
    "schedule": "linear",
    "warmup_steps": 30_000,
    "max_steps": 500_000,
    "batch_size": 8000,
    "label_smoothing": 0.0,  # the paper's 0.1 is of fine-tuning (its section 5.3)
}
_BYTES = 50_265


def _bart(name: str, layers: int, width: int, heads: int, words: int, count: int, source: str) -> Preset:
    sizes = {"hidden_size": width, "num_layers": layers, "num_heads": heads}
    vocabulary = {"input_size": words, "output_size": words, "seq_len": 128, "target_len": 128}
    return Preset(
        name=name,
        config={**vocabulary, **sizes},
        num_parameters=count,
        source=source,
        recipe=_DENOISING,
    )


_BART_PRESETS = (
    _bart("bart-base", 6, 768, 12, _BYTES, 139_420_416, "Lewis et al., 1910.13461, section 4"),
    _bart("bart-large", 12, 1024, 16, _BYTES, 406_291_456, "Lewis et al., 1910.13461, section 5"),
    _bart(
        "bart-large-cnn", 12, 1024, 16, 50_264, 406_290_432, "the authors' fine-tuned files: without the mask"
    ),
)

# ---- XLNet ----------------------------------------------------------------------------------------------

_PERMUTED: dict[str, Any] = {
    "optimizer": "adamw",
    "learning_rate": 4e-4,
    "weight_decay": 0.01,
    "epsilon": 1e-6,
    "schedule": "linear",
    "warmup_steps": 40_000,
    "max_steps": 500_000,
    "batch_size": 8192,
}
_SEP_PIECE = 4  # of the authors' SentencePiece model


_XLNET_SOURCE = (
    "Yang et al., 1906.08237, appendix A.4; with the query vector and the projections of distances, "
    "and no head"
)
_XLNET_MORE: dict[str, Any] = {"separator": _SEP_PIECE, "recipe": _PERMUTED, "seq_len": 512}
_XLNET_PRESETS = (
    without_head("xlnet-base", 12, 768, 12, 32_000, 116_718_336, _XLNET_SOURCE, **_XLNET_MORE),
    without_head("xlnet-large", 24, 1024, 16, 32_000, 360_268_800, _XLNET_SOURCE, **_XLNET_MORE),
)

# ---- MobileBERT -----------------------------------------------------------------------------------------

_MOBILE_PRESETS = (
    without_head(
        "mobilebert-base", 24, 512, 4, _UNCASED, 24_581_888,
        "Sun et al., 2004.02984, table 1: embeddings and blocks; the paper prints 25.3 million",
        separator=_SEPARATOR, inner_size=512, recipe=PRETRAINING,
    ),
)  # fmt: skip

BEYOND_BERT: tuple[Architecture, ...] = (
    Architecture(
        id="sentence-bert",
        name="Sentence-BERT",
        year=2019,
        paper="Reimers & Gurevych, Sentence embeddings using siamese BERT-networks, 1908.10084",
        parents=("bert",),
        adds="one encoder for each of two texts, the mean of a text's tokens, a prediction from two vectors",
        removes="attention between two texts; the masked-LM head and next-sentence prediction",
        departures=ledger.SENTENCE_BERT,
        fits=frozenset({("tokens", "classification"), ("tokens", "regression")}),
        module="sentence_bert",
        model="SentenceBert",
        config="SentenceBertConfig",
        recipe=SMALL_RECIPE,
        presets=_SENTENCE_PRESETS,
        aliases=("sbert",),
    ),
    Architecture(
        id="bart",
        name="BART",
        year=2019,
        paper="Lewis et al., BART: denoising sequence-to-sequence pre-training, 1910.13461",
        parents=("bert", "transformer", "gpt", "roberta"),
        adds="a decoder of the whole text, spans of any length behind one mask, shuffled sentences",
        removes="the masked-LM head, next-sentence prediction, segments, the pooler",
        departures=ledger.BART,
        fits=frozenset({("tokens", "translation")}),
        module="bart",
        model="BART",
        config="BARTConfig",
        recipe={**SMALL_RECIPE, "label_smoothing": 0.1},
        presets=_BART_PRESETS,
    ),
    Architecture(
        id="xlnet",
        name="XLNet",
        year=2019,
        paper="Yang et al., XLNet: generalized autoregressive pretraining, 1906.08237",
        parents=("bert",),
        adds="tokens predicted in a random order, two streams, distances instead of positions, a memory",
        removes="the mask token, next-sentence prediction, positions, biases of q, k and v",
        departures=ledger.XLNET,
        fits=ENCODER_FITS,
        module="xlnet",
        model="XLNet",
        config="XLNetConfig",
        recipe=SMALL_RECIPE,
        data={"masking": "permutation"},
        presets=_XLNET_PRESETS,
    ),
    *MULTILINGUAL_ENCODERS,
    Architecture(
        id="mobilebert",
        name="MobileBERT",
        year=2020,
        paper="Sun et al., MobileBERT: a compact BERT, 2004.02984",
        parents=("bert", "albert", "distilbert"),
        adds="a bottleneck around every block with four feed-forward nets, trigram embeddings, NoNorm",
        removes="the width of blocks, statistics of normalisation, GELU, the pooler's layer",
        departures=ledger.MOBILEBERT,
        fits=ENCODER_FITS,
        module="mobilebert",
        model="MobileBert",
        config="MobileBertConfig",
        recipe=SMALL_RECIPE,
        presets=_MOBILE_PRESETS,
    ),
)
