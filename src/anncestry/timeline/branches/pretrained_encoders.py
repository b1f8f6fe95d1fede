"""Encoders that are trained on text of any kind first, and then on a task."""

from typing import Any

from anncestry.timeline.architecture import Architecture, Preset
from anncestry.timeline.ledgers import pretrained_encoders as ledger

ENCODER_FITS = frozenset({
    ("tokens", "masked-lm"), ("tokens", "classification"), ("tokens", "regression"), ("tokens", "tagging"),
    ("tokens", "span"),
})  # fmt: skip
PRETRAINING: dict[str, Any] = {
    "optimizer": "adamw",
    "learning_rate": 1e-4,
    "weight_decay": 0.01,
    "decay_on": "matrices",
    "epsilon": 1e-6,
    "clip_norm": 1.0,
    "schedule": "linear",
    "warmup_steps": 10_000,
    "max_steps": 1_000_000,
    "batch_size": 256,
}
_UNCASED, _CASED = 30_522, 28_996
_SEPARATOR = 102
_SMALL = {  # Turc et al., 1908.08962: layers and width of each, and what its encoder and pooler count
    (2, 128): 4_385_920, (2, 256): 9_591_040, (2, 512): 22_458_880, (2, 768): 38_603_520,
    (4, 128): 4_782_464, (4, 256): 11_170_560, (4, 512): 28_763_648, (4, 768): 52_779_264,
    (6, 128): 5_179_008, (6, 256): 12_750_080, (6, 512): 35_068_416, (6, 768): 66_955_008,
    (8, 128): 5_575_552, (8, 256): 14_329_600, (8, 512): 41_373_184, (8, 768): 81_130_752,
    (10, 128): 5_972_096, (10, 256): 15_909_120, (10, 512): 47_677_952, (10, 768): 95_306_496,
    (12, 128): 6_368_640, (12, 256): 17_488_640, (12, 512): 53_982_720,
}  # fmt: skip
_NICKNAMES = {(2, 128): "bert-tiny", (4, 256): "bert-mini", (4, 512): "bert-small", (8, 512): "bert-medium"}


def encoder_preset(
    name: str,
    layers: int,
    width: int,
    heads: int,
    words: int,
    count: int,
    source: str,
    recipe: dict[str, Any] | None = None,
    data: dict[str, Any] | None = None,
    **config: Any,
) -> Preset:
    """A published size as it embeds a text: the encoder with its pooler, and no head.

    The published counts are those of an encoder and its pooler, so that is what is counted.
    """
    sizes = {"hidden_size": width, "num_layers": layers, "num_heads": heads}
    embeds = {"task": "embedding", "pooling": "pooler", "input_size": words, "output_size": width}
    config = {**embeds, **sizes, "separator": _SEPARATOR, **config}
    return Preset(
        name=name,
        config=config,
        num_parameters=count,
        source=source,
        recipe=recipe or PRETRAINING,
        data=data or {},
    )


def _small(layers: int, width: int, count: int) -> Preset:
    name = _NICKNAMES.get((layers, width), f"bert-{layers}x{width}")
    return encoder_preset(name, layers, width, width // 64, _UNCASED, count, "Turc et al., 1908.08962")


_PAPER = "Devlin et al., 1810.04805, section 3"
_BASE, _LARGE = (12, 768, 12), (24, 1024, 16)
_BERT_PRESETS = (
    encoder_preset("bert-base", *_BASE, _UNCASED, 109_482_240, _PAPER),
    encoder_preset("bert-base-cased", *_BASE, _CASED, 108_310_272, _PAPER),
    encoder_preset("bert-large", *_LARGE, _UNCASED, 335_141_888, _PAPER),
    encoder_preset("bert-large-cased", *_LARGE, _CASED, 333_579_264, _PAPER),
    encoder_preset("bert-multilingual-cased", *_BASE, 119_547, 177_853_440, "the authors' files"),
    encoder_preset("bert-multilingual-uncased", *_BASE, 105_879, 167_356_416, "the authors' files"),
    encoder_preset("bert-chinese", *_BASE, 21_128, 102_267_648, "the authors' files"),
    *(_small(layers, width, count) for (layers, width), count in _SMALL.items()),
)


# What suits a person's own data and two cores; the paper's recipe comes with the presets.
SMALL_RECIPE: dict[str, Any] = {
    "optimizer": "adamw",
    "learning_rate": 1e-3,
    "weight_decay": 0.01,
    "decay_on": "matrices",
    "clip_norm": 1.0,
    "schedule": "linear",
    "warmup_steps": 100,
    "batch_size": 32,
}

# The paper's grid is 5e-5, 3e-5 and 2e-5, 16 or 32 texts, 2 to 4 epochs; the warm-up is the code's. Small
# encoders want more, up to 3e-4 (Turc et al., 1908.08962).
FINE_TUNING: dict[str, Any] = {
    "optimizer": "adamw",
    "learning_rate": 5e-5,
    "weight_decay": 0.01,
    "decay_on": "matrices",
    "clip_norm": 1.0,
    "schedule": "linear",
    "warmup": 0.1,
    "batch_size": 32,
    "epochs": 3,
}

PRETRAINED_ENCODERS: tuple[Architecture, ...] = (
    Architecture(
        id="bert",
        name="BERT",
        year=2018,
        paper="Devlin et al., BERT: pre-training of deep bidirectional Transformers, 1810.04805",
        parents=("transformer", "gpt", "elmo"),
        adds="masked tokens, next-sentence prediction, segments, learned positions, GELU; fine-tuned whole",
        removes="the decoder, and the sinusoids",
        departures=ledger.BERT,
        fits=ENCODER_FITS,
        module="bert",
        model="Bert",
        config="BertConfig",
        recipe=SMALL_RECIPE,
        fine_tuning=FINE_TUNING,
        presets=_BERT_PRESETS,
    ),
)
