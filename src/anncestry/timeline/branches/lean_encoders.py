"""BERT's forks that want fewer weights, fewer layers, or less training."""

from typing import Any

from anncestry.timeline.architecture import Architecture, Preset
from anncestry.timeline.branches.pretrained_encoders import (
    ENCODER_FITS,
    PRETRAINING,
    SMALL_RECIPE,
    encoder_preset,
)
from anncestry.timeline.ledgers import lean_encoders as ledger

_BASE, _LARGE = (12, 768, 12), (24, 1024, 16)
_UNCASED, _ALBERT = 30_522, 30_000
_ALBERT_SEPARATOR = 3

# ---- ALBERT ---------------------------------------------------------------------------------------------

_ALBERT_RECIPE: dict[str, Any] = {
    **PRETRAINING, "optimizer": "lamb", "learning_rate": 1.76e-3, "warmup_steps": 3125,
    "max_steps": 125_000, "batch_size": 4096,
}  # fmt: skip


def _albert(name: str, shape: tuple[int, int, int], count: int, printed: str, **config: Any) -> Preset:
    return encoder_preset(
        name, *shape, _ALBERT, count,
        f"Lan et al., 1909.11942, table 1, which prints {printed}; with a pooler",
        _ALBERT_RECIPE, separator=_ALBERT_SEPARATOR, embed_dim=128, activation="gelu-tanh",
        data={"pairs": "order"}, **config,
    )  # fmt: skip


_ALBERT_ENTRY = Architecture(
    id="albert",
    name="ALBERT",
    year=2019,
    paper="Lan et al., ALBERT: a lite BERT for self-supervised learning of language representations, "
    "1909.11942",
    parents=("bert",),
    adds="one block for all layers; embeddings of 128 features; sentence-order prediction; n-gram masking",
    removes="each layer's own weights, and next-sentence prediction",
    departures=ledger.ALBERT,
    fits=ENCODER_FITS,
    module="albert",
    model="Albert",
    config="AlbertConfig",
    recipe=SMALL_RECIPE,
    data={"masking": "n-grams"},
    presets=(
        _albert("albert-base", _BASE, 11_683_584, "12 M"),
        _albert("albert-large", _LARGE, 17_683_968, "18 M"),
        _albert("albert-xlarge", (24, 2048, 16), 58_724_864, "60 M"),
        _albert("albert-xxlarge", (12, 4096, 64), 222_595_584, "235 M", dropout=0.0, attention_dropout=0.0),
    ),
)  # fmt: skip

# ---- DistilBERT -----------------------------------------------------------------------------------------

_DISTILBERT = Architecture(
    id="distilbert",
    name="DistilBERT",
    year=2019,
    paper="Sanh et al., DistilBERT, a distilled version of BERT: smaller, faster, cheaper and lighter, "
    "1910.01108",
    parents=("bert", "roberta"),
    adds="knowledge distillation from a teacher's logits and states; every second of its layers as a start",
    removes="half of the layers, segments, the pooler, and next-sentence prediction",
    departures=ledger.DISTILBERT,
    fits=ENCODER_FITS,
    module="distilbert",
    model="DistilBert",
    config="DistilBertConfig",
    recipe=SMALL_RECIPE,
    presets=(
        encoder_preset(
            "distilbert-base", 6, 768, 12, _UNCASED, 66_362_880,
            "Sanh et al., 1910.01108, table 3, which prints 66 M; 66,985,530 with the masked-LM head",
            {**PRETRAINING, "learning_rate": 5e-4, "batch_size": 4096},
            num_segments=0, pooling="mean",
        ),
    ),
)  # fmt: skip

# ---- ELECTRA --------------------------------------------------------------------------------------------

_ELECTRA_RECIPE = {**PRETRAINING, "clip_norm": 1.0, "epsilon": 1e-6}


def _electra(
    name: str, shape: tuple[int, int, int], count: int, with_head: str, divisor: int,
    recipe: dict[str, Any], embed_dim: int = 0,
) -> Preset:  # fmt: skip
    return encoder_preset(
        name, *shape, _UNCASED, count,
        f"Clark et al., 2003.10555, table 6: the discriminator, {with_head} with its head",
        {**_ELECTRA_RECIPE, **recipe}, pooling="mean", embed_dim=embed_dim, generator_divisor=divisor,
    )  # fmt: skip


_ELECTRA = Architecture(
    id="electra",
    name="ELECTRA",
    year=2020,
    paper="Clark et al., ELECTRA: pre-training text encoders as discriminators rather than generators, "
    "2003.10555",
    parents=("bert", "roberta"),
    adds="replaced-token detection: a small BERT puts tokens in, every token is judged; shared embeddings",
    removes="the mask token in fine-tuning, the softmax of the final net, next-sentence prediction",
    departures=ledger.ELECTRA,
    fits=ENCODER_FITS,
    module="electra",
    model="Electra",
    config="ElectraConfig",
    recipe=SMALL_RECIPE,
    presets=(
        _electra(
            "electra-small", (12, 256, 4), 13_483_008, "13,549,057", 1,
            {"learning_rate": 5e-4, "batch_size": 128}, 128,
        ),
        _electra(
            "electra-base", _BASE, 108_891_648, "109,483,009", 3,
            {"learning_rate": 2e-4, "batch_size": 256, "max_steps": 766_000},
        ),
        _electra(
            "electra-large", _LARGE, 334_092_288, "335,142,913", 4,
            {"learning_rate": 2e-4, "batch_size": 2048, "max_steps": 1_750_000},
        ),
    ),
)  # fmt: skip

LEAN_ENCODERS: tuple[Architecture, ...] = (_ALBERT_ENTRY, _DISTILBERT, _ELECTRA)
