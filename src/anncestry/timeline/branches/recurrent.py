"""The recurrent line: Elman's network, gated cells, both directions, depth."""

from anncestry.timeline.architecture import Architecture, Preset
from anncestry.timeline.common import CAUSAL, SEQUENCES
from anncestry.timeline.ledgers import recurrent as ledger

_RECURRENT_RECIPE = {"learning_rate": 2e-3, "clip_norm": 1.0}


def _zaremba(
    name: str, units: int, num_parameters: int, init: float, dropout: float, window: int,
    clip_norm: float, epochs: int, steady: int, divisor: float,
) -> Preset:  # fmt: skip
    """A net of table 1 of Zaremba et al. Their loss is a sum over time and ours a mean, so that their
    learning rate is multiplied by the steps of a window, and their limit of the gradient divided by them.

    As in their code, every gate has two bias vectors, and the learning rate first falls at the end of epoch
    ``steady + 1``; their paper draws one bias and says "after" epoch ``steady``.
    """
    return Preset(
        name=name,
        config={
            "task": "language-model",
            "inputs": "tokens",
            "input_size": 10_000,
            "embed_dim": units,
            "hidden_size": units,
            "output_size": 10_000,
            "num_layers": 2,
            "seq_len": window,
            "dropout": dropout,
            "input_dropout": dropout,
            "init_range": init,
            "forget_bias": 0.0,
            "second_bias": True,
        },
        num_parameters=num_parameters,
        source="Zaremba, Sutskever & Vinyals, 1409.2329, section 4.1, and their code: Penn Treebank words",
        recipe={
            "optimizer": "sgd",
            "momentum": 0.0,
            "learning_rate": 1.0 * window,
            "clip_norm": clip_norm / window,
            "batch_size": 20,
            "epochs": epochs,
            "evaluations": epochs,
            "decay": 1 / divisor,
            "decay_after": steady + 1,
        },
        data={"level": "word", "window": window},
    )


_CHAR_RNN = Preset(
    name="char-rnn",
    config={
        "task": "language-model",
        "inputs": "tokens",
        "input_size": 65,
        "hidden_size": 128,
        "output_size": 65,
        "num_layers": 2,
        "seq_len": 50,
        "init_range": 0.08,
        "second_bias": True,
    },
    num_parameters=240_321,
    source="Karpathy, char-rnn, its defaults on tiny-shakespeare",
    recipe={
        "optimizer": "rmsprop",
        "learning_rate": 2e-3,
        "clip_norm": 0.0,
        "clip_value": 5 / 50,  # its gradient is a sum over the 50 steps of a window
        "batch_size": 50,
        "epochs": 50,
        "evaluations": 50,
        "decay": 0.97,
        "decay_after": 10,
    },
    data={"window": 50, "split": "char-rnn"},
)
_ZAREMBA = (
    _zaremba("zaremba-small", 200, 4_653_200, 0.1, 0.0, 20, 5, 13, 4, 2),
    _zaremba("zaremba-medium", 650, 19_780_400, 0.05, 0.5, 35, 5, 39, 6, 1.2),
    _zaremba("zaremba-large", 1500, 66_034_000, 0.04, 0.65, 35, 10, 55, 14, 1.15),
)

_TAGGER = Preset(
    name="bilstm-tagger",
    config={
        "task": "tagging",
        "inputs": "tokens",
        "input_size": 9_375,
        "embed_dim": 100,
        "hidden_size": 128,
        "output_size": 17,
        "dropout": 0.5,
        "input_dropout": 0.3,
    },
    num_parameters=1_176_365,
    source="the kind of Huang, Xu & Yu, 1508.01991, over words alone; the sizes are those for UD English EWT",
    recipe={"batch_size": 32, "epochs": 10, "evaluations": 10},
)
_CLASSIFIER = Preset(
    name="lstm-classifier",
    config={
        "inputs": "tokens",
        "input_size": 7_206,
        "embed_dim": 100,
        "hidden_size": 128,
        "output_size": 2,
        "dropout": 0.5,
        "input_dropout": 0.5,
    },
    num_parameters=838_106,
    source="a customary size; the vocabulary is that of SST-2",
    recipe={"learning_rate": 1e-3, "batch_size": 32, "epochs": 6, "evaluations": 6},
)
_FORECASTER = Preset(
    name="lstm-forecaster",
    config={"task": "forecasting", "input_size": 1, "hidden_size": 64, "output_size": 1, "seq_len": 24},
    num_parameters=16_961,
    source="a customary size for one series",
)

