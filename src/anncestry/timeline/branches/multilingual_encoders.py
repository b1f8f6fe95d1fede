"""Encoders of other languages than English, or of many at once: XLM and FlauBERT."""

from typing import Any

from anncestry.timeline.architecture import Architecture, Preset
from anncestry.timeline.branches.pretrained_encoders import ENCODER_FITS, SMALL_RECIPE
from anncestry.timeline.ledgers import multilingual_encoders as ledger


def without_head(
    name: str, layers: int, width: int, heads: int, words: int, count: int, source: str, **more: Any
) -> Preset:
    """A published size as it embeds a text by the mean of its tokens, which needs no layer of its own.

    Args:
        more: further fields of the config, and ``recipe``.
    """
    sizes = {"input_size": words, "hidden_size": width, "num_layers": layers, "num_heads": heads}
    recipe = more.pop("recipe")
    config = {"task": "embedding", "output_size": width, "pooling": "mean", **sizes, **more}
    return Preset(name=name, config=config, num_parameters=count, source=source, recipe=recipe)


_MANY: dict[str, Any] = {
    "optimizer": "adam",
    "learning_rate": 1e-4,
    "batch_size": 64,
}
_XNLI = ("ar", "bg", "de", "el", "en", "es", "fr", "hi", "ru", "sw", "th", "tr", "ur", "vi", "zh")
_XLM_PRESETS = (
    without_head(
        "xlm-xnli15", 12, 1024, 8, 95_000, 248_976_384,
        "Lample & Conneau, 1901.07291, section 5.1: 95,000 pieces and 15 languages; counted without a head",
        languages=_XNLI, recipe=_MANY, seq_len=256,
    ),
)  # fmt: skip
_FLAUBERT: dict[str, Any] = {
    "optimizer": "adam",
    "learning_rate": 6e-4,
    "beta2": 0.98,
    "epsilon": 1e-6,
    "weight_decay": 0.01,
    "schedule": "linear",
    "warmup_steps": 24_000,
    "batch_size": 8192,
}
_FLAUBERT_LARGE: dict[str, Any] = {"norm": "pre", "layer_drop": 0.2}
_FRENCH, _LE = 68_729, "Le et al., 1912.05372, section 4"
_FLAUBERT_PRESETS = (
    without_head("flaubert-base", 12, 768, 12, _FRENCH, 138_233_088, _LE, recipe=_FLAUBERT, seq_len=512),
    without_head(
        "flaubert-large", 24, 1024, 16, _FRENCH, 373_214_208, _LE,
        recipe=_FLAUBERT, seq_len=512, **_FLAUBERT_LARGE,
    ),
)  # fmt: skip

MULTILINGUAL_ENCODERS: tuple[Architecture, ...] = (
    Architecture(
        id="xlm",
        name="XLM",
        year=2019,
        paper="Lample & Conneau, Cross-lingual language model pretraining, 1901.07291",
        parents=("bert", "gpt"),
        adds="many languages with a vector each, texts with their translations, whose positions begin anew",
        removes="next-sentence prediction, segments, the pooler, the layer before the readout",
        departures=ledger.XLM,
        fits=ENCODER_FITS,
        module="xlm",
        model="XLM",
        config="XLMConfig",
        recipe=SMALL_RECIPE,
        data={"level": "word-bpe"},
        presets=_XLM_PRESETS,
    ),
    Architecture(
        id="flaubert",
        name="FlauBERT",
        year=2019,
        paper="Le et al., FlauBERT: unsupervised language model pre-training for French, 1912.05372",
        parents=("roberta", "xlm"),
        adds="71 GB of French, XLM's net; the large one normalises first and leaves out layers in training",
        removes="English, byte-level BPE, segments",
        departures=ledger.FLAUBERT,
        fits=ENCODER_FITS,
        module="xlm",
        model="XLM",
        config="XLMConfig",
        recipe=SMALL_RECIPE,
        data={"level": "word-bpe"},
        presets=_FLAUBERT_PRESETS,
    ),
)
