"""dilation-field: does the receptive field grow exponentially where dilations double, at linear cost?

Stacks of 3x3 convolutions with ReLU between them, the dilation doubled from layer to layer (1, 2, 4, ...) or
left at 1: the field of one output is measured as the bounding box of its input gradient with random weights,
and held against the recursion of `anncestry.inspection.receptive_field`. Counted too are the pixels
within the field that have no share in the output (a dilation may leave holes) and the parameters. The
context network of the paper, with its own dilations 1, 1, 2, 4, 8, 16, 1, is measured layer by layer with
its weights opened: as it starts, as the identity, a unit reads one pixel, and the field is what it may learn.

A dilation of 1 is a dense kernel here, as in PyTorch and in the paper; the notes of CS231n count the gaps,
so that their 0 is this 1 (and the paper's code has 0 for the same). A kernel of F positions spans
d (F - 1) + 1 pixels by the first convention, (g + 1) (F - 1) + 1 by the second.

Source: Yu & Koltun, "Multi-scale context aggregation by dilated convolutions", 1511.07122, sections 2 and 3.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from anncestry.claims.common.claim import Judgement, Rows, Verdict
from anncestry.inspection.receptive_field import FieldOfView, measured_field
from anncestry.models.context_net import DILATIONS, ContextNet, ContextNetConfig

STACKS = {"dilated": 2, "undilated": 1}  # what the dilation is multiplied by from layer to layer


def stack(channels: int, dilations: list[int]) -> nn.Sequential:
    """3x3 convolutions with ReLU between them, in float64; the image's size is kept."""
    layers: list[nn.Module] = []
    for dilation in dilations:
        layers += [nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation), nn.ReLU()]
    return nn.Sequential(*layers[:-1]).double()


def shares(net: nn.Module, images: Tensor) -> Tensor:
    """(H, W): whether a pixel has a share in the middle output for any of several images."""
    images = images.clone().requires_grad_()
    y = net(images)
    (gradient,) = torch.autograd.grad(y[:, :, y.shape[2] // 2, y.shape[3] // 2].square().sum(), images)
    return (gradient != 0).any(0).any(0)


def predicted(net: nn.Module, image: Tensor) -> int:
    """How many pixels across the field is, by the recursion r_l = r_{l-1} + d_l (F_l - 1)."""
    with torch.no_grad(), FieldOfView(image) as view:
        field = view.of(net(image))
    assert field is not None
    return field.size[0]


def measure_stack(name: str, depth: int, channels: int, num_images: int) -> dict[str, int]:
    """One stack with random weights."""
    dilations = [STACKS[name] ** layer for layer in range(depth)]
    net = stack(channels, dilations)
    size = 2 * sum(dilations) + 5  # the field, and a rim
    images = torch.randn(num_images, channels, size, size, dtype=torch.float64)
    seen = shares(net, images)
    rows, columns = (seen.any(axis).nonzero().flatten() for axis in (1, 0))
    height, width = int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1
    return {
        "height": height,
        "width": width,
        "predicted": predicted(net, images[:1]),
        "holes": height * width - int(seen.sum()),
        "parameters": sum(parameter.numel() for parameter in net.parameters()),
    }


def measure_context(depth: int) -> dict[str, int]:
    """The first layers of the context module: their field, and what they read before any training."""
    config = ContextNetConfig(input_shape=(2, 1, 1), output_size=2, channels=2, dilations=DILATIONS[:depth])
    module = ContextNet(config).context.double()
    size = 2 * sum(config.dilations) + 5
    height, width = measured_field(module, str(2 * (depth - 1)), (2, size, size))
    image = torch.ones(1, 2, size, size, dtype=torch.float64)
    return {
        "height": height,
        "width": width,
        "predicted": predicted(module, image.clone()),  # the ReLUs work in place
        "at_start": int(shares(module, image).sum()),
        "parameters": sum(parameter.numel() for parameter in module.parameters()),
    }


def measure(seed: int, max_depth: int = 6, channels: int = 4, num_images: int = 16) -> Rows:
    torch.manual_seed(seed)
    rows: Rows = [
        {"net": name, "depth": depth, **measure_stack(name, depth, channels, num_images)}
        for name in STACKS
        for depth in range(1, max_depth + 1)
    ]
    depths = range(1, min(max_depth + 1, len(DILATIONS)) + 1)
    return rows + [{"net": "context net", "depth": depth, **measure_context(depth)} for depth in depths]


def steps(rows: Rows, field: str) -> list[int]:
    """What each layer adds."""
    return [after[field] - before[field] for before, after in pairwise(rows)]


def judge(rows: Rows) -> Judgement:
    dilated, undilated = ([row for row in rows if row["net"] == name] for name in STACKS)
    exact = sum(row["height"] == row["width"] == row["predicted"] for row in rows)
    holes = sum(row["holes"] for row in dilated + undilated)
    grown = steps(dilated, "height")
    exponential = all(after == 2 * before for before, after in pairwise(grown)) and len(grown) > 1
    linear = len({*steps(undilated, "height")}) == 1
    added = {*steps(dilated, "parameters"), *steps(undilated, "parameters")}
    fields = {name: ", ".join(str(r["height"]) for r in rows if r["net"] == name) for name in STACKS}
    because = (
        f"with 1 to {len(dilated)} layers a unit has a field of {fields['dilated']} pixels across where "
        "dilations "
        f"double, {fields['undilated']} without; a layer adds {' or '.join(map(str, sorted(added)))} "
        f"parameters; {exact} of {len(rows)} measured fields are those of the recursion, and {holes} pixels "
        f"within them have no share"
    )
    holds = exact == len(rows) and exponential and linear and len(added) == 1 and not holes
    return Judgement(Verdict.HOLDS if holds else Verdict.FAILS, because)


def draw(axes, rows: Rows) -> None:
    for net in dict.fromkeys(row["net"] for row in rows):
        chosen = [row for row in rows if row["net"] == net]
        depths = [row["depth"] for row in chosen]
        (line,) = axes.plot(depths, [row["height"] for row in chosen], "o", label=f"{net}, measured")
        axes.plot(depths, [row["predicted"] for row in chosen], "-", color=line.get_color(), alpha=0.6)
    axes.plot([], [], "-", color="grey", label="by the recursion")
    axes.set(xlabel="layers", ylabel="receptive field, pixels across", yscale="log")
    axes.set_xticks(sorted({row["depth"] for row in rows}))
    axes.legend()
