"""The fidelity ledgers of the temporal convolutional network."""

from anncestry.timeline.architecture import Departure
from anncestry.timeline.common import departure

TCN: tuple[Departure, ...] = (
    departure(
        "padding",
        "zeros in front",
        "zeros in front",
        "zeros on both sides, and outputs that depend on the future are cut off",
        why="the same function in less work",
        test="layers/recurrent/test_temporal.py::test_a_convolution_is_the_sum_over_past_steps",
    ),
    departure(
        "between windows of a text",
        "not said",
        "the last inputs of every convolution are carried on: the same as one pass over the text",
        "every window begins with zeros or with repeated tokens that are not evaluated",
        test="layers/recurrent/test_temporal.py::test_windows_of_any_size_are_one_pass",
    ),
    departure(
        "start of the convolutions",
        "N(0, 0.01^2)",
        "PyTorch's uniform start",
        "sets N(0, 0.01^2) where weight normalisation overwrites it at the first use",
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
)
