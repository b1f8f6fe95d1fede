"""shared-over-positions: are the positions of a Transformer distinguished by their position vectors alone?

By computation, in double precision: a feed-forward net gives each position what it would give it anywhere
else, and so does self-attention, whose outputs are reordered when its inputs are. So is a whole encoder
without positions; with them it must not be. The number of weights does not depend on the length either.

By training: strings are to be reversed by a Transformer with positions, and by one whose position vectors
are all zero. The latter's encoder knows which symbols there are, and not where. What could be right without
any order is given too: the most that is right on average for someone who knows how often each symbol
occurs and cannot distinguish the positions.

Source: Vaswani et al., 1706.03762, sections 3.3 and 3.5.
"""

from collections.abc import Callable
from functools import partial
from statistics import mean, median
from typing import Any

import torch
from torch import Tensor, nn

from anncestry.arrays import Float
from anncestry.claims.common.claim import Judgement, Rows, Verdict
from anncestry.claims.common.toy_strings import (
    VOCABULARY,
    num_parameters,
    share_right,
    strings,
    strings_of,
    train,
    transformer,
)

WITH, WITHOUT = "with positions", "without"
ROUNDING, VISIBLE = 1e-12, 1e-6  # of the largest value, in double precision
RIGHT = 0.95


class Nowhere(nn.Module):
    """Position vectors of zeros, which nothing fills again."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, start: int, num_positions: int) -> Float[Tensor, "P D"]:
        return torch.zeros(num_positions, self.width)


def take_positions_away(model) -> None:
    """All position vectors zero, of sources and of targets."""
    for name in ("source_positions", "positions"):
        setattr(model, name, Nowhere(getattr(model, name).width))


def encoded(model, tokens: Tensor) -> Float[Tensor, "N S D"]:
    return model.read(tokens)


def moved(part: Callable[[Tensor], Tensor], x: Tensor, order: Tensor) -> float:
    """How far the output of reordered positions is from the reordered output, over the largest value."""
    with torch.no_grad():
        after, before = part(x[:, order]), part(x)[:, order]
    return ((after - before).abs().max() / before.abs().max()).item()


def symmetry(seed: int, length: int) -> Rows:
    """What reordering does to each part of an untrained net."""
    rows: Rows = []
    for net in (WITH, WITHOUT):
        model = transformer(length, seed).double()
        if net == WITHOUT:
            take_positions_away(model)
        order = torch.randperm(length)
        tokens = torch.randint(4, VOCABULARY, (8, length))
        x = torch.randn(8, length, model.config.hidden_size, dtype=torch.float64)
        block: Any = model.encoder[0]  # pyright: ignore
        parts = {"encoder": moved(partial(encoded, model), tokens, order)}
        if net == WITHOUT:
            parts |= {"feed-forward": moved(block.feed_forward, x, order)}
            parts |= {"self-attention": moved(block.attention, x, order)}
        rows += [{"net": net, "part": part, "seed": seed, "apart": apart} for part, apart in parts.items()]
    return rows


def best_without_order(source: Tensor) -> float:
    """The share at its position of the best constant guess for strings whose symbols alone are known."""
    return mean(torch.bincount(row).max().item() / len(row) for row in source)


def measure(seed: int, num_seeds: int = 2, length: int = 6, num_steps: int = 500, count: int = 300) -> Rows:
    rows: Rows = []
    for run in range(seed, seed + num_seeds):
        torch.manual_seed(run)
        rows += symmetry(run, 2 * length)
        sizes = {num_parameters(transformer(longest, run)) for longest in (length, 8 * length)}
        for net in (WITH, WITHOUT):
            model = transformer(length, run)
            if net == WITHOUT:
                take_positions_away(model)
            losses = train(model, strings_of(length, "reverse", run), num_steps, 5e-3)
            unseen = strings(count, length, "reverse", torch.Generator().manual_seed(1000 + run))
            seen = {"net": net, "part": "trained", "seed": run, "steps": num_steps, "sizes": len(sizes)}
            figures = {"right": share_right(model, unseen), "guess": best_without_order(unseen.inputs)}
            rows.append({**seen, **figures, "losses": losses[9::10]})
    return rows


def judge(rows: Rows) -> Judgement:
    same = max(row["apart"] for row in rows if row["net"] == WITHOUT and "apart" in row)
    apart = min(row["apart"] for row in rows if row["net"] == WITH and "apart" in row)
    trained = [row for row in rows if row["part"] == "trained"]
    right = {net: [row["right"] for row in trained if row["net"] == net] for net in (WITH, WITHOUT)}
    guess = mean(row["guess"] for row in trained)
    shown = {net: ", ".join(f"{value:.3f}" for value in values) for net, values in right.items()}
    because = (
        f"outputs of reordered positions are the reordered outputs of feed-forward net, self-attention and "
        f"encoder up to {same:.1e} of the largest value without positions, and {apart:.1e} or more away from "
        f"them with position vectors; symbols at their position after {trained[0]['steps']} steps of "
        "reversing: "
        f"{shown[WITH]} with positions, {shown[WITHOUT]} without, where {guess:.3f} can be had with no order"
    )
    if (
        same > VISIBLE
        or median(right[WITHOUT]) >= median(right[WITH])
        or max(row["sizes"] for row in trained) > 1
    ):
        return Judgement(Verdict.FAILS, because)
    clear = same <= ROUNDING and apart > VISIBLE and min(right[WITH]) >= RIGHT
    lost = max(right[WITHOUT]) <= (1 + guess) / 2
    return Judgement(Verdict.HOLDS if clear and lost else Verdict.UNDECIDED, because)


def draw(axes, rows: Rows) -> None:
    for net, colour in zip((WITH, WITHOUT), ("C0", "C1"), strict=True):
        mine = [row for row in rows if row["net"] == net and row["part"] == "trained"]
        generated = median(row["right"] for row in mine)
        for number, row in enumerate(mine):
            steps = [10 * (index + 1) for index in range(len(row["losses"]))]
            label = f"{net}: generates {generated:.0%} right" if number == 0 else None
            axes.plot(steps, row["losses"], color=colour, label=label, alpha=0.7)
    axes.set(xlabel="steps", ylabel="training loss (nats)")
    axes.legend(title="a curve for each seed")
