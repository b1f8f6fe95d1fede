"""densenet-vs-resnet: does a DenseNet reach a ResNet's accuracy with fewer parameters?

Nets of both families, of two and of three stages and several widths each, get the same images, steps,
optimizer and learning rate. The smallest DenseNet that comes within a point of the best ResNet of its seed is
held against the smallest ResNet that does; a family may choose its number of stages, since the channels of a
ResNet double with each. What it is with a given number of stages is given with the verdict.

As they are, the embedded digits (8, 8) are too easy: a small CNN gets 97 to 99 % of them right within 200
steps. So each is put anywhere in an image (10, 10) and covered with noise, anew each time it is shown, and a
third of all images is there to learn from.

These are a few hundred steps on small images: what learns faster has an advantage here that 300 epochs would
take away. At four times the steps (``num_steps``), tried with one seed, the families were closer together.

Source: Huang, Liu, van der Maaten & Weinberger, "Densely connected convolutional networks", 1608.06993,
section 5.1 and figure 4 (there a third of the parameters of a ResNet on CIFAR-10).
"""

import math
from collections.abc import Sequence
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from anncestry.claims.common.claim import Judgement, Rows, Verdict
from anncestry.claims.common.digits import digits, share_right, train
from anncestry.data.splits.dataset import Examples
from anncestry.models.create import create

SIDE = 10  # of an image, whose digit has 8 pixels
NOISE = 0.5  # standard deviations of the pixels
WITHIN = 0.01  # the share of the test images that may be missing to the best ResNet
DEPTHS = ((2, 2), (2, 2, 2))  # blocks of each stage
WIDTHS = {"ResNet": (6, 10, 16), "DenseNet": (6, 10, 16)}


def scattered(images: Tensor, random: torch.Generator) -> Tensor:
    """Each image (1, 8, 8) somewhere in one of (1, 10, 10) with noise over all of it."""
    count, side = len(images), images.shape[-1]
    corners = torch.arange(side) + torch.randint(SIDE - side + 1, (2, count, 1), generator=random)
    rows, columns = corners[0].unsqueeze(2), corners[1].unsqueeze(1)
    larger = images.new_full((count, 1, SIDE, SIDE), images.min().item())
    larger[torch.arange(count).view(-1, 1, 1), 0, rows, columns] = images[:, 0]
    return larger + NOISE * torch.randn(larger.shape, generator=random)


def build(family: str, blocks: tuple[int, ...], width: int) -> nn.Module:
    """A net of the shape that its paper gives it for small images, with so many blocks in each stage."""
    sizes: dict[str, Any] = {"input_shape": (1, SIDE, SIDE), "output_size": 10, "stem": "cifar"}
    if family == "ResNet":
        return create("resnet", **sizes, blocks=blocks, channels=width, shortcut="A")
    return create("densenet", **sizes, blocks=blocks, growth_rate=width, stem_channels=2 * width)


def measure(
    seed: int,
    num_seeds: int = 3,
    num_steps: int = 250,
    num_train: int = 600,
    depths: Sequence[tuple[int, ...]] = DEPTHS,
    num_widths: int = 3,
) -> Rows:
    rows: Rows = []
    for run in range(seed, seed + num_seeds):
        seen, unseen = digits(run, num_train)
        hidden = torch.Generator().manual_seed(1000 + run)
        unseen = Examples(scattered(unseen.inputs, hidden), unseen.targets)
        for family, widths in WIDTHS.items():
            for blocks in depths:
                for width in widths[:num_widths]:
                    torch.manual_seed(run)
                    net = build(family, blocks, width)
                    train(net, seen, run, num_steps, 0.1, scattered)
                    sizes = {"family": family, "blocks": "-".join(map(str, blocks)), "width": width}
                    parameters = sum(parameter.numel() for parameter in net.parameters())
                    right = share_right(net, unseen)
                    rows.append({**sizes, "seed": run, "parameters": parameters, "right": right})
    return rows


def needed(rows: Rows) -> list[dict[str, float]]:
    """For each seed: the best ResNet's share, and of each family the smallest number of parameters that comes
    near it; infinity where none does."""
    found = []
    for seed in sorted({row["seed"] for row in rows}):
        here = [row for row in rows if row["seed"] == seed]
        best = max(row["right"] for row in here if row["family"] == "ResNet")
        near = [row for row in here if row["right"] >= best - WITHIN]
        smallest = {
            family: min((row["parameters"] for row in near if row["family"] == family), default=math.inf)
            for family in WIDTHS
        }
        found.append({"best": best, **smallest})
    return found


def _counts(found: list[dict[str, float]]) -> str:
    """The parameters needed, seed by seed."""
    words = []
    for family in WIDTHS:
        counts = ["none" if seed[family] == math.inf else f"{seed[family]:,}" for seed in found]
        words.append(f"{family} {' | '.join(counts)}")
    return ", ".join(words)


def judge(rows: Rows) -> Judgement:
    found = needed(rows)
    dense, residual = ([seed[family] for seed in found] for family in ("DenseNet", "ResNet"))
    grid = {family: [row["parameters"] for row in rows if row["family"] == family] for family in WIDTHS}
    shapes = sorted({row["blocks"] for row in rows})
    phrases = "; ".join(
        f"of blocks {blocks} alone, {_counts(needed([row for row in rows if row['blocks'] == blocks]))}"
        for blocks in shapes
    )
    because = (
        f"the best ResNet gets {median(seed['best'] for seed in found):.1%} right (median of {len(found)} "
        f"seeds); parameters of the smallest net within {100 * WITHIN:.0f} point of it, seed by seed: "
        f"{_counts(found)}; {phrases}"
    )
    # Where the smallest net of a grid is good enough, a smaller one might be.
    too_easy = any(seed[family] == min(grid[family]) for seed in found for family in WIDTHS)
    # Where no DenseNet is good enough, it would need more than the largest has.
    at_least = [min(count, max(grid["DenseNet"])) for count in dense]
    if too_easy:
        return Judgement(Verdict.UNDECIDED, because)
    if max(dense) < min(residual):
        return Judgement(Verdict.HOLDS, because)
    return Judgement(Verdict.FAILS if min(at_least) >= max(residual) else Verdict.UNDECIDED, because)


def draw(axes, rows: Rows) -> None:
    kinds = dict.fromkeys((row["family"], row["blocks"]) for row in rows)
    for number, (family, blocks) in enumerate(kinds):
        chosen = [row for row in rows if (row["family"], row["blocks"]) == (family, blocks)]
        colour, line = ("C0" if family == "ResNet" else "C1"), ("-", "--")[number % 2]
        axes.plot(
            [row["parameters"] for row in chosen],
            [row["right"] for row in chosen],
            "o",
            color=colour,
            alpha=0.4,
        )
        sizes = sorted({row["parameters"] for row in chosen})
        middle = [median(row["right"] for row in chosen if row["parameters"] == size) for size in sizes]
        axes.plot(sizes, middle, line, color=colour, label=f"{family}, blocks {blocks}")
    axes.set(xlabel="parameters", ylabel="share of unseen digits that is right", xscale="log")
    axes.legend(title="medians of the seeds")
