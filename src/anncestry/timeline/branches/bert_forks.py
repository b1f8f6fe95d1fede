"""BERT's forks that keep its net, and change its pre-training objective."""

from typing import Any

from anncestry.timeline.architecture import Architecture, Preset
from anncestry.timeline.branches.pretrained_encoders import (
    ENCODER_FITS,
    PRETRAINING,
    SMALL_RECIPE,
    encoder_preset,
)
from anncestry.timeline.ledgers import bert_forks as ledger

_BASE, _LARGE = (12, 768, 12), (24, 1024, 16)
_UNCASED, _CASED, _ROBERTA, _CAMEMBERT = 30_522, 28_996, 50_265, 32_005
_END_OF_TEXT = {_ROBERTA: 2, _CAMEMBERT: 6}  # the row of </s>

# ---- SpanBERT -------------------------------------------------------------------------------------------

_SPANBERT_RECIPE = {**PRETRAINING, "max_steps": 2_400_000, "epsilon": 1e-8, "weight_decay": 0.1}
_SPANBERT = Architecture(
    id="spanbert",
    name="SpanBERT",
    year=2019,
    paper="Joshi et al., SpanBERT: improving pre-training by representing and predicting spans, 1907.10529",
    parents=("bert",),
    adds="spans are masked; each of their tokens is also predicted from the two ends of its span",
    removes="next-sentence prediction; short inputs",
    departures=ledger.SPANBERT,
    fits=ENCODER_FITS,
    module="spanbert",
    model="SpanBert",
    config="SpanBertConfig",
    recipe=SMALL_RECIPE,
    data={"masking": "spans"},
    presets=(
        encoder_preset(
            "spanbert-base", *_BASE, _CASED, 108_310_272, "the authors' files: bert-base-cased's shape",
            _SPANBERT_RECIPE,
        ),
        encoder_preset(
            "spanbert-large", *_LARGE, _CASED, 333_579_264,
            "Joshi et al., 1907.10529, section 4.2; encoder and pooler", _SPANBERT_RECIPE,
        ),
    ),
)  # fmt: skip

# ---- RoBERTa and CamemBERT ------------------------------------------------------------------------------

_ROBERTA_RECIPE: dict[str, Any] = {
    **PRETRAINING, "learning_rate": 6e-4, "beta2": 0.98, "clip_norm": 0.0, "warmup_steps": 24_000,
    "max_steps": 500_000, "batch_size": 8192,
}  # fmt: skip
_ROBERTA_LARGE = {**_ROBERTA_RECIPE, "learning_rate": 4e-4, "warmup_steps": 30_000}


def _roberta(name: str, shape: tuple[int, int, int], words: int, count: int, source: str, recipe) -> Preset:
    separator = _END_OF_TEXT[words]
    return encoder_preset(
        name, *shape, words, count, source, recipe, separator=separator, num_segments=1, norm_eps=1e-5
    )


_ROBERTA_ENTRY = Architecture(
    id="roberta",
    name="RoBERTa",
    year=2019,
    paper="Liu et al., RoBERTa: a robustly optimized BERT pretraining approach, 1907.11692",
    parents=("bert",),
    adds="dynamic masking, sentences across documents, byte-level BPE, large batches",
    removes="next-sentence prediction, its segment, and the phase of short inputs",
    departures=ledger.ROBERTA,
    fits=ENCODER_FITS,
    module="roberta",
    model="Roberta",
    config="RobertaConfig",
    recipe=SMALL_RECIPE,
    data={"level": "byte-bpe"},
    presets=(
        _roberta(
            "roberta-base", _BASE, _ROBERTA, 124_645_632,
            "Liu et al., 1907.11692, section 5; with a pooler; 124,697,433 with the masked-LM head",
            _ROBERTA_RECIPE,
        ),
        _roberta(
            "roberta-large", _LARGE, _ROBERTA, 355_359_744,
            "Liu et al., 1907.11692, section 5; with a pooler; 355,412,057 with the masked-LM head",
            _ROBERTA_LARGE,
        ),
    ),
)  # fmt: skip
_CAMEMBERT_ENTRY = Architecture(
    id="camembert",
    name="CamemBERT",
    year=2019,
    paper="Martin et al., CamemBERT: a tasty French language model, 1911.03894",
    parents=("roberta",),
    adds="French, 138 GB of web pages; whole-word masking; SentencePiece",
    removes="English, and byte-level BPE",
    departures=ledger.CAMEMBERT,
    fits=ENCODER_FITS,
    module="roberta",
    model="Roberta",
    config="RobertaConfig",
    recipe=SMALL_RECIPE,
    data={"masking": "whole-words"},
    presets=(
        _roberta(
            "camembert-base", _BASE, _CAMEMBERT, 110_621_952,
            "Martin et al., 1911.03894, section 4; with a pooler", {**_ROBERTA_RECIPE, "max_steps": 100_000},
        ),
        _roberta(
            "camembert-large", _LARGE, _CAMEMBERT, 336_661_504, "the authors' files: roberta-large's shape",
            {**_ROBERTA_LARGE, "max_steps": 100_000},
        ),
    ),
)  # fmt: skip

# ---- StructBERT -----------------------------------------------------------------------------------------

_STRUCTBERT = Architecture(
    id="structbert",
    name="StructBERT",
    year=2019,
    paper="Wang et al., StructBERT: incorporating language structures into pre-training, 1908.04577",
    parents=("bert",),
    adds="shuffled trigrams are put in order again; sentence prediction with a third relation",
    removes="next-sentence prediction with two classes",
    departures=ledger.STRUCTBERT,
    fits=ENCODER_FITS,
    module="structbert",
    model="StructBert",
    config="StructBertConfig",
    recipe=SMALL_RECIPE,
    data={"masking": "word-order"},
    presets=(
        encoder_preset(
            "structbert-base", *_BASE, _UNCASED, 109_482_240,
            "Wang et al., 1908.04577, section 3: bert-base's shape", data={"pairs": "three"},
        ),
        encoder_preset(
            "structbert-large", *_LARGE, _UNCASED, 335_141_888,
            "Wang et al., 1908.04577, section 3: bert-large's shape", data={"pairs": "three"},
        ),
    ),
)  # fmt: skip

BERT_FORKS: tuple[Architecture, ...] = (_SPANBERT, _ROBERTA_ENTRY, _STRUCTBERT, _CAMEMBERT_ENTRY)
