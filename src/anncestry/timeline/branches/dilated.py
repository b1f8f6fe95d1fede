"""Recurrent nets that reach back further than one step."""

from anncestry.timeline.architecture import Architecture, Preset
from anncestry.timeline.common import CAUSAL
from anncestry.timeline.ledgers import dilated as ledger


def _mnist(cell: str, units: int, num_parameters: int) -> Preset:
    """A net of table 2 of the paper, for MNIST read pixel by pixel."""
    config = {
        "task": "classification",
        "input_size": 1,
        "hidden_size": units,
        "output_size": 10,
        "num_layers": 9,
        "seq_len": 784,
        "cell": cell,
    }
    kind = cell.partition("-")[0]
    return Preset(
        name=f"dilated-{'rnn' if kind == 'elman' else kind}-9x{units}",
        config=config,
        num_parameters=num_parameters,
        source="Chang et al., 1710.02224, table 2: MNIST pixel by pixel, dilations 1 to 256",
        recipe={"optimizer": "rmsprop", "learning_rate": 1e-3, "batch_size": 128, "clip_norm": 0.0},
        data={"order": "pixels"},
    )


_RECIPE = {"learning_rate": 2e-3, "clip_norm": 1.0}

DILATED: tuple[Architecture, ...] = (
    Architecture(
        id="skip-rnn",
        name="Skip recurrent network",
        year=2016,
        paper="Zhang et al., Architectural complexity measures of recurrent neural networks, 1602.08210",
        parents=("lstm",),
        adds="a second way back, over d steps",
        removes="nothing: the chain of steps is kept",
        departures=ledger.SKIP_RNN,
        fits=CAUSAL,
        module="skip_rnn",
        model="SkipRNN",
        config="SkipRNNConfig",
        recipe=_RECIPE,
    ),
    Architecture(
        id="dilated-rnn",
        name="Dilated recurrent network",
        year=2017,
        paper="Chang et al., Dilated recurrent neural networks, 1710.02224",
        parents=("stacked-lstm", "skip-rnn", "context-net"),
        adds="dilations that grow from layer to layer: d independent chains in each",
        removes="the connection from one step to the next (but in the lowest layer)",
        departures=ledger.DILATED_RNN,
        fits=CAUSAL,
        module="dilated_rnn",
        model="DilatedRNN",
        config="DilatedRNNConfig",
        recipe=_RECIPE,
        presets=(
            _mnist("elman", 20, 7_210),
            _mnist("lstm", 20, 28_210),
            _mnist("gru-reset-first", 20, 21_210),
            _mnist("elman", 50, 43_510),
            _mnist("gru-reset-first", 50, 129_510),
        ),
        aliases=("drnn", "dilated-lstm"),
    ),
)
