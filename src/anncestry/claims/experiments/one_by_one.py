"""one-by-one: is a 1x1 convolution a dense layer over the channels that all positions share?

A 1x1 convolution and a dense layer with the same weights are compared in float64, outputs and gradients, at
image sizes from one pixel up. What it is for, and what not, is counted: how many channels and how many
positions of the input one output depends on, and the weights, D K whatever the size of the image. As a
control the centre of a 3x3 kernel is taken for a dense layer: that must differ, or the comparison could not
show a difference.

Source: Lin, Chen & Yan, "Network in network", 1312.4400 (2013), section 3.1.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from anncestry.claims.common.claim import Judgement, Rows, Verdict

# D, K, height, width: a colour image, NIN's second layer, ResNet-50's narrowing and widening, one pixel
SHAPES = ((3, 8, 32, 32), (192, 160, 8, 8), (256, 64, 14, 14), (64, 256, 7, 5), (16, 16, 1, 1))
ROUNDING, VISIBLE = 1e-12, 1e-6


def dense(convolution: nn.Conv2d, x: Tensor) -> Tensor:
    """The centre of the kernel as the matrix of a dense layer, applied to the channels of every position."""
    centre = convolution.kernel_size[0] // 2
    matrix = convolution.weight[:, :, centre, centre]
    return nn.functional.linear(x.permute(0, 2, 3, 1), matrix, convolution.bias).permute(0, 3, 1, 2)


def difference(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> float:
    """The largest difference, relative to the largest value of its tensor."""
    pairs = zip(ours, theirs, strict=True)
    return max(((a - b).abs().max() / b.abs().max()).item() for a, b in pairs)


def look(convolution: nn.Conv2d, x: Tensor) -> dict[str, int]:
    """How many channels of the input an output in the middle depends on, and the size of its field."""
    y = convolution(x)
    (gradient,) = torch.autograd.grad(y[0, 0, y.shape[2] // 2, y.shape[3] // 2], x)
    channels, rows, columns = ((gradient[0] != 0).any(a).any(b).sum() for a, b in ((1, 1), (0, 1), (0, 0)))
    return {"channels": int(channels), "field_height": int(rows), "field_width": int(columns)}


def measure(seed: int, shapes: Sequence[tuple[int, int, int, int]] = SHAPES) -> Rows:
    torch.manual_seed(seed)
    rows: Rows = []
    for kernel_size in (1, 3):
        for D, K, height, width in shapes:
            convolution = nn.Conv2d(D, K, kernel_size, padding=kernel_size // 2).double()
            x = torch.randn(2, D, height, width, dtype=torch.float64, requires_grad=True)
            weighting = torch.randn(2, K, height, width, dtype=torch.float64)  # an arbitrary loss
            learnt = (x, *convolution.parameters())
            y, apart = convolution(x), dense(convolution, x)
            ours = torch.autograd.grad((y * weighting).sum(), learnt)
            theirs = torch.autograd.grad((apart * weighting).sum(), learnt)
            sizes = {"F": kernel_size, "D": D, "K": K, "height": height, "width": width}
            found = {"outputs": difference([y], [apart]), "gradients": difference(ours, theirs)}
            rows.append({**sizes, **found, **look(convolution, x), "weights": convolution.weight.numel()})
    return rows


def judge(rows: Rows) -> Judgement:
    claimed = [row for row in rows if row["F"] == 1]
    control = [row for row in rows if row["F"] > 1 and row["height"] * row["width"] > 1]
    outputs, gradients = (max(row[part] for row in claimed) for part in ("outputs", "gradients"))
    apart = min(row["outputs"] for row in control)
    as_said = sum(
        (row["channels"], row["field_height"], row["field_width"]) == (row["D"], 1, 1)
        and row["weights"] == row["D"] * row["K"]
        for row in claimed
    )
    widest = max(row["field_height"] for row in control)
    because = (
        f"over {len(claimed)} shapes the largest relative difference from a dense layer is {outputs:.1e} in "
        f"the outputs and {gradients:.1e} in the gradients; {as_said} of {len(claimed)} read all D channels "
        f"of 1×1 position through D×K weights; a 3×3 kernel reads {widest}×{widest} and differs from its "
        "centre "
        f"by at least {apart:.1e}"
    )
    if as_said < len(claimed) or max(outputs, gradients) > VISIBLE:
        return Judgement(Verdict.FAILS, because)
    clear = max(outputs, gradients) <= ROUNDING and apart > VISIBLE
    return Judgement(Verdict.HOLDS if clear else Verdict.UNDECIDED, because)


def draw(axes, rows: Rows) -> None:
    shapes = list(dict.fromkeys((row["D"], row["K"], row["height"], row["width"]) for row in rows))
    for kernel_size, marker in ((1, "o"), (3, "x")):
        for part, colour in (("outputs", "C0"), ("gradients", "C1")):
            found = [max(row[part], 1e-18) for row in rows if row["F"] == kernel_size]
            label = f"{kernel_size}×{kernel_size}, {part}"
            axes.plot(range(len(found)), found, marker, color=colour, label=label, alpha=0.7)
    axes.axhline(ROUNDING, color="grey", linestyle="--", label="counts as rounding")
    axes.set_xticks(range(len(shapes)), [f"{D}→{K}\n{h}×{w}" for D, K, h, w in shapes])
    axes.set(xlabel="channels and size of the image", ylabel="difference from a dense layer", yscale="log")
    axes.legend(fontsize="small")
