"""path-length-attention: how far is the first input from the last output, and what is left of a gradient?

For attention, dilated convolution and an LSTM: the layer of a Transformer's encoder joins the nets of the
claim sequential-steps. Counted, without weights, are the products that must wait for one another. The path
from the first input to the last output is counted in edges: for an LSTM those of its unrolled graph; for the
others, whose edges all lead up, the number of layers of the smallest stack whose last output depends on its
first input, which is found by differentiation (a block of two convolutions counts as one).

Last, what is left of a gradient on that path in an untrained net: the norm of d y_n / d x_1 against that of d
y_n / d x_{n-1}. Attention shares its weight among n positions, so that both fall as n grows, about like 1/n;
what does not fall is the one against the other.

Source: Vaswani et al., 1706.03762, table 1 and section 4.
"""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from statistics import geometric_mean
from typing import Any

import torch
from torch import nn

from anncestry.claims.common.claim import Judgement, Rows, Verdict
from anncestry.claims.experiments.sequential_steps import KERNEL, blocks, growth
from anncestry.inspection.costs import costs
from anncestry.inspection.influence import influence
from anncestry.inspection.path_length import layer_lags, path_lengths
from anncestry.layers.attention.attention import SelfAttention
from anncestry.layers.attention.blocks import Block, FeedForward, PostNorm
from anncestry.layers.attention.positions import Sinusoidal
from anncestry.layers.recurrent.sequence_network import SequenceConfig, SequenceNetwork
from anncestry.models.create import create

NETS = {"encoder": "attention", "tcn": "dilated convolution", "lstm": "LSTM"}
KEPT, LOST = 0.1, 1e-3  # of the gradient of the nearest input


class Encoder(nn.Module):
    """A Transformer's encoder as a wiring: positions, then layers."""

    def __init__(self, width: int, num_layers: int) -> None:
        super().__init__()
        self.input_size = self.output_size = width
        self.positions = Sinusoidal(width)
        self.layers = nn.ModuleList(
            Block(SelfAttention(width, 4), FeedForward(width, 4 * width), partial(PostNorm, width))
            for _ in range(num_layers)
        )

    def forward(self, x, state=None, lengths=None):
        x = x + self.positions(0, x.shape[1])
        for layer in self.layers:
            x = layer(x)
        return x, state


def build(net: str, length: int, width: int, num_layers: int) -> SequenceNetwork:
    """A net that reads a series of ``width`` features and has one output."""
    sizes: dict[str, Any] = {"input_size": width, "hidden_size": width, "output_size": 1, "seq_len": length}
    if net == "encoder":
        return SequenceNetwork(SequenceConfig(**sizes), Encoder(width, num_layers))
    if net == "tcn":
        sizes |= {"kernel_size": KERNEL, "num_layers": num_layers}
    return create(net, **sizes)  # pyright: ignore[reportReturnType]


def layers_needed(net: str, length: int, width: int) -> int:
    """Of a net whose edges all lead up: how many, until the last output depends on the first input."""
    x = torch.randn(1, length, width)
    for count in range(1, length):
        if influence(build(net, length, width, count), x, 1)[-1, 0] > 0:
            return count
    return length


def measure(
    seed: int, lengths: Sequence[int] = (16, 32, 64, 128), width: int = 16, num_seeds: int = 3
) -> Rows:
    rows: Rows = []
    for net in NETS:
        for length in lengths:
            torch.manual_seed(seed)
            depth = blocks(length) if net == "tcn" else 1
            made = build(net, length, width, depth)
            row: dict[str, Any] = {"net": net, "length": length, "width": width}
            row["steps"] = costs(made).sequential_steps
            lags = layer_lags(made) if net == "lstm" else []
            row["path"] = path_lengths(lags, length)[-1] if lags else layers_needed(net, length, width)
            curves = []
            for run in range(seed, seed + num_seeds):
                torch.manual_seed(run)
                made = build(net, length, width, depth)
                curves.append(influence(made, torch.randn(1, length, width))[-1].flip(0).tolist())
            row["by_lag"] = [geometric_mean(max(v, 1e-45) for v in lag) for lag in zip(*curves, strict=True)]
            rows.append(row)
    return rows


def left(row: dict[str, Any]) -> float:
    """The gradient of the first input, against that of the last but one."""
    return row["by_lag"][-1] / row["by_lag"][1]


def judge(rows: Rows) -> Judgement:
    longest = max(row["length"] for row in rows)
    mine = {net: sorted((r for r in rows if r["net"] == net), key=lambda r: r["length"]) for net in NETS}
    phrases = [
        f"{name} takes {' '.join(str(row['steps']) for row in mine[net])} steps in sequence over paths of "
        f"{' '.join(str(row['path']) for row in mine[net])} edges, and {left(mine[net][-1]):.1e} of the "
        f"gradient is left at n = {longest}"
        for net, name in NETS.items()
    ]
    diluted = [{**row, "far": row["by_lag"][-1]} for row in mine["encoder"]]
    because = (
        f"for n = {', '.join(str(row['length']) for row in mine['lstm'])}: {'; '.join(phrases)}; the "
        "encoder's "
        f"own gradient falls like n^{growth(diluted, 'encoder', 'far', 'length'):.2f}"
    )
    constant = all(len({row[of] for row in mine["encoder"]}) == 1 for of in ("steps", "path"))
    doubled = {b["path"] - a["path"] for a, b in pairwise(mine["tcn"])}
    linear = all(abs(growth(rows, "lstm", of, "length") - 1) < 0.05 for of in ("steps", "path"))
    kept, lost = left(mine["encoder"][-1]), left(mine["lstm"][-1])
    if not constant or kept <= lost:
        return Judgement(Verdict.FAILS, because)
    clear = linear and len(doubled) == 1 and min(doubled) > 0 and kept >= KEPT and lost <= LOST
    return Judgement(Verdict.HOLDS if clear else Verdict.UNDECIDED, because)


def draw(axes, rows: Rows) -> None:
    longest = max(row["length"] for row in rows)
    for net, name in NETS.items():
        (row,) = [row for row in rows if (row["net"], row["length"]) == (net, longest)]
        nearest = row["by_lag"][1]
        axes.plot([value / nearest for value in row["by_lag"]], label=f"{name}: {row['path']} edges")
    axes.set(xlabel=f"steps back from the last of {longest}", yscale="log")
    axes.set(ylabel="gradient against that of one step back", ylim=(1e-20, 1e3))
    axes.legend()
