"""bottleneck-savings: what do a 1x1 bottleneck and 1xF + Fx1 save of an FxF convolution, and at what price?

Instead of a 3x3 convolution from C to C channels: 1x1 to C/4, 3x3, 1x1 back to C, which is 17/144 of the
weights; instead of FxF: 1xF, then Fx1, which is 2/F. The weights are counted on the layers (normalisation
and its shifts left out) and the FLOPs by PyTorch's counter. The price is measured on handwritten digits:
nets that differ in these layers alone, each with a shortcut around it as bottlenecks have since the ResNet,
get the same few images, steps and optimizer. A few hundred images, so that there are mistakes left to make;
the gaps are those of pairs with the same seed. The verdict is that of the widest nets, which are nearest to
the hundreds of channels that the papers speak of: a quarter of few channels is too few. (At a learning rate
of 0.1, usual for such nets, the widest do not even fit what they are shown within these steps; hence 0.02.)

Sources: He et al., "Deep residual learning for image recognition", 1512.03385, section 4.1 (bottlenecks);
Szegedy et al., "Rethinking the Inception architecture", 1512.00567, section 3.2 (1xn, then nx1).
"""

from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from statistics import median

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from anncestry.claims.common.claim import Judgement, Rows, Verdict
from anncestry.claims.common.digits import digits, share_right, train

FULL, BOTTLENECK, FACTORISED = KINDS = ("F×F", "bottleneck", "1×F + F×1")
NARROW = 4  # a bottleneck has a quarter of the channels
LITTLE = 0.01  # the share of the test images that counts as a small price


def convolution(in_channels: int, out_channels: int, height: int, width: int) -> list[nn.Module]:
    """``CONV -> BN -> ReLU``; the image's size is kept."""
    kernel, padding = (height, width), (height // 2, width // 2)
    return [
        nn.Conv2d(in_channels, out_channels, kernel, padding=padding, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
    ]


def layers(kind: str, C: int, F: int = 3) -> list[nn.Module]:
    """A layer from C to C channels, or what replaces it."""
    match kind:
        case "bottleneck":
            narrow = C // NARROW
            ends = convolution(C, narrow, 1, 1), convolution(narrow, C, 1, 1)
            return [*ends[0], *convolution(narrow, narrow, F, F), *ends[1]]
        case "1×F + F×1":
            return [*convolution(C, C, 1, F), *convolution(C, C, F, 1)]
        case _:
            return convolution(C, C, F, F)


def factor(kind: str, F: int) -> Fraction:
    """The share of an FxF convolution's weights, as the papers have it."""
    if kind == BOTTLENECK:
        return (Fraction(2, NARROW) + Fraction(F**2, NARROW**2)) / F**2
    return Fraction(2, F) if kind == FACTORISED else Fraction(1)


def count(kind: str, C: int, F: int, image_size: int) -> dict[str, int]:
    """Weights of the convolutions, and FLOPs for one image; shapes are enough."""
    with torch.device("meta"):
        block = nn.Sequential(*layers(kind, C, F)).eval()
        with FlopCounterMode(display=False) as counter:
            block(torch.empty(1, C, image_size, image_size))
    weights = sum(parameter.numel() for parameter in block.parameters() if parameter.dim() == 4)
    return {"weights": weights, "flops": counter.get_total_flops()}


class Shortcut(nn.Sequential):
    """``x + F(x)``."""

    def forward(self, x: Tensor) -> Tensor:
        return x + super().forward(x)


def accuracy(kind: str, seed: int, channels: int, num_train: int, num_steps: int) -> dict[str, float]:
    """Train a net with two layers of that kind; the share of unseen digits that it gets right."""
    torch.manual_seed(seed)
    seen, unseen = digits(seed, num_train)
    body = [Shortcut(*layers(kind, channels)), nn.MaxPool2d(2), Shortcut(*layers(kind, channels))]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10)]
    net = nn.Sequential(*convolution(1, channels, 3, 3), *body, *head)
    train(net, seen, seed, num_steps, 0.02)
    parameters = sum(parameter.numel() for parameter in net.parameters())
    return {"right": share_right(net, unseen), "parameters": parameters}


