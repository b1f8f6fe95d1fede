"""Recurrent nets that differ in the cell."""

from anncestry.timeline.architecture import Architecture
from anncestry.timeline.common import CAUSAL
from anncestry.timeline.ledgers import cells as ledger

_RECIPE = {"learning_rate": 2e-3, "clip_norm": 1.0}

CELL_ENTRIES: tuple[Architecture, ...] = (
    Architecture(
        id="jordan",
        name="Jordan network",
        year=1986,
        paper="Jordan, Serial order: a parallel distributed processing approach, ICS report 8604",
        parents=("mlp",),
        adds="the previous output fed back as context",
        removes="the fixed input window",
        departures=ledger.JORDAN,
        fits=CAUSAL,
        module="jordan",
        model="Jordan",
        config="JordanConfig",
        recipe=_RECIPE,
    ),
    Architecture(
        id="lstm-1997",
        name="Long short-term memory of 1997",
        year=1997,
        paper="Hochreiter & Schmidhuber, Long short-term memory, Neural Computation 9",
        parents=("rnn",),
        adds="an additive memory cell behind an input and an output gate",
        removes="repeated squashing of the carried state",
        departures=ledger.LSTM_1997,
        fits=CAUSAL,
        module="lstm_1997",
        model="LSTM1997",
        config="LSTM1997Config",
        recipe=_RECIPE,
    ),
    Architecture(
        id="peephole-lstm",
        name="LSTM with peepholes",
        year=2000,
        paper="Gers & Schmidhuber, Recurrent nets that time and count, IJCNN; Greff et al., 1503.04069",
        parents=("lstm",),
        adds="gates that read their own memory cell",
        removes="nothing; each `variant` of the search space odyssey removes or adds one part more",
        departures=ledger.PEEPHOLE_LSTM,
        fits=CAUSAL,
        module="peephole_lstm",
        model="PeepholeLSTM",
        config="PeepholeLSTMConfig",
        recipe=_RECIPE,
    ),
    Architecture(
        id="lstmp",
        name="LSTM with a projection",
        year=2014,
        paper="Sak, Senior & Beaufays, Long short-term memory based architectures for speech, 1402.1128",
        parents=("lstm",),
        adds="a projection of the output to fewer units, which recur",
        removes="the full recurrent matrix",
        departures=ledger.LSTMP,
        fits=CAUSAL,
        module="lstmp",
        model="LSTMP",
        config="LSTMPConfig",
        recipe=_RECIPE,
    ),
)
