"""The fidelity ledgers of recurrent nets with shortcuts between layers."""

from anncestry.timeline.architecture import Departure
from anncestry.timeline.common import departure

_ONE_DIRECTION = departure(
    "around it",
    "an acoustic model of distant speech, trained on labels of frames, in part in both directions",
    "one direction, for any task",
    why="so that it can also be run step by step",
    test="contract/test_timeline_contract.py::test_the_model_conforms",
)

HIGHWAY_LSTM: tuple[Departure, ...] = (
    _ONE_DIRECTION,
    departure(
        "projection",
        "512 of 1024 cells",
        "none by default",
        switch="proj_size",
        test="layers/test_shortcuts.py::test_parameter_counts_are_the_papers",
    ),
)

RESIDUAL_STACK: tuple[Departure, ...] = (
    departure(
        "layers with a shortcut",
        "all above the second or third",
        "all above the first",
        "all above the first (tensorflow/nmt; its GNMT encoder: above the second)",
        why="the lowest layer's input has another size",
        test="timeline/ledgers/test_recurrent.py::test_every_layer_but_the_lowest_has_a_shortcut",
    ),
    departure(
        "dropout",
        "not said for the shortcut",
        "on what a layer reads, never on the shortcut",
        "the same (tensorflow/nmt)",
        test="timeline/ledgers/test_recurrent.py::test_a_shortcut_around_a_layer_is_never_dropped",
    ),
    departure(
        "around it",
        "an encoder and a decoder",
        "one network for any task",
        why="GNMT itself is `gnmt`",
        test="contract/test_timeline_contract.py::test_the_model_conforms",
    ),
)

RHN: tuple[Departure, ...] = (
    departure(
        "dropout",
        "variational: one mask per sequence, also on the state and on whole words",
        "the same with these two, but no words are dropped",
        switch="variational, state_dropout",
        test="layers/recurrent/test_dropout.py::test_the_state_loses_the_same_features_at_every_step",
    ),
    departure(
        "loss",
        "a sum over the steps of a window",
        "a mean; the preset's learning rate and clipping are scaled accordingly",
        why="so that a window's length does not change the step",
        test="timeline/ledgers/test_recipes.py::test_sums_over_a_window_became_means",
    ),
)

RESIDUAL_RNN: tuple[Departure, ...] = (
    _ONE_DIRECTION,
    departure(
        "sizes",
        "1024 memory cells, 512 units put out",
        "equally many by default",
        switch="proj_size",
        test="layers/test_shortcuts.py::test_the_shortcut_is_the_identity_where_sizes_agree",
    ),
    departure(
        "what the cell's candidate reads",
        "the input and the last output",
        "the same",
        "none published; a port that several forecasting libraries took over reads no input there",
        test="layers/test_shortcuts.py::test_every_part_of_the_residual_lstm_matters",
    ),
    departure(
        "other things of that name",
        "a shortcut inside the cell",
        "the paper's; a sum around the layer is `residual-stack`, a gate on the hidden state neither",
        test="layers/test_shortcuts.py::test_a_step_computes_the_equations",
    ),
)
