"""Architectures made of attention alone."""

from typing import Any

from anncestry.timeline.architecture import Architecture, Preset
from anncestry.timeline.ledgers import transformers as ledger

_ADAM = {"optimizer": "adam", "beta2": 0.98, "epsilon": 1e-9}
_WORDS = 25  # of a typical sentence with its end


def _noam(width: int, warmup_steps: int) -> dict[str, Any]:
    """Section 5.3: the rate is d^-0.5 min(step^-0.5, step w^-1.5), with its peak at step w."""
    return {
        **_ADAM,
        "learning_rate": (width * warmup_steps) ** -0.5,
        "schedule": "inverse-sqrt",
        "warmup_steps": warmup_steps,
        "label_smoothing": 0.1,
    }


_PAPER = {
    "input_size": 37_000,
    "output_size": 37_000,
    "tie": "all",
    "seq_len": _WORDS,
    "target_len": _WORDS,
}
_PAIRS = {"level": "bpe", "vocab_size": 37_000, "joint": True, "batch_tokens": 50_000}
_BASE = Preset(
    name="transformer-base",
    config={**_PAPER, "hidden_size": 512, "num_layers": 6, "num_heads": 8},
    num_parameters=63_045_632,
    source="Vaswani et al., 1706.03762, table 3; the paper prints 65 million, which no one vocabulary gives "
    "together with the big model's 213 million",
    recipe={**_noam(512, 4000), "max_steps": 100_000, "average": 5},
    data=_PAIRS,
)
_BIG = Preset(
    name="transformer-big",
    config={**_PAPER, "hidden_size": 1024, "num_layers": 6, "num_heads": 16, "dropout": 0.3},
    num_parameters=214_171_648,
    source="Vaswani et al., 1706.03762, table 3",
    recipe={**_noam(1024, 4000), "max_steps": 300_000, "average": 20},
    data=_PAIRS,
)
_TINY = Preset(
    name="transformer-tiny",
    config={
        "input_size": 9_712,
        "output_size": 9_712,
        "hidden_size": 128,
        "num_layers": 4,
        "num_heads": 4,
        "inner_size": 256,
        "dropout": 0.3,
        "tie": "all",
        "attention_bias": True,
        "positions": "tensor2tensor",
        "norm_eps": 1e-5,
        "target_len": 16,
    },
    num_parameters=2_568_192,
    source="Wu et al. (2021), LividWo/Revisit-MMT, for Multi30k: 1,325,056 weights besides the embeddings",
    recipe={**_noam(128, 2000), "learning_rate": 5e-3, "max_steps": 8000, "average": 10},
    data={"level": "bpe", "vocab_size": 10_000, "joint": True, "lowercase": True, "batch_tokens": 4096},
)


TRANSFORMERS: tuple[Architecture, ...] = (
    Architecture(
        id="transformer",
        name="Transformer",
        year=2017,
        paper="Vaswani et al., Attention is all you need, 1706.03762",
        parents=("rnnsearch", "gnmt", "resnet"),
        adds="self-attention of several heads, position vectors, a feed-forward net at every position",
        removes="recurrence: nothing is passed on from step to step",
        departures=ledger.TRANSFORMER,
        fits=frozenset({("tokens", "translation")}),
        module="transformer",
        model="Transformer",
        config="TransformerConfig",
        recipe={**_noam(128, 400), "learning_rate": 2e-3},
        presets=(_BASE, _BIG, _TINY),
    ),
)
