"""Decoders that learn to go on with text first, and then a task."""

from typing import Any

from anncestry.timeline.architecture import Architecture, Preset
from anncestry.timeline.ledgers import pretrained_decoders as ledger

DECODER_FITS = frozenset(
    {("tokens", "language-model"), ("tokens", "classification"), ("tokens", "regression")}
)
_OWN_TEXT: dict[str, Any] = {
    "optimizer": "adamw",
    "learning_rate": 1e-3,
    "beta2": 0.99,
    "weight_decay": 0.1,
    "decay_on": "matrices",
    "clip_norm": 1.0,
    "schedule": "cosine",
    "warmup_steps": 100,
}
"""nanoGPT's, for small nets on a person's own text."""
_NO_DROPOUT = {"dropout": 0.0, "embedding_dropout": 0.0, "attention_dropout": 0.0}
_WEBTEXT: dict[str, Any] = {
    "optimizer": "adamw",
    "learning_rate": 6e-4,
    "beta2": 0.95,
    "weight_decay": 0.1,
    "decay_on": "matrices",
    "clip_norm": 1.0,
    "schedule": "cosine",
    "warmup_steps": 2000,
    "batch_size": 512,
    "max_steps": 600_000,
}
"""nanoGPT's for GPT-2: the authors published none."""

_BASE = Preset(
    name="gpt-base",
    config={"input_size": 40_478, "output_size": 40_478, "hidden_size": 768, "num_positions": 512},
    num_parameters=116_534_784,
    source="Radford et al. (2018), section 4.1; params_shapes.json of their code",
    recipe={
        "optimizer": "adamw",
        "learning_rate": 2.5e-4,
        "beta2": 0.999,
        "weight_decay": 0.01,
        "decay_on": "matrices",
        "schedule": "cosine",
        "warmup_steps": 2000,
        "batch_size": 64,
        "epochs": 100,
    },
    data={"level": "word-bpe", "vocab_size": 40_478, "window": 512},
)


def _gpt2(name: str, layers: int, width: int, heads: int, num_parameters: int, printed: str) -> Preset:
    return Preset(
        name=name,
        config={
            "input_size": 50_257,
            "output_size": 50_257,
            "hidden_size": width,
            "num_layers": layers,
            "num_heads": heads,
            "num_positions": 1024,
        },
        num_parameters=num_parameters,
        source=f"Radford et al. (2019), table 2, which prints {printed} million; counted from the weights",
        recipe=_WEBTEXT,
        data={"level": "byte-bpe", "vocab_size": 50_257, "window": 1024},
    )


def _characters(
    name: str, layers: int, width: int, heads: int, window: int, num_parameters: int, source: str,
    recipe: dict[str, Any], **more: Any,
) -> Preset:  # fmt: skip
    """A net for the characters of tiny-shakespeare, of which there are 65."""
    return Preset(
        name=name,
        config={
            "input_size": 65,
            "output_size": 65,
            "hidden_size": width,
            "num_layers": layers,
            "num_heads": heads,
            "num_positions": window,
            "seq_len": window,
            **more,
        },
        num_parameters=num_parameters,
        source=source,
        recipe={**_OWN_TEXT, **recipe},
        data={"level": "char", "window": window, "split": "tail-10"},
    )


_NANO = _characters(
    "gpt-nano", 4, 128, 4, 64, 809_856,
    "Karpathy, nanoGPT, its setting for a CPU on tiny-shakespeare; there without biases",
    {"batch_size": 12, "max_steps": 2000}, **_NO_DROPOUT,
)  # fmt: skip
_MINI = _characters(
    "gpt-mini", 6, 384, 6, 256, 10_770_816,
    "Karpathy, nanoGPT, its setting for tiny-shakespeare; there without biases",
    {"batch_size": 64, "max_steps": 5000}, dropout=0.2, embedding_dropout=0.2, attention_dropout=0.2,
)  # fmt: skip


_FINE_TUNING: dict[str, Any] = {  # section 4.1 of GPT's paper; the norm is its code's
    "optimizer": "adamw",
    "learning_rate": 6.25e-5,
    "weight_decay": 0.01,
    "decay_on": "matrices",
    "clip_norm": 1.0,
    "schedule": "linear",
    "warmup": 0.002,
    "batch_size": 32,
    "epochs": 3,
}

PRETRAINED_DECODERS: tuple[Architecture, ...] = (
    Architecture(
        id="gpt",
        name="GPT",
        year=2018,
        paper="Radford et al., Improving language understanding by generative pre-training",
        parents=("transformer",),
        adds="first a language model of any text, then a task; learnt positions, Gaussian error linear units",
        removes="the encoder, and the attention to it",
        departures=ledger.GPT,
        fits=DECODER_FITS,
        module="gpt",
        model="GPT",
        config="GPTConfig",
        recipe=_OWN_TEXT,
        fine_tuning=_FINE_TUNING,
        presets=(_BASE,),
    ),
    Architecture(
        id="gpt2",
        name="GPT-2",
        year=2019,
        paper="Radford et al., Language models are unsupervised multitask learners",
        parents=("gpt",),
        adds="a normalisation before each sub-layer and one behind all, smaller initial weights",
        removes="the normalisation of the sum behind each sub-layer",
        departures=ledger.GPT2,
        fits=DECODER_FITS,
        module="gpt2",
        model="GPT2",
        config="GPT2Config",
        recipe=_OWN_TEXT,
        fine_tuning=_FINE_TUNING,
        presets=(
            _gpt2("gpt2-small", 12, 768, 12, 124_439_808, "117"),
            _gpt2("gpt2-medium", 24, 1024, 16, 354_823_168, "345"),
            _gpt2("gpt2-large", 36, 1280, 20, 774_030_080, "762"),
            _gpt2("gpt2-xl", 48, 1600, 25, 1_557_611_200, "1542"),
            _NANO,
            _MINI,
        ),
        aliases=("gpt-2",),
    ),
)
