"""perceptron-convergence: are the perceptron's mistakes on separable data at most (R/gamma)^2, in any order?

A unit vector u is planted and points of norm 1 are drawn whose margin y (u · [x, 1]) is at least what is
asked. The perceptron sees them again and again until it makes no mistake, in three orders: shuffled anew in
every pass, all of one class before the other, and always the point it gets most wrong. The bias is the weight
of a constant feature, so R and gamma are those of the extended points [x, 1].

Source: Novikoff, "On convergence proofs on perceptrons", Symposium on the Mathematical Theory of Automata
(1962).
"""

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from anncestry.claims.common.claim import Judgement, Rows, Verdict
from anncestry.models.perceptron import Perceptron, PerceptronConfig

BIAS = 0.2  # of the planted separator: the last entry of the unit vector u


def separable(
    dim: int, margin: float, count: int, random: torch.Generator
) -> tuple[Tensor, Tensor, float, float]:
    """Points on the unit sphere that a planted vector separates.

    Returns:
        ``(inputs, targets, R, gamma)``: inputs (N, D), targets (N,) of 0 and 1; the largest norm of an
        extended point, and the smallest margin that the planted vector leaves.
    """
    planted = torch.randn(dim, generator=random, dtype=torch.float64)
    planted *= math.sqrt(1 - BIAS**2) / planted.norm()
    found = torch.empty(0, dim, dtype=torch.float64)
    while len(found) < count:
        points = torch.randn(20_000, dim, generator=random, dtype=torch.float64)
        points /= points.norm(dim=1, keepdim=True)
        found = torch.cat([found, points[(points @ planted + BIAS).abs() >= margin]])
    inputs = found[:count]
    scores = inputs @ planted + BIAS
    R = (inputs.square().sum(1) + 1).sqrt().max().item()
    return inputs, (scores > 0).long(), R, scores.abs().min().item()


def signed_scores(model: Perceptron, inputs: Tensor, targets: Tensor) -> Tensor:
    """By how much each point's own class beats the other one (N,); a mistake is 0 or less."""
    outputs = model(inputs)
    return (2 * targets - 1) * (outputs[:, 1] - outputs[:, 0])


def shuffled(model: Perceptron, inputs: Tensor, targets: Tensor, random: torch.Generator) -> Iterator[Tensor]:
    """A new order in every pass."""
    while True:
        yield torch.randperm(len(inputs), generator=random)


def by_class(model: Perceptron, inputs: Tensor, targets: Tensor, random: torch.Generator) -> Iterator[Tensor]:
    """All of class 0, then all of class 1, in every pass."""
    while True:
        yield targets.argsort(stable=True)


def worst_first(
    model: Perceptron, inputs: Tensor, targets: Tensor, random: torch.Generator
) -> Iterator[Tensor]:
    """The one point with the worst score by the weights of the moment; once it is right, a pass over all."""
    while True:
        scores = signed_scores(model, inputs, targets)
        worst = scores.argmin()
        yield worst.unsqueeze(0) if scores[worst] <= 0 else torch.arange(len(inputs))


ORDERS: dict[str, Callable[..., Iterator[Tensor]]] = {
    "shuffled": shuffled,
    "by class": by_class,
    "worst first": worst_first,
}


def mistakes_until_clean(
    inputs: Tensor, targets: Tensor, order: str, random: torch.Generator, give_up: int
) -> tuple[int, bool]:
    """Mistakes in all, and whether they ended, every point on its own side, after at most ``give_up``."""
    model = Perceptron(PerceptronConfig(input_shape=tuple(inputs.shape[1:]), output_size=2)).double()
    for rows in ORDERS[order](model, inputs, targets, random):
        before = int(model.mistakes)
        model.learn(inputs[rows], targets[rows])
        if int(model.mistakes) == before:
            # Its own count is not believed alone: a unit that never finds a mistake would pass for perfect.
            separated = signed_scores(model, inputs, targets) > 0
            return before, bool(separated.all())
        if int(model.mistakes) > give_up:
            break
    return int(model.mistakes), False


def measure(
    seed: int,
    dims: Sequence[int] = (2, 10, 50),
    margins: Sequence[float] = (0.3, 0.1, 0.03, 0.01),
    num_seeds: int = 3,
    count: int = 200,
) -> Rows:
    rows: Rows = []
    for dim in dims:
        for margin in margins:
            for run in range(seed, seed + num_seeds):
                random = torch.Generator().manual_seed(run)
                inputs, targets, R, gamma = separable(dim, margin, count, random)
                bound = (R / gamma) ** 2
                for order in ORDERS:
                    mistakes, ended = mistakes_until_clean(inputs, targets, order, random, int(bound))
                    setting = {"dim": dim, "margin": margin, "seed": run, "order": order}
                    found = {"R": R, "gamma": gamma, "bound": bound, "mistakes": mistakes, "ended": ended}
                    rows.append({**setting, **found})
    return rows


def judge(rows: Rows) -> Judgement:
    over = sum(row["mistakes"] > row["bound"] for row in rows)
    closest = max(rows, key=lambda row: row["mistakes"] / row["bound"])
    because = (
        f"{len(rows) - over} of {len(rows)} runs stayed within the bound; the closest made "
        f"{closest['mistakes']} mistakes where {closest['bound']:.0f} are allowed (dimension "
        f"{closest['dim']}, gamma {closest['gamma']:.3f}, {closest['order']})"
    )
    if over:
        return Judgement(Verdict.FAILS, because)
    return Judgement(Verdict.HOLDS if all(row["ended"] for row in rows) else Verdict.UNDECIDED, because)


def draw(axes, rows: Rows) -> None:
    for order, marker in zip(ORDERS, ("o", "s", "^"), strict=True):
        chosen = [row for row in rows if row["order"] == order]
        bounds, mistakes = [row["bound"] for row in chosen], [row["mistakes"] for row in chosen]
        axes.plot(bounds, mistakes, marker, label=order, alpha=0.6)
    bounds = sorted(row["bound"] for row in rows)
    axes.plot(bounds, bounds, color="grey", linestyle="--", label="(R/gamma)$^2$")
    axes.set(xlabel="bound (R/gamma)$^2$", ylabel="mistakes in all", xscale="log", yscale="log")
    axes.legend()
