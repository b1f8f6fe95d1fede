"""The fidelity ledgers of recurrent nets with dilated and skip connections."""

from anncestry.timeline.architecture import Departure
from anncestry.timeline.common import departure

SKIP_RNN: tuple[Departure, ...] = (
    departure(
        "where the state of t - d enters",
        "f(x_t, c_{t-1}, c_{t-d}), its form left open",
        "V h_{t-d} is added to what every gate gets; the memory cell of t - d is not used",
        why="it works with any cell",
        test="layers/recurrent/test_dilated.py::test_forward_is_the_loop_with_its_gradients",
    ),
    departure(
        "cell",
        "tanh units",
        "LSTM",
        why="the step from its parent is then the way back alone",
        switch="cell",
        test="timeline/ledgers/test_recurrent.py::test_the_cell_of_skips_and_dilations_can_be_chosen",
    ),
)

DILATED_RNN: tuple[Departure, ...] = (
    departure(
        "length that the dilation does not divide",
        "not said",
        "the steps left over are one more step of the first chains; nothing is padded",
        "zeros are appended, and what they put out is cut off",
        why="a state made of padding would be handed on",
        test="layers/recurrent/test_dilated.py::test_forward_is_the_loop_with_its_gradients",
    ),
    departure(
        "what a chain reads",
        "every d-th step",
        "every d-th step",
        "every d-th step; a public port cuts the time into d pieces and weaves the outputs",
        test="layers/recurrent/test_dilated.py::test_an_output_sees_every_dth_step_and_no_other",
    ),
    departure(
        "state between windows",
        "not said",
        "the last d states of every layer, in order",
        "always begins with zeros; a public port hands on outputs, so that memory cells are lost",
        test="layers/recurrent/test_dilated.py::test_windows_of_any_size_are_one_pass",
    ),
    departure(
        "first dilation above 1",
        "a convolution over the last top outputs fuses them (equation 7)",
        "the same, below the readout",
        "one linear layer reads the last top outputs, joined",
        switch="first_dilation",
        test="layers/recurrent/test_dilated.py::test_fusing_is_the_sum_of_the_last_outputs",
    ),
    departure(
        "two layers with the same dilation",
        "do not occur",
        "have weights of their own",
        "weights are named by the dilation, so that the names collide",
        switch="base",
        test="timeline/ledgers/test_recurrent.py::test_equal_dilations_have_weights_of_their_own",
    ),
    departure(
        "biases",
        "one for each gate",
        "one for each gate",
        "one for each gate; with PyTorch's two, 9x20 would have 7,390 parameters instead of 7,210",
        test="timeline/test_timeline.py::test_presets_count_what_they_say",
    ),
    departure(
        "start of the weights",
        "N(0, 1)",
        "as in each cell; `init_range` makes it uniform",
        "N(0, 1) for the readout",
        switch="init_range",
        test="layers/recurrent/test_cells.py::test_weights_start_uniform_within_one_over_root_h",
    ),
    departure(
        "optimiser",
        "RMSprop, 1e-3, decay 0.9",
        "Adam; the presets RMSprop with decay 0.95",
        switch="--optimizer",
        test="timeline/ledgers/test_recipes.py::test_what_presets_are_trained_with",
    ),
    departure(
        "reset gate of the GRU",
        "not said",
        "after the product with `cell=gru`, before it with `cell=gru-reset-first` (the presets)",
        "before the product (TensorFlow's cell)",
        switch="cell",
        test="layers/recurrent/test_cell_variants.py::test_the_two_placements_are_two_functions",
    ),
)
