"""two-3x3: do two 3x3 convolutions see what one 5x5 sees, and three what a 7x7 sees, with fewer weights?

The field of one output is measured as the bounding box of its input gradient in a stack of 3x3 convolutions
with ReLU between them; the weights (biases left out) are counted at an equal number of channels.

Source: Simonyan & Zisserman, "Very deep convolutional networks for large-scale image recognition",
1409.1556 (2014), section 2.3.
"""

from collections.abc import Sequence

import torch
from torch import nn

from anncestry.models.cnn import CNN, CNNConfig
from anncestry.studies.claims.claim import Judgement, Rows, Verdict


def convolutions(kernel_size: int, depth: int, channels: int, image_size: int) -> nn.Module:
    """The first layers of a CNN: ``depth`` convolutions with ReLU between them, the image's size kept."""
    config = CNNConfig(
        input_shape=(channels, image_size, image_size),
        output_size=2,
        num_convs=depth,
        num_blocks=1,
        channels=channels,
        kernel_size=kernel_size,
    )
    return CNN(config).double().layers[: 2 * depth - 1]


def field(net: nn.Module, channels: int, image_size: int, num_images: int) -> tuple[int, int]:
    """Height and width of what the middle output depends on, over several images (a ReLU may hide a path)."""
    shape = (num_images, channels, image_size, image_size)
    images = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    middle = image_size // 2
    net(images)[:, :, middle, middle].square().sum().backward()
    assert images.grad is not None
    rows, columns = (images.grad != 0).any(0).any(0).nonzero(as_tuple=True)
    return int(rows.max() - rows.min()) + 1, int(columns.max() - columns.min()) + 1


def measure(seed: int, depths: Sequence[int] = (2, 3, 4), channels: int = 16, num_images: int = 16) -> Rows:
    torch.manual_seed(seed)
    image_size = 2 * max(depths) + 7  # the largest field, and a rim
    rows: Rows = []
    for depth in depths:
        for kernel_size, layers in ((3, depth), (2 * depth + 1, 1)):
            net = convolutions(kernel_size, layers, channels, image_size)
            height, width = field(net, channels, image_size, num_images)
            weights = sum(parameter.numel() for parameter in net.parameters() if parameter.dim() == 4)
            sizes = {"depth": depth, "kernel_size": kernel_size, "layers": layers}
            rows.append({**sizes, "height": height, "width": width, "weights": weights})
    return rows


def judge(rows: Rows) -> Judgement:
    same_field, fewer, told = [], [], []
    for depth in sorted({row["depth"] for row in rows}):
        stack, single = (row for row in rows if row["depth"] == depth)
        same_field.append((stack["height"], stack["width"]) == (single["height"], single["width"]))
        fewer.append(stack["weights"] < single["weights"])
        told.append(
            f"{depth} layers of 3×3 see {stack['height']}×{stack['width']} with {stack['weights']} weights, "
            f"one {single['kernel_size']}×{single['kernel_size']} sees {single['height']}×{single['width']} "
            f"with {single['weights']}"
        )
    holds = bool(told) and all(same_field) and all(fewer)
    return Judgement(Verdict.HOLDS if holds else Verdict.FAILS, "; ".join(told))


def draw(axes, rows: Rows) -> None:
    for stacked, label in ((True, "3×3 layers"), (False, "one layer")):
        chosen = [row for row in rows if (row["kernel_size"] == 3) == stacked]
        axes.plot([row["height"] for row in chosen], [row["weights"] for row in chosen], "o-", label=label)
    axes.set(xlabel="measured receptive field (pixels)", ylabel="weights")
    axes.set_xticks(sorted({row["height"] for row in rows}))
    axes.legend()
