"""deep-shortcuts: does a stack of ten recurrent layers train worse than three, and which shortcut repairs it?

Language models of characters with 128 memory cells and 64 units put out per layer: ten plain layers, three
plain layers, and ten layers with one of three shortcuts: inside the cell (residual LSTM), between the
memories (highway LSTM), around the layer (residual stack). All get the same text, the same optimizer and the
same few steps, so this is about how easily depth trains, not about what it is worth in the end. The loss is
that of the last fifth of the steps. The forget gates start at 0 as in these papers: starting at 1 keeps even
three plain layers at the frequencies of the characters for longer than this budget.

Sources: Kim, El-Khamy & Lee, 1701.03360 (ten plain layers did worse than three in speech recognition); Zhang
et al., 1510.08983; Wu et al., 1609.08144.
"""

from statistics import median
from typing import Any

import torch
from torch import nn

from anncestry.claims.common.claim import Judgement, Rows, Verdict
from anncestry.data import DataOptions, Stream, load_data
from anncestry.layers.recurrent.projection import ProjectedCell
from anncestry.models.create import create
from anncestry.protocols import detach_state

NETS: dict[str, tuple[str, dict[str, Any]]] = {
    "plain, 3 layers": ("lstmp", {"num_layers": 3}),
    "plain": ("lstmp", {"num_layers": 10}),
    "residual LSTM": ("residual-rnn", {"num_layers": 10}),
    "highway LSTM": ("highway-lstm", {"num_layers": 10}),
    "residual stack": ("residual-stack", {"num_layers": 10, "cell": "lstmp"}),
}
DEEP = [net for net in NETS if net != "plain, 3 layers"]
CLEAR = 0.1  # nats that count as a difference


def build(net: str, vocab_size: int, cells: int) -> nn.Module:
    """A new net; every cell is projected to half its size, and its forget gate starts without a bias to 1."""
    name, fields = NETS[net]
    sizes = {
        "task": "language-model",
        "inputs": "tokens",
        "input_size": vocab_size,
        "output_size": vocab_size,
    }
    projected = {} if "cell" in fields else {"proj_size": max(1, cells // 2)}
    sizes |= {**fields, **projected, "hidden_size": cells}
    model = create(name, **sizes)
    with torch.no_grad():
        for cell in model.modules():
            if isinstance(cell, ProjectedCell):
                cell.bias[cells : 2 * cells] -= cell.forget_bias
    return model


def loss_after(net: str, seed: int, num_steps: int, cells: int) -> tuple[float, int]:
    """Mean training loss of the last fifth of the steps, nats per character, and the parameters."""
    dataset = load_data("pydoc", DataOptions(max_chars=600_000, window=24))
    torch.manual_seed(seed)
    model = build(net, dataset.signature.vocab_size, cells)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    assert isinstance(dataset.train, Stream)
    losses, state = [], None
    for batch in dataset.train.batches(16, start=seed % 100):
        outputs, state = model(batch.inputs, state)
        state = detach_state(state)
        loss = nn.functional.cross_entropy(outputs.flatten(0, 1), batch.targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
        if len(losses) == num_steps:
            break
    last = losses[-max(1, num_steps // 5) :]
    return sum(last) / len(last), sum(parameter.numel() for parameter in model.parameters())


def measure(seed: int, num_seeds: int = 3, num_steps: int = 800, cells: int = 128) -> Rows:
    rows: Rows = []
    for net in NETS:
        for run in range(seed, seed + num_seeds):
            loss, parameters = loss_after(net, run, num_steps, cells)
            rows.append({"net": net, "seed": run, "loss": loss, "parameters": parameters})
    return rows


def judge(rows: Rows) -> Judgement:
    losses = {net: [row["loss"] for row in rows if row["net"] == net] for net in NETS}
    middle = {net: median(values) for net, values in losses.items()}
    medians = ", ".join(f"{net} {middle[net]:.2f}" for net in NETS)
    repaired = [net for net in DEEP if net != "plain" and middle[net] < middle["plain"] - CLEAR]
    because = (
        f"nats per character (medians of {len(losses['plain'])} seeds): {medians}; repaired by "
        f"{', '.join(repaired) if repaired else 'none'}"
    )
    worse = middle["plain"] - middle["plain, 3 layers"]
    if worse <= 0:
        return Judgement(Verdict.FAILS, because)
    clear = worse > CLEAR and bool(repaired) and min(losses["plain"]) > max(losses["plain, 3 layers"])
    return Judgement(Verdict.HOLDS if clear else Verdict.UNDECIDED, because)


def draw(axes, rows: Rows) -> None:
    for index, net in enumerate(NETS):
        values = [row["loss"] for row in rows if row["net"] == net]
        axes.plot([index] * len(values), values, "o", alpha=0.7)
    axes.set_xticks(range(len(NETS)), [net.replace(" ", "\n", 1) for net in NETS])
    axes.set(xlabel="ten layers, but for the first", ylabel="training loss, nats per character")
