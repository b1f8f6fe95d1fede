"""dilated-vs-skip: what does a dilated connection buy against a skip connection, and against an LSTM?

A skip connection adds a way back over d steps and keeps the one over a single step; a dilated connection has
the long way alone. For nets of six layers and about as many parameters: the weights of a layer, how many
chains run side by side, the mean recurrent length (the shortest way from an input to a later output), how
many products wait for one another, and whether the net solves the copy task: ten symbols, T blanks, then the
ten symbols again, of which the outputs at the last ten steps count. The recurrent matrices of the tanh nets
start orthogonal, their input matrices as Glorot's, all biases at zero: six layers of the usual smaller start
pass on too little of the input. A net at chance within this budget may still learn with a larger one.

Source: Chang et al., "Dilated recurrent neural networks", 1710.02224, sections 2 and 4.1 (T = 500, 1000).
"""

from statistics import median
from typing import Any

import torch
from torch import nn

from anncestry.claims.common.claim import Judgement, Rows, Verdict
from anncestry.claims.experiments.tcn_copy_memory import GUESS, train
from anncestry.data.sources.memory import CLASSES, COPIED
from anncestry.inspection.costs import costs
from anncestry.inspection.path_length import mean_recurrent_length
from anncestry.layers.recurrent.cells import ElmanCell
from anncestry.layers.recurrent.dilated import Dilated
from anncestry.models.create import configure, create

LAYERS, PERIOD, SOLVED = 6, 32, 0.95
NETS: dict[str, tuple[str, dict[str, Any], float]] = {  # architecture, sizes, learning rate
    "dilated": ("dilated-rnn", {"hidden_size": 128, "num_layers": LAYERS, "cell": "elman"}, 1e-3),
    "skip": (
        "skip-rnn",
        {"hidden_size": 103, "num_layers": LAYERS, "cell": "elman", "base": 1, "first_distance": PERIOD},
        1e-3,
    ),
    "lstm": ("lstm", {"hidden_size": 208}, 2e-3),
}


def sizes(net: str, blanks: int, scale: float) -> dict[str, Any]:
    """The config of a net with an output at every step; ``scale`` shrinks it."""
    task = {"task": "tagging", "inputs": "tokens", "input_size": CLASSES, "output_size": CLASSES}
    own = dict(NETS[net][1])
    own["hidden_size"] = max(2, round(scale * own["hidden_size"]))
    return {**task, "seq_len": blanks + 2 * COPIED, **own}


def build(net: str, blanks: int, scale: float) -> nn.Module:
    """A new net of that name."""
    model = create(NETS[net][0], **sizes(net, blanks, scale))
    for module in model.modules():
        if isinstance(module, ElmanCell):
            nn.init.orthogonal_(module.weight_hh)
            nn.init.xavier_uniform_(module.weight_ih)
            nn.init.zeros_(module.bias)
    return model


def describe(net: str, blanks: int, scale: float) -> dict[str, Any]:
    """What a net is made of, counted and not trained."""
    config = configure(NETS[net][0], sizes(net, blanks, scale))
    model = build(net, blanks, scale)
    chains = max((module.dilation for module in model.modules() if isinstance(module, Dilated)), default=1)
    found = costs(config)
    return {
        "net": net,
        "parameters": found.parameters,
        "chains": chains,
        "length": mean_recurrent_length(model, PERIOD),
        "sequential": found.sequential_steps,
    }


def measure(
    seed: int, blanks: int = 50, num_seeds: int = 3, max_steps: int = 600, scale: float = 1.0
) -> Rows:
    rows: Rows = [describe(net, blanks, scale) for net in NETS]
    for net in NETS:
        for run in range(seed, seed + num_seeds):
            torch.manual_seed(run)
            right, steps = train(build(net, blanks, scale), blanks, run, max_steps, NETS[net][2])
            rows.append({"net": net, "seed": run, "right": right, "steps": steps})
    return rows


def judge(rows: Rows) -> Judgement:
    made = {row["net"]: row for row in rows if "parameters" in row}
    right = {net: [row["right"] for row in rows if row["net"] == net and "right" in row] for net in NETS}
    phrases = [
        f"{net} ({made[net]['parameters']:,} parameters, {made[net]['chains']} chains, mean recurrent length "
        f"{made[net]['length']:.1f}, {made[net]['sequential']} sequential products) "
        f"{', '.join(f'{value:.3f}' for value in right[net])}"
        for net in NETS
    ]
    because = f"right among the last ten: {'; '.join(phrases)}; guessing {GUESS:.3f}"
    shorter = made["dilated"]["length"] < made["skip"]["length"]
    if not shorter or median(right["dilated"]) <= max(median(right["skip"]), median(right["lstm"])):
        return Judgement(Verdict.FAILS, because)
    fewer = made["dilated"]["sequential"] < made["skip"]["sequential"]
    clear = fewer and min(right["dilated"]) >= SOLVED and max(right["lstm"]) < 2 * GUESS
    return Judgement(Verdict.HOLDS if clear else Verdict.UNDECIDED, because)


def draw(axes, rows: Rows) -> None:
    made = {row["net"]: row for row in rows if "parameters" in row}
    for net, colour in zip(NETS, ("C0", "C1", "C2"), strict=True):
        points = [(made[net]["length"], row["right"]) for row in rows if row["net"] == net and "right" in row]
        axes.plot(*zip(*points, strict=True), "o", color=colour, alpha=0.7, label=net)
    axes.axhline(GUESS, color="grey", linestyle="--", label="guessing")
    axes.set(xlabel="mean recurrent length", ylabel="right among the last ten symbols", ylim=(0, 1.05))
    axes.legend()
