"""Convolution over time."""

from anncestry.timeline.architecture import Architecture, Preset
from anncestry.timeline.common import CAUSAL
from anncestry.timeline.ledgers import temporal as ledger

_PAPER = "Bai, Kolter & Koltun, 1803.01271, table 2"


def _preset(
    name: str, kernel_size: int, blocks: int, channels: int, num_parameters: int, about: str, **config
) -> Preset:
    sizes = {"hidden_size": channels, "num_layers": blocks, "kernel_size": kernel_size}
    return Preset(
        name=name, config={**sizes, **config}, num_parameters=num_parameters, source=f"{_PAPER}: {about}"
    )


def _adding(seq_len: int) -> dict:
    return {"task": "regression", "input_size": 2, "output_size": 1, "seq_len": seq_len}


def _music(dropout: float) -> dict:
    sizes = {"input_size": 88, "output_size": 88, "seq_len": 64}
    return {"task": "next-frame", "block_dropout": dropout, **sizes}


_PIXELS = {"task": "classification", "input_size": 1, "output_size": 10, "seq_len": 784}

TEMPORAL: tuple[Architecture, ...] = (
    Architecture(
        id="tcn",
        name="Temporal convolutional network",
        year=2018,
        paper="Bai, Kolter & Koltun, An empirical evaluation of generic convolutional and recurrent networks "
        "for sequence modeling, 1803.01271",
        parents=("cnn", "dilated-rnn", "resnet"),
        adds="causal convolutions whose dilation doubles from block to block",
        removes="the state carried from step to step; the pooling of the CNN",
        departures=ledger.TCN,
        fits=CAUSAL,
        module="tcn",
        model="TCN",
        config="TCNConfig",
        recipe={"learning_rate": 2e-3, "clip_norm": 1.0},
        presets=(
            _preset("tcn-adding-200", 6, 7, 27, 58_051, "the adding problem, T = 200", **_adding(200)),
            _preset("tcn-adding-600", 8, 8, 24, 70_369, "the adding problem, T = 600", **_adding(600)),
            _preset("tcn-mnist", 7, 8, 25, 66_910, "MNIST pixel by pixel", block_dropout=0.05, **_PIXELS),
            _preset("tcn-jsb", 3, 2, 150, 269_938, "JSB chorales", **_music(0.5)),
            _preset("tcn-nottingham", 6, 4, 150, 1_053_238, "Nottingham tunes", **_music(0.2)),
        ),
    ),
)
