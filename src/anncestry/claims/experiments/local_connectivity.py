"""local-connectivity: how much of a 32x32x3 image does a unit of a 5x5 convolution read, and of an MLP?

What a unit reads is measured, not counted: the gradient of its output with respect to every value of the
input, and with respect to every weight and bias of its layer. Whatever is not exactly zero is connected.

Source: LeCun, Bottou, Bengio & Haffner, "Gradient-based learning applied to document recognition" (1998),
section II; the numbers are the textbook example (Stanford's CS231n notes on convolutional networks).
"""

from collections.abc import Sequence

import torch
from torch import nn

from anncestry.claims.common.claim import Judgement, Rows, Verdict
from anncestry.models.cnn import CNN, CNNConfig
from anncestry.models.mlp import MLP, MLPConfig

UNITS = 6  # channels of the convolution, hidden units of the MLP


def first_convolution(image_size: int, kernel_size: int) -> nn.Module:
    """The first layer of a CNN."""
    shape = (3, image_size, image_size)
    config = CNNConfig(input_shape=shape, output_size=2, channels=UNITS, kernel_size=kernel_size)
    return CNN(config).double().layers[:1]


def first_dense(image_size: int) -> nn.Module:
    """The first layer of an MLP, with the flattening before it."""
    shape = (3, image_size, image_size)
    config = MLPConfig(inputs="image", input_shape=shape, hidden_sizes=(UNITS,), output_size=2)
    return MLP(config).double().layers[:2]


def look(layer: nn.Module, image: torch.Tensor, unit: tuple[int, ...]) -> dict[str, int]:
    """What one unit depends on: the input values, weights and biases whose gradient is not zero."""
    image = image.clone().requires_grad_()
    weight, bias = layer.parameters()
    gradients = torch.autograd.grad(layer(image)[unit], [image, weight, bias])
    inputs, weights, biases = (int((gradient != 0).sum()) for gradient in gradients)
    return {"inputs": inputs, "weights": weights, "biases": biases}


def measure(
    seed: int, image_size: int = 32, kernel_sizes: Sequence[int] = (3, 5, 7), num_units: int = 8
) -> Rows:
    torch.manual_seed(seed)
    image = torch.randn(1, 3, image_size, image_size, dtype=torch.float64)
    rows: Rows = []
    for size in kernel_sizes:
        for _ in range(num_units):  # anywhere but on the rim, where part of the field lies in the padding
            row, column = torch.randint(size // 2, image_size - size // 2, (2,)).tolist()
            unit = (0, int(torch.randint(UNITS, ())), row, column)
            seen = look(first_convolution(image_size, size), image, unit)
            rows.append({"layer": f"{size}×{size} convolution", "expected": 3 * size**2, **seen})
    for _ in range(num_units):
        seen = look(first_dense(image_size), image, (0, int(torch.randint(UNITS, ()))))
        rows.append({"layer": "fully connected", "expected": 3 * image_size**2, **seen})
    return rows


def judge(rows: Rows) -> Judgement:
    exact = sum(row["inputs"] == row["weights"] == row["expected"] and row["biases"] == 1 for row in rows)
    per_layer = {row["layer"]: row for row in rows}
    seen = "; ".join(
        f"{layer} {row['inputs']} values through {row['weights']} weights + {row['biases']} bias"
        for layer, row in per_layer.items()
    )
    because = f"{exact} of {len(rows)} units read exactly what the formula says ({seen})"
    return Judgement(Verdict.HOLDS if exact == len(rows) else Verdict.FAILS, because)


def draw(axes, rows: Rows) -> None:
    layers = list({row["layer"]: row for row in rows}.values())
    sizes = [row["weights"] + row["biases"] for row in layers]
    bars = axes.barh([row["layer"] for row in layers], sizes)
    axes.bar_label(bars, padding=3)
    axes.set(xlabel="weights and bias of one unit", xscale="log", xlim=(1, 3 * max(sizes)))