RECURRENT: tuple[Architecture, ...] = (
    Architecture(
        id="rnn",
        name="Simple recurrent network",
        year=1990,
        paper="Elman, Finding structure in time, Cognitive Science 14",
        parents=("mlp", "jordan"),
        adds="the hidden state fed back as context",
        removes="the fixed input window",
        departures=ledger.RNN,
        fits=CAUSAL,
        module="rnn",
        model="RNN",
        config="RNNConfig",
        recipe=_RECURRENT_RECIPE,
        aliases=("elman",),
    ),
    Architecture(
        id="brnn",
        name="Bidirectional RNN",
        year=1997,
        paper="Schuster & Paliwal, Bidirectional recurrent neural networks, IEEE TSP 45",
        parents=("rnn",),
        adds="a second net that reads from the end",
        removes="the causal restriction",
        departures=ledger.BRNN,
        fits=SEQUENCES,
        module="brnn",
        model="BRNN",
        config="BRNNConfig",
        recipe=_RECURRENT_RECIPE,
        aliases=("bidirectional",),
    ),
    Architecture(
        id="lstm",
        name="Long short-term memory",
        year=2000,
        paper="Gers et al., NC 12 (2000); Hochreiter & Schmidhuber, Neural Computation 9 (1997)",
        parents=("lstm-1997",),
        adds="a forget gate: the memory cell can be emptied",
        removes="the memory that keeps everything",
        departures=ledger.LSTM,
        fits=CAUSAL,
        module="lstm",
        model="LSTM",
        config="LSTMConfig",
        recipe=_RECURRENT_RECIPE,
        presets=(_CLASSIFIER, _FORECASTER),
    ),
    Architecture(
        id="bilstm",
        name="Bidirectional LSTM",
        year=2005,
        paper="Graves & Schmidhuber, Framewise phoneme classification, Neural Networks 18",
        parents=("lstm", "brnn"),
        adds="LSTM cells in both directions",
        removes="the simple units of the BRNN",
        departures=ledger.BILSTM,
        fits=SEQUENCES,
        module="bilstm",
        model="BiLSTM",
        config="BiLSTMConfig",
        recipe=_RECURRENT_RECIPE,
        presets=(_TAGGER,),
    ),
    Architecture(
        id="stacked-lstm",
        name="Stacked LSTM",
        year=2013,
        paper="Graves, Mohamed & Hinton, Speech recognition with deep recurrent neural networks, 1303.5778",
        parents=("lstm",),
        adds="depth: each layer reads the output sequence of the one below",
        removes="the single layer",
        departures=ledger.STACKED_LSTM,
        fits=CAUSAL,
        module="stacked_lstm",
        model="StackedLSTM",
        config="StackedLSTMConfig",
        recipe=_RECURRENT_RECIPE,
        presets=(_CHAR_RNN, *_ZAREMBA),
        aliases=("deep-lstm",),
    ),
    Architecture(
        id="gru",
        name="Gated recurrent unit",
        year=2014,
        paper="Cho et al., Learning phrase representations using RNN encoder-decoder, 1406.1078",
        parents=("lstm",),
        adds="an update gate that both keeps and writes",
        removes="the separate cell and the output gate",
        departures=ledger.GRU,
        fits=CAUSAL,
        module="gru",
        model="GRU",
        config="GRUConfig",
        recipe=_RECURRENT_RECIPE,
    ),
)
