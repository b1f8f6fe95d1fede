"""pooling-discards: does max-pooling 2x2 with stride 2 discard exactly 75 % of the activations?

A CNN is trained briefly on handwritten digits; the maps of its convolutions for unseen digits are pooled, and
an activation counts as kept where a gradient reaches it. The maximum of a window may be attained more than
once (behind a ReLU whole windows are zero, and an even background is even in every map). PyTorch then sends
the gradient to one of the positions; what is discarded there equals what is kept, so these are counted apart.
The same is measured for overlapping windows, 3x3 with stride 2 as in AlexNet: as many maxima are handed on,
but one activation can be the maximum of several windows.

Sources: Stanford's CS231n notes on convolutional networks; Krizhevsky, Sutskever & Hinton, "ImageNet
classification with deep convolutional neural networks" (2012), section 3.4, on overlapping windows.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from anncestry.claims.common.claim import Judgement, Rows, Verdict
from anncestry.claims.common.digits import digits, share_right, train
from anncestry.models.cnn import CNN, CNNConfig

STRIDE = 2
WINDOWS = (2, 3)
MAPS = {(1, "before"): 0, (1, "behind"): 1, (2, "before"): 3, (2, "behind"): 4}  # of the CNN's layers
KEPT = 1 / 4


def windows(maps: Tensor, size: int) -> Tensor:
    """(B, C, h, w, size, size): what each window holds; -infinity beyond the lower and the right border."""
    over = size - STRIDE
    padded = nn.functional.pad(maps, (0, over, 0, over), value=-torch.inf)
    return padded.unfold(2, size, STRIDE).unfold(3, size, STRIDE)


def reached(maps: Tensor, size: int, ties: str) -> Tensor:
    """(B, C, H, W): which activations get a gradient from the maxima of their windows.

    Args:
        ties: where a maximum is attained more than once, the gradient goes to ``one`` position, as in
            max-pooling, or to ``all``.
    """
    maps = maps.detach().clone().requires_grad_()
    if ties == "one":
        maxima = nn.functional.max_pool2d(maps, size, STRIDE, ceil_mode=True)
    else:
        maxima = windows(maps, size).amax((4, 5))
    (gradient,) = torch.autograd.grad(maxima.sum(), maps)
    return gradient != 0


def look(maps: Tensor, size: int) -> dict[str, float]:
    """Shares of all activations: kept, and discarded though equal to a maximum; kept ones per window."""
    one, every = reached(maps, size, "one"), reached(maps, size, "all")
    per_window = windows(one.double(), size).clamp(min=0).sum((4, 5))
    return {
        "kept": one.double().mean().item(),
        "equal": (every & ~one).double().mean().item(),
        "fewest": int(per_window.min()),
        "most": int(per_window.max()),
    }


def measure(seed: int, num_seeds: int = 3, num_steps: int = 200, num_images: int = 500) -> Rows:
    rows: Rows = []
    for run in range(seed, seed + num_seeds):
        torch.manual_seed(run)
        seen, unseen = digits(run, 1000)
        net = CNN(CNNConfig(input_shape=(1, 8, 8), output_size=10))
        train(net, seen, run, num_steps, 0.05)
        right = share_right(net, unseen)
        for (layer, side), index in MAPS.items():
            maps = net.layers[: index + 1](unseen.inputs[:num_images])
            for size in WINDOWS:
                where = {"seed": run, "right": right, "layer": layer, "relu": side, "window": size}
                rows.append({**where, **look(maps, size)})
    return rows


def mean(rows: Sequence[dict], field: str) -> float:
    return sum(row[field] for row in rows) / len(rows)


def judge(rows: Rows) -> Judgement:
    claimed = [row for row in rows if row["window"] == 2]
    behind = [row for row in rows if row["relu"] == "behind"]
    plain, overlapping = ([row for row in behind if row["window"] == size] for size in WINDOWS)
    equal = mean(plain, "equal") / (1 - mean(plain, "kept"))
    exact = sum((row["kept"], row["fewest"], row["most"]) == (KEPT, 1, 1) for row in claimed)
    because = (
        f"in {exact} of {len(claimed)} layers every 2×2 window keeps one of its four activations (nets that "
        f"get {min(row['right'] for row in rows):.1%} or more of unseen digits right); behind a ReLU "
        f"{equal:.0%} of those discarded equal the one that is kept; overlapping 3×3 windows keep "
        f"{mean(overlapping, 'kept'):.1%} of all"
    )
    if exact < len(claimed):
        return Judgement(Verdict.FAILS, because)
    told_apart = all(row["kept"] + row["equal"] < 1 for row in claimed)  # not a tie in every window
    return Judgement(Verdict.HOLDS if told_apart else Verdict.UNDECIDED, because)


def draw(axes, rows: Rows) -> None:
    bars = [(layer, side, size) for size in WINDOWS for layer, side in MAPS]
    bottom = [0.0] * len(bars)
    for part, label in (("kept", "kept"), ("equal", "discarded, equal to a maximum")):
        heights = []
        for layer, side, size in bars:
            fields = {"layer": layer, "relu": side, "window": size}
            heights.append(mean([row for row in rows if fields.items() <= row.items()], part))
        axes.bar(range(len(bars)), heights, bottom=bottom, label=label)
        bottom = [below + height for below, height in zip(bottom, heights, strict=True)]
    rest = [1 - below for below in bottom]
    axes.bar(range(len(bars)), rest, bottom=bottom, label="discarded, smaller", color="lightgrey")
    axes.axhline(KEPT, color="grey", linestyle="--", label="a quarter")
    names = [f"{size}×{size}\nlayer {layer}\n{side}" for layer, side, size in bars]
    axes.set_xticks(range(len(bars)), names, fontsize="small")
    axes.set(
        xlabel="window with stride 2, before or behind the ReLU",
        ylabel="share of the activations",
        ylim=(0, 1.3),
    )
    axes.legend(fontsize="small", loc="upper center", ncol=2)
