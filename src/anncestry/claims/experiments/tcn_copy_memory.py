"""tcn-copy-memory: does a dilated convolution remember where an LSTM of the same size does not?

The copy task: ten symbols out of eight, then T blanks, then a marker for ten steps, during which the ten
symbols must be put out. Both nets have about 8,500 parameters, the same optimizer, the same fresh batches
and the same number of steps. Counted are the last ten outputs alone: over all T + 20 steps, predicting blank
everywhere looks good. An LSTM at chance within this budget is no proof that it never learns.

Source: Bai, Kolter & Koltun, 1803.01271, section 4.2 and table 1 (T = 500 to 2000).
"""

from statistics import median

import torch
from torch import nn

from anncestry.claims.common.claim import Judgement, Rows, Verdict
from anncestry.data.sources.memory import CLASSES, COPIED, SYMBOLS, copy_memory
from anncestry.models.create import create

GUESS, SOLVED = 1 / SYMBOLS, 0.95
NETS: dict[str, dict] = {
    "tcn": {"hidden_size": 10, "kernel_size": 8, "num_layers": 5},
    "lstm": {"hidden_size": 40},
}


def build(net: str) -> nn.Module:
    """A new net of that name with an output at every step."""
    sizes = {"task": "tagging", "inputs": "tokens", "input_size": CLASSES, "output_size": CLASSES}
    return create(net, **sizes, **NETS[net])


def train(
    model: nn.Module, blanks: int, seed: int, max_steps: int, learning_rate: float
) -> tuple[float, int]:
    """The share of the last ten outputs that is right on 500 unseen sequences, and the steps it took."""
    random = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    unseen, unseen_targets = copy_memory(500, blanks, torch.Generator().manual_seed(1000 + seed))
    right, step = 0.0, 0
    for step in range(1, max_steps + 1):
        inputs, targets = copy_memory(32, blanks, random)
        loss = nn.functional.cross_entropy(model(inputs)[0].flatten(0, 1), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 100 == 0 or step == max_steps:
            with torch.no_grad():
                given = model(unseen)[0][:, -COPIED:].argmax(-1)
            right = (given == unseen_targets[:, -COPIED:]).double().mean().item()
            if right > 0.999:
                break
    return right, step


def measure(seed: int, blanks: int = 100, num_seeds: int = 3, max_steps: int = 3000) -> Rows:
    rows: Rows = []
    for net in NETS:
        for run in range(seed, seed + num_seeds):
            torch.manual_seed(run)
            model = build(net)
            right, steps = train(model, blanks, run, max_steps, 2e-3)
            parameters = sum(parameter.numel() for parameter in model.parameters())
            rows.append({"net": net, "seed": run, "right": right, "steps": steps, "parameters": parameters})
    return rows


def judge(rows: Rows) -> Judgement:
    right = {net: [row["right"] for row in rows if row["net"] == net] for net in NETS}
    sizes = {net: next(row["parameters"] for row in rows if row["net"] == net) for net in NETS}
    shown = {net: ", ".join(f"{value:.3f}" for value in right[net]) for net in NETS}
    because = (
        f"right among the last ten after at most {max(row['steps'] for row in rows)} steps: TCN "
        f"({sizes['tcn']:,} parameters) {shown['tcn']}; LSTM ({sizes['lstm']:,}) {shown['lstm']}; guessing "
        f"{GUESS:.3f}"
    )
    if median(right["tcn"]) <= median(right["lstm"]):
        return Judgement(Verdict.FAILS, because)
    clear = min(right["tcn"]) >= SOLVED and max(right["lstm"]) < 2 * GUESS
    return Judgement(Verdict.HOLDS if clear else Verdict.UNDECIDED, because)


def draw(axes, rows: Rows) -> None:
    for index, net in enumerate(NETS):
        points = [row["right"] for row in rows if row["net"] == net]
        axes.plot([index] * len(points), points, "o", alpha=0.6)
    axes.axhline(GUESS, color="grey", linestyle="--", label="guessing")
    axes.set_xticks(range(len(NETS)), [net.upper() for net in NETS])
    axes.set(xlabel="net", ylabel="share of the last ten symbols that is right", ylim=(0, 1.05))
    axes.legend()
