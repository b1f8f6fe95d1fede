"""two-3x3: do two 3x3 convolutions have the field of one 5x5, and three that of a 7x7, with fewer weights and
more non-linearity?

The field of one output is measured as the bounding box of its input gradient in a stack of 3x3 convolutions
with ReLU between them; the weights (biases left out) are counted at an equal number of channels. Such a net
is linear in pieces: for its non-linearity a unit behind the last ReLU is followed along straight lines
between two random images of the size of its field, and the points are counted where it bends. A
single convolution with its ReLU has one at most, however large its kernel.

Source: Simonyan & Zisserman, "Very deep convolutional networks for large-scale image recognition",
1409.1556 (2014), section 2.3.
"""

from collections.abc import Sequence

import torch
from torch import nn

from anncestry.claims.common.claim import Judgement, Rows, Verdict
from anncestry.models.cnn import CNN, CNNConfig

PARTS = 300  # of a line; two kinks in one of them count as one
ROUNDING = 1e-12


def convolutions(kernel_size: int, depth: int, channels: int, image_size: int) -> nn.Sequential:
    """The first layers of a CNN: ``depth`` convolutions, each with its ReLU, the image's size kept."""
    config = CNNConfig(
        input_shape=(channels, image_size, image_size),
        output_size=2,
        num_convs=depth,
        num_blocks=1,
        channels=channels,
        kernel_size=kernel_size,
    )
    return nn.Sequential(*list(CNN(config).double().layers)[: 2 * depth])


def field(net: nn.Module, channels: int, image_size: int, num_images: int) -> tuple[int, int]:
    """Height and width of what the middle output depends on, over several images (a ReLU may cut a path)."""
    shape = (num_images, channels, image_size, image_size)
    images = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    middle = image_size // 2
    net(images)[:, :, middle, middle].square().sum().backward()
    assert images.grad is not None
    rows, columns = (images.grad != 0).any(0).any(0).nonzero(as_tuple=True)
    return int(rows.max() - rows.min()) + 1, int(columns.max() - columns.min()) + 1


def kinks(net: nn.Module, channels: int, image_size: int, num_lines: int) -> float:
    """In how many parts of a line between two random images one output in the middle bends: the mean."""
    middle, found = image_size // 2, []
    points = torch.linspace(0, 1, 2 * PARTS + 1, dtype=torch.float64).view(-1, 1, 1, 1)
    for _ in range(num_lines):
        start, end = torch.randn(2, channels, image_size, image_size, dtype=torch.float64)
        with torch.no_grad():
            y = net(torch.lerp(start, end, points))[:, :, middle, middle]  # (2 PARTS + 1, C)
        bend = y[1::2] - (y[:-1:2] + y[2::2]) / 2  # off the straight line between the ends of a part
        found.append((bend.abs() > ROUNDING).double().sum(0).mean().item())
    return sum(found) / num_lines


def measure(
    seed: int,
    depths: Sequence[int] = (2, 3, 4),
    channels: int = 16,
    num_images: int = 16,
    num_lines: int = 4,
) -> Rows:
    torch.manual_seed(seed)
    image_size = 2 * max(depths) + 7  # the largest field, and a rim
    rows: Rows = []
    for depth in depths:
        size = 2 * depth + 1
        for kernel_size, layers in ((3, depth), (size, 1)):
            net = convolutions(kernel_size, layers, channels, image_size)
            height, width = field(net[:-1], channels, image_size, num_images)
            weights = sum(parameter.numel() for parameter in net.parameters() if parameter.dim() == 4)
            sizes = {"depth": depth, "kernel_size": kernel_size, "layers": layers}
            bends = kinks(net, channels, size, num_lines)
            rows.append({**sizes, "height": height, "width": width, "weights": weights, "kinks": bends})
    return rows


def judge(rows: Rows) -> Judgement:
    holds, phrases = [], []
    for depth in sorted({row["depth"] for row in rows}):
        stack, single = (row for row in rows if row["depth"] == depth)
        holds.append((stack["height"], stack["width"]) == (single["height"], single["width"]))
        holds.append(stack["weights"] < single["weights"] and stack["kinks"] > single["kinks"])
        phrases.append(
            f"{depth} layers of 3×3 span {stack['height']}×{stack['width']} with {stack['weights']} weights "
            f"and {stack['kinks']:.1f} kinks on a line, one {single['kernel_size']}×{single['kernel_size']} "
            f"spans {single['height']}×{single['width']} with {single['weights']} and {single['kinks']:.1f}"
        )
    verdict = Verdict.HOLDS if holds and all(holds) else Verdict.FAILS
    return Judgement(verdict, "; ".join(phrases))


def draw(axes, rows: Rows) -> None:
    for stacked, label in ((True, "3×3 layers"), (False, "one layer")):
        chosen = [row for row in rows if (row["kernel_size"] == 3) == stacked]
        fields, weights = [row["height"] for row in chosen], [row["weights"] for row in chosen]
        axes.plot(fields, weights, "o-", label=label)
        for x, y, row in zip(fields, weights, chosen, strict=True):
            axes.annotate(f"{row['kinks']:.1f} kinks", (x, y), (6, -12), textcoords="offset points")
    axes.set(xlabel="measured receptive field (pixels)", ylabel="weights")
    axes.set_xticks(sorted({row["height"] for row in rows}))
    axes.margins(0.12)
    axes.legend()
