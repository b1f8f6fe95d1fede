"""The fidelity ledgers of the recurrent line: Elman's network, gated cells, both directions, depth."""

from anncestry.timeline.common import departure

_STEP = "layers/recurrent/test_cells.py::test_a_step_computes_the_equations"
_GRADIENTS = "parity/test_recurrent.py::test_gradients_are_those_of_torch"
_FORGET_BIAS = departure(
    "bias of the forget gate",
    "differs by experiment",
    "starts at 1, the later advice of Jozefowicz et al. (2015)",
    why="a cell begins by remembering",
    switch="forget_bias",
    test="layers/recurrent/test_cells.py::test_the_forget_gate_starts_open_by_as_much_as_is_asked",
)
_NO_PEEPHOLES = departure(
    "peepholes",
    "the gates read the cell",
    "they do not",
    why="the gain is small (Greff et al., 1503.04069); `peephole-lstm` has them",
    test=_STEP,
)
_BOTH_ENDS = departure(
    "one output for a whole sequence",
    "an output for every step, from both nets at that step",
    "joins the forward net's last output with the backward net's output at the first step",
    why="where each has read everything; tagging has an output for every step",
    test="layers/recurrent/test_sequence_network.py::test_a_net_that_reads_both_ways_answers_from_both_ends",
)

RNN = (
    departure(
        "hidden unit",
        "the logistic function",
        "tanh, or ReLU",
        why="with values around zero gradients last longer",
        switch="activation",
        test=_STEP,
    ),
    departure(
        "gradient through time",
        "none: the last hidden state is copied and taken as a constant input",
        "back-propagation through the whole window",
        test=_GRADIENTS,
    ),
    departure(
        "biases",
        "one for each unit",
        "one for each unit",
        "not consulted; PyTorch has two, whose sum moves at twice the rate",
        test="layers/recurrent/test_cells.py::test_parameters_are_one_bias_per_gate",
    ),
)

BRNN = (
    _BOTH_ENDS,
    departure(
        "depth",
        "one layer",
        "any; the layers above the first read both directions",
        switch="num_layers",
        test="parity/test_recurrent.py::test_ragged_batches_are_packed_sequences",
    ),
)

LSTM = (
    departure(
        "gradient",
        "cut where it leaves the memory cell through the gates (1997, 2000)",
        "full back-propagation through the window",
        why="as in all later work (Graves & Schmidhuber, 2005)",
        test=_GRADIENTS,
    ),
    departure("blocks", "memory cells may share their gates", "every cell has its own gates", test=_STEP),
    departure(
        "squashing",
        "4 sigma(x) - 2 for the cell's input and 2 sigma(x) - 1 for its output",
        "tanh for both",
        why="the range of the input alone differs; `lstm-1997` has the paper's",
        test=_STEP,
    ),
    departure(
        "order of the gates in the weights",
        "not said",
        "i, f, g, o",
        "not consulted; every library has its own: i, f, g, o in PyTorch and Keras, i, g, f, o in TensorFlow",
        why="converters undo the others",
        test="checkpoints/converters/test_torch_rnn.py::test_outputs_and_states_are_those_of_torch",
    ),
    _FORGET_BIAS,
)

BILSTM = (_NO_PEEPHOLES, _BOTH_ENDS, _FORGET_BIAS)

STACKED_LSTM = (
    _NO_PEEPHOLES,
    departure(
        "direction",
        "mostly layers in both directions, trained with CTC or a transducer on speech",
        "one direction, so that the stack can also be run step by step",
        test="contract/test_timeline_contract.py::test_the_model_conforms",
    ),
    departure(
        "loss (char-rnn, Zaremba's presets)",
        "not said: the mean over the steps is what is reported",
        "a mean over the steps of a window; their learning rates and limits of the gradient are scaled",
        "a sum over the steps of a window",
        why="so that a window's length does not change the step",
        test="timeline/ledgers/test_recipes.py::test_sums_over_a_window_became_means",
    ),
    departure(
        "first decay of the learning rate (Zaremba's presets)",
        "after 4, 6 and 14 epochs",
        "after one epoch more, as their code",
        "after one epoch more: it compares the epoch just finished",
        switch="--decay-after",
        test="timeline/ledgers/test_recipes.py::test_zarembas_rate_falls_one_epoch_later",
    ),
    departure(
        "biases (char-rnn, Zaremba's presets)",
        "one for each gate",
        "two for each gate in the presets, one elsewhere",
        "two for each gate",
        why="their sum moves at twice the rate",
        switch="second_bias",
        test="layers/recurrent/test_cells.py::test_a_second_bias_adds_to_the_first_and_gets_the_same_gradient",
    ),
    departure(
        "bias of the forget gate",
        "differs by experiment",
        "starts at 1, the later advice of Jozefowicz et al. (2015); as all weights in Zaremba's presets",
        "1 in char-rnn, as all weights in Zaremba's",
        switch="forget_bias",
        test="timeline/ledgers/test_recipes.py::test_forget_gates_of_the_presets",
    ),
    departure(
        "limit of the gradient (char-rnn)",
        "no paper",
        "of every entry, as theirs",
        "of every entry; most others limit the norm of all together",
        switch="--clip-value",
        test="training/test_fit.py::test_clipping_bounds_the_step",
    ),
    departure(
        "validation (char-rnn)",
        "no paper",
        "the same in the preset; the end of the whole text elsewhere",
        "the last 5 % of each of 50 streams, not of the text",
        why="metrics of the two are not comparable",
        switch="--split",
        test="data/sources/test_text.py::test_char_rnns_split_takes_the_end_of_every_stream",
    ),
    departure(
        "passes (char-rnn)",
        "no paper",
        "the same with `--split char-rnn`; texts split otherwise start each pass afresh",
        "the state is carried from pass to pass and never reset",
        switch="--split",
        test="data/sources/test_text.py::test_char_rnns_split_takes_the_end_of_every_stream",
    ),
    departure(
        "test of a text (Zaremba's presets)",
        "not said",
        "one pass over all of it, the state carried",
        "one pass over all of it, the state carried",
        why="pieces would each begin without a context",
        test="objectives/test_scoring.py::test_a_text_is_read_with_its_state_carried",
    ),
)

GRU = (
    departure(
        "reset gate",
        "before the recurrent product: U (r * h)",
        "after it: r * (U h + b), as in PyTorch; `reset=before` is the paper's, with other weights",
        "before the product",
        why="all three products of a step become one",
        switch="reset",
        test="layers/recurrent/test_cell_variants.py::test_the_two_placements_are_two_functions",
    ),
    departure(
        "update gate",
        "z keeps the old state: z h + (1 - z) n",
        "the same; Chung et al. (1412.3555) have it the other way round",
        test=_STEP,
    ),
    departure(
        "around it",
        "an encoder and a decoder for phrases",
        "one network; the last output is read out",
        why="theirs is `rnn-encoder-decoder`",
        test="layers/recurrent/test_sequence_network.py::test_the_outputs_are_those_of_each_sequences_own_last_step",
    ),
)
