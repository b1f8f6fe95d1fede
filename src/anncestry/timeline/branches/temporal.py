"""Convolution over time."""

from anncestry.timeline.architecture import Architecture, Preset
from anncestry.timeline.common import CAUSAL, departure

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
        departures=(
            departure(
                "padding",
                "zeros in front",
                "zeros in front",
                "zeros on both sides, and what looks ahead is cut off",
                why="the same function in less work",
                test="layers/recurrent/test_temporal.py::test_a_convolution_is_the_sum_over_past_steps",
            ),
            departure(
                "between windows of a text",
                "not said",
                "the last inputs of every convolution are carried on: the same as one pass over the text",
                "every window begins with zeros or with repeated tokens that are not scored",
                test="layers/recurrent/test_temporal.py::test_windows_of_any_size_are_one_pass",
            ),
            departure(
                "start of the convolutions",
                "N(0, 0.01^2)",
                "PyTorch's uniform start",
                "writes N(0, 0.01^2) where weight normalisation overwrites it at the first use",
                why="it is what theirs trains from",
                test="timeline/ledgers/test_recurrent.py::test_convolutions_over_time_start_uniform",
            ),
            departure(
                "dropout",
                "whole channels",
                "single activations",
                "single activations",
                switch="block_dropout",
                test="timeline/ledgers/test_recurrent.py::test_dropout_of_a_block_is_of_single_activations",
            ),
            departure(
                "clipping on the copy task",
                "at the norm 1",
                "at the norm 1",
                "clips before there is a gradient: without effect",
                switch="--clip-norm",
                test="timeline/ledgers/test_recipes.py::test_what_presets_are_trained_with",
            ),
            departure(
                "the copy task",
                "digits from 0 to 9",
                "symbols as tokens",
                "symbols as one number from 0 to 9",
                why="no symbol is larger than another",
                test="timeline/ledgers/test_recurrent.py::test_symbols_to_copy_are_tokens",
            ),
            departure(
                "sizes",
                "table 2",
                "the presets have table 2's",
                "other defaults, as 8 blocks of 30 channels for adding",
                switch="num_layers, hidden_size, kernel_size",
                test="timeline/test_timeline.py::test_presets_count_what_they_say",
            ),
        ),
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