def measure(
    seed: int,
    widths: Sequence[int] = (64, 256),
    kernel_sizes: Sequence[int] = (3, 5, 7),
    num_seeds: int = 3,
    channels: Sequence[int] = (16, 32, 64),
    num_train: int = 300,
    num_steps: int = 200,
) -> Rows:
    rows: Rows = [
        {"kind": kind, "C": C, "F": F, **count(kind, C, F, 14)}
        for kind, C, F in product(KINDS, widths, kernel_sizes)
    ]
    return rows + [
        {"kind": kind, "channels": C, "seed": run, **accuracy(kind, run, C, num_train, num_steps)}
        for kind, C, run in product(KINDS, channels, range(seed, seed + num_seeds))
    ]


def gaps(rows: Rows, kind: str, channels: int) -> list[float]:
    """Share right of the net with full convolutions, less that of the cheaper one of the same seed."""
    chosen = [row for row in rows if row.get("channels") == channels]
    right = {(row["kind"], row["seed"]): row["right"] for row in chosen}
    return [right[FULL, seed] - value for (name, seed), value in right.items() if name == kind]


def judge(rows: Rows) -> Judgement:
    counted = [row for row in rows if "C" in row]
    full = {(row["C"], row["F"]): row for row in counted if row["kind"] == FULL}
    exact = 0
    for row in counted:
        whole, expected = full[row["C"], row["F"]], factor(row["kind"], row["F"])
        exact += all(Fraction(row[part], whole[part]) == expected for part in ("weights", "flops"))
    widest = max(row["C"] for row in counted)
    weights = {row["kind"]: row["weights"] for row in counted if (row["C"], row["F"]) == (widest, 3)}
    trained = sorted({row["channels"] for row in rows if "channels" in row})
    price = {kind: gaps(rows, kind, trained[-1]) for kind in (BOTTLENECK, FACTORISED)}
    lost = {
        kind: ", ".join(f"{100 * median(gaps(rows, kind, C)):.1f}" for C in trained)
        for kind in (BOTTLENECK, FACTORISED)
    }
    because = (
        f"instead of 3×3 with {weights[FULL]} weights at {widest} channels a bottleneck has "
        f"{weights[BOTTLENECK]} "
        f"({weights[FULL] / weights[BOTTLENECK]:.2f} times fewer) and 1×3 + 3×1 {weights[FACTORISED]} "
        f"({weights[FULL] / weights[FACTORISED]:.2f} times); {exact} of {len(counted)} layers have "
        "exactly the "
        f"factor of the formula in weights and FLOPs; of unseen digits, at {', '.join(map(str, trained))} "
        f"channels, the bottleneck gets {lost[BOTTLENECK]} points less right than 3×3, and 1×3 + 3×1 "
        f"{lost[FACTORISED]} (medians; up to {100 * LITTLE:.0f} counts as little)"
    )
    if exact < len(counted) or any(min(found) > LITTLE for found in price.values()):
        return Judgement(Verdict.FAILS, because)
    cheap = all(median(found) <= LITTLE for found in price.values())
    return Judgement(Verdict.HOLDS if cheap else Verdict.UNDECIDED, because)


def draw(axes, rows: Rows) -> None:
    for number, kind in enumerate(KINDS):
        chosen = [row for row in rows if row["kind"] == kind and "seed" in row]
        sizes = sorted({row["parameters"] for row in chosen})
        middle = [median(row["right"] for row in chosen if row["parameters"] == size) for size in sizes]
        parameters, right = ([row[field] for row in chosen] for field in ("parameters", "right"))
        axes.plot(parameters, right, "o", color=f"C{number}", alpha=0.4)
        axes.plot(sizes, middle, color=f"C{number}", label=kind)
    channels = sorted({row["channels"] for row in rows if "channels" in row})
    axes.set(
        xlabel=f"parameters of nets with {', '.join(map(str, channels))} channels",
        ylabel="share of unseen digits that is right",
        xscale="log",
    )
    axes.legend(title="convolutions (F = 3); medians")
