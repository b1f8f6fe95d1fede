"""Nets that are trained on plain text, and whose inner layers other nets then read."""

from typing import Any

from anncestry.timeline.architecture import Architecture, Preset
from anncestry.timeline.ledgers import pretrained_features as ledger

_LEVEL = {"level": "characters"}


def _elmo(name: str, cells: int, size: int, highways: int, count: int) -> Preset:
    """A published size as it embeds texts. All have the same 2048 filters."""
    config: dict[str, Any] = {
        "task": "embedding",
        "hidden_size": cells,
        "proj_size": size,
        "num_highways": highways,
        "char_embed_dim": 16,
        "filter_widths": (1, 2, 3, 4, 5, 6, 7),
        "filter_counts": (32, 32, 64, 128, 256, 512, 1024),
    }
    source = "allennlp.org/elmo, in millions; counted from the authors' options, without the training softmax"
    return Preset(name=name, config=config, num_parameters=count, source=source, data=_LEVEL)


PRETRAINED_FEATURES: tuple[Architecture, ...] = (
    Architecture(
        id="elmo",
        name="ELMo",
        year=2018,
        paper="Peters et al., Deep contextualized word representations, 1802.05365",
        parents=("residual-stack", "lstmp", "bilstm"),
        adds="a second stack that reads backwards, words from characters, a learnt mixture of all layers",
        removes="training anew for every task, and unknown words",
        departures=ledger.ELMO,
        fits=frozenset({
            ("characters", "bidirectional-lm"), ("characters", "tagging"), ("characters", "classification"),
        }),
        module="elmo",
        model="ELMo",
        config="ELMoConfig",
        recipe={"learning_rate": 2e-3, "clip_norm": 1.0, "batch_size": 32},
        data=_LEVEL,
        presets=(
            _elmo("elmo-small", 1024, 128, 1, 13_593_296),
            _elmo("elmo-medium", 2048, 256, 1, 28_027_728),
            _elmo("elmo-original", 4096, 512, 2, 93_600_848),
        ),
    ),
)  # fmt: skip
