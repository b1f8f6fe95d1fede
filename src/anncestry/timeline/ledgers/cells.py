"""The fidelity ledgers of recurrent nets that differ in the cell."""

from anncestry.timeline.architecture import Departure
from anncestry.timeline.common import departure

_GRADIENT = departure(
    "gradient",
    "cut where it leaves the memory cell through the gates",
    "full back-propagation through the window",
    why="the cut saved memory that is cheap now",
    test="layers/recurrent/test_cell_variants.py::test_hoisted_equals_naive_in_values_and_gradients",
)
_BLOCKS = departure(
    "blocks",
    "memory cells may share their gates",
    "every cell has its own gates",
    test="layers/recurrent/test_cell_variants.py::test_the_equations",
)
_JORDANS_STEP = "layers/test_shortcuts.py::test_a_step_computes_the_equations"

JORDAN: tuple[Departure, ...] = (
    departure(
        "hidden units",
        "logistic",
        "tanh",
        why="it differs from `rnn` in what is fed back alone",
        test=_JORDANS_STEP,
    ),
    departure(
        "outputs",
        "logistic units",
        "linear, for any task; squashed where they are fed back",
        test=_JORDANS_STEP,
    ),
    departure(
        "plan",
        "constant plan units say which sequence to produce",
        "none: the input is a sequence",
        why="a plan is an input that stays the same",
        test=_JORDANS_STEP,
    ),
    departure(
        "gradient through time",
        "none",
        "back-propagation through the whole window",
        test="layers/test_shortcuts.py::test_the_unrolled_cell_is_its_loop_with_gradients",
    ),
)

LSTM_1997: tuple[Departure, ...] = (
    _GRADIENT,
    _BLOCKS,
    departure(
        "what gates see",
        "also the gates and cells of other blocks",
        "input and output of t - 1",
        why="gates that see gates are the variant `fgr` of `peephole-lstm`",
        test="layers/recurrent/test_cell_variants.py::test_the_equations",
    ),
    departure(
        "bias of the output gate",
        "negative in some experiments",
        "as all weights",
        test="timeline/ledgers/test_recurrent.py::test_biases_of_1997_start_as_all_weights",
    ),
)

PEEPHOLE_LSTM: tuple[Departure, ...] = (
    _GRADIENT,
    _BLOCKS,
    departure(
        "peephole of the output gate",
        "the new cell",
        "the new cell",
        "not consulted; several ports use the old one",
        switch="variant",
        test="layers/recurrent/test_cell_variants.py::test_the_equations",
    ),
    departure(
        "peephole weights",
        "one for each cell: a diagonal",
        "one for each cell: a diagonal",
        "not consulted; some ports have full matrices, another model",
        test="layers/recurrent/test_cell_variants.py::test_parameter_counts_are_the_papers",
    ),
    departure(
        "start of the peepholes",
        "N(0, 0.1^2) as all weights (Greff et al.)",
        "zero",
        why="training begins as without them",
        test="timeline/ledgers/test_recurrent.py::test_peepholes_start_at_zero",
    ),
    departure(
        "bias of the forget gate",
        "as all weights (Greff et al.)",
        "starts at 1, the later advice of Jozefowicz et al. (2015)",
        switch="forget_bias",
        test="layers/recurrent/test_cell_variants.py::test_the_forget_gate_starts_open_where_there_is_one",
    ),
)

LSTMP: tuple[Departure, ...] = (
    departure(
        "peepholes",
        "the gates see the cell",
        "they do not, as in PyTorch",
        why="weights can be exchanged with `proj_size` of `torch.nn.LSTM`",
        test="layers/test_shortcuts.py::test_lstmp_is_pytorchs",
    ),
    departure(
        "second projection",
        "optional, not recurrent",
        "none",
        test="layers/test_shortcuts.py::test_parameter_counts_are_the_papers",
    ),
)
