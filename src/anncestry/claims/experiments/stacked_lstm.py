"""stacked-lstm: is a stacked LSTM an LSTM over the output sequence of the one below, and nothing more?

The stacked network runs on its fast path. Beside it, separate one-layer LSTMs with the same weights are
unrolled step by step, each fed by hand with the whole output sequence of the one before. Outputs, states
and gradients must agree to the rounding of float64. As a control the hand-over is spoilt: each layer gets
the sequence one step late; an experiment that could not show that would prove nothing.

Source: Graves, Mohamed & Hinton, "Speech recognition with deep recurrent neural networks", 1303.5778
(2013), equation 11.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from anncestry.claims.common.claim import Judgement, Rows, Verdict
from anncestry.layers.recurrent.cells import LSTMCell
from anncestry.layers.recurrent.wirings import unroll_naive
from anncestry.models.stacked_lstm import StackedLSTM, StackedLSTMConfig
from anncestry.protocols import flatten_state

ROUNDING = 1e-12  # a few thousand float64 roundings of numbers around 1
VISIBLE = 1e-6
PARTS = ("outputs", "states", "gradients")


def one_after_the_other(
    model: StackedLSTM, x: Tensor, late: bool = False
) -> tuple[Tensor, list[Tensor], list]:
    """Separate LSTMs with the weights of ``model``, from bottom to top.

    Returns:
        ``(outputs, states, parameters)``: outputs (B, K), the last h and c of each layer, and the parameters
        of the separate layers in the order of the model's own.
    """
    config, states, parameters = model.config, [], []
    for index in range(config.num_layers):
        if late and index:
            x = nn.functional.pad(x, (0, 0, 1, 0))[:, :-1]
        cell = LSTMCell(x.shape[2], config.hidden_size).to(x.dtype)
        cell.load_state_dict(model.wiring.get_submodule(f"layers.{index}.cell").state_dict())
        x, state = unroll_naive(cell, x, cell.initial_state(x.shape[0]))
        states += flatten_state(state)
        parameters += cell.parameters()
    readout = nn.Linear(config.hidden_size, config.output_size).to(x.dtype)
    readout.load_state_dict(model.readout.state_dict())
    return readout(x[:, -1]), states, [*parameters, *readout.parameters()]


def largest_difference(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> float:
    """Largest absolute difference between corresponding tensors, over the largest value of all."""
    scale = max(tensor.abs().max().item() for tensor in ours)
    return max((a - b).abs().max().item() for a, b in zip(ours, theirs, strict=True)) / scale


def compare(num_layers: int, seed: int, hidden_size: int, seq_len: int, late: bool) -> dict[str, float]:
    """Relative differences between the stacked network and its separate layers, part by part."""
    torch.manual_seed(seed)
    config = StackedLSTMConfig(input_size=7, hidden_size=hidden_size, output_size=5, num_layers=num_layers)
    model = StackedLSTM(config).double()
    x = torch.randn(4, seq_len, 7, dtype=torch.float64)
    weighting = torch.randn(4, 5, dtype=torch.float64)  # an arbitrary loss: a weighted sum of the outputs
    outputs, state = model(x)
    apart, states, parameters = one_after_the_other(model, x, late)
    ours = torch.autograd.grad((outputs * weighting).sum(), list(model.parameters()))
    theirs = torch.autograd.grad((apart * weighting).sum(), parameters)
    return {
        "outputs": largest_difference([outputs], [apart]),
        "states": largest_difference(list(flatten_state(state)), states),
        "gradients": largest_difference(ours, theirs),
    }


def measure(
    seed: int, layers: Sequence[int] = (2, 3, 4), num_seeds: int = 5, hidden_size: int = 16, seq_len: int = 30
) -> Rows:
    return [
        {"layers": count, "seed": run, "late": late, **compare(count, run, hidden_size, seq_len, late)}
        for count in layers
        for run in range(seed, seed + num_seeds)
        for late in (False, True)
    ]


def judge(rows: Rows) -> Judgement:
    worst = {part: max(row[part] for row in rows if not row["late"]) for part in PARTS}
    control = min(row["outputs"] for row in rows if row["late"])
    networks = sum(not row["late"] for row in rows)
    because = (
        f"over {networks} networks the largest relative difference is {worst['outputs']:.1e} in the outputs, "
        f"{worst['states']:.1e} in the states and {worst['gradients']:.1e} in the gradients; handing over "
        f"one step late changes the outputs by at least {control:.1e}"
    )
    if max(worst.values()) > VISIBLE:
        return Judgement(Verdict.FAILS, because)
    clear = max(worst.values()) <= ROUNDING and control > VISIBLE
    return Judgement(Verdict.HOLDS if clear else Verdict.UNDECIDED, because)


def draw(axes, rows: Rows) -> None:
    for late, marker in ((False, "o"), (True, "x")):
        for part, colour in zip(PARTS, ("C0", "C1", "C2"), strict=True):
            points = [(row["layers"], max(row[part], 1e-18)) for row in rows if row["late"] == late]
            label = f"{part}, one step late" if late else part
            axes.plot(*zip(*points, strict=True), marker, color=colour, label=label, alpha=0.6)
    axes.axhline(ROUNDING, color="grey", linestyle="--", label="counts as rounding")
    axes.set(xlabel="layers", ylabel="largest relative difference", yscale="log")
    axes.set_xticks(sorted({row["layers"] for row in rows}))
    axes.legend(fontsize="small")
