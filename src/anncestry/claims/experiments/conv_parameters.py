"""conv-parameters: does a convolution from D to K channels with an F x F kernel have F*F*D*K + K parameters?

CNNs are built and the numbers in the tensors of their first layer counted, for a grid of F, D and K and for
images of different sizes. A fully connected layer between the same two volumes is counted too.

Source: LeCun, Bottou, Bengio & Haffner, "Gradient-based learning applied to document recognition" (1998),
section II, on shared weights.
"""

from collections.abc import Sequence
from itertools import product

import torch
from torch import nn

from anncestry.claims.common.claim import Judgement, Rows, Verdict
from anncestry.models.cnn import CNN, CNNConfig


def count(module: nn.Module) -> int:
    """All numbers a module can learn."""
    return sum(parameter.numel() for parameter in module.parameters())


def first_layer(F: int, D: int, K: int, image_size: int) -> nn.Module:
    """The first layer of a CNN for images of D channels."""
    shape = (D, image_size, image_size)
    config = CNNConfig(input_shape=shape, output_size=2, num_blocks=1, channels=K, kernel_size=F)
    return CNN(config).layers[0]


def measure(
    seed: int,
    kernel_sizes: Sequence[int] = (1, 3, 5, 7, 11),
    in_channels: Sequence[int] = (1, 3, 16, 64),
    out_channels: Sequence[int] = (6, 32, 96),
    image_sizes: Sequence[int] = (16, 32),
) -> Rows:
    rows: Rows = []
    with torch.device("meta"):  # shapes are enough for counting; nothing is random here
        for F, D, K, size in product(kernel_sizes, in_channels, out_channels, image_sizes):
            layer = first_layer(F, D, K, size)
            inputs = torch.empty(1, D, size, size)
            dense = nn.Linear(inputs.numel(), layer(inputs).numel())
            sizes = {"F": F, "D": D, "K": K, "image_size": size}
            rows.append({**sizes, "counted": count(layer), "dense": count(dense)})
    return rows


def judge(rows: Rows) -> Judgement:
    wrong = [row for row in rows if row["counted"] != row["F"] ** 2 * row["D"] * row["K"] + row["K"]]
    share = min(row["dense"] / row["counted"] for row in rows)
    because = (
        f"{len(rows) - len(wrong)} of {len(rows)} layers have exactly F×F×D×K + K parameters whatever the "
        f"size of the image; fully connected layers between the same volumes need at least {share:.0f} times "
        f"as many"
    )
    if wrong:
        first = wrong[0]
        because += f"; F={first['F']}, D={first['D']}, K={first['K']} has {first['counted']}"
    return Judgement(Verdict.FAILS if wrong else Verdict.HOLDS, because)


def draw(axes, rows: Rows) -> None:
    formula = [row["F"] ** 2 * row["D"] * row["K"] + row["K"] for row in rows]
    axes.plot(formula, [row["counted"] for row in rows], "o", label="convolution", alpha=0.6)
    axes.plot(formula, [row["dense"] for row in rows], ".", label="fully connected, same volumes", alpha=0.6)
    axes.plot(sorted(formula), sorted(formula), color="grey", linestyle="--", label="F×F×D×K + K")
    axes.set(xlabel="F×F×D×K + K", ylabel="parameters counted", xscale="log", yscale="log")
    axes.legend()
