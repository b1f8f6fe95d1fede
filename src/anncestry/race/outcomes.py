"""How a score comes about from the test rows, small enough to keep: one number for each row or block of rows.

An objective adds sums over rows and turns them into figures, so the figure without a block is known. From it
follows the block's pseudo-value, B x whole - (B - 1) x without it (Tukey's jackknife): right or wrong for
accuracy, and for any other figure what the block contributes. Their mean is the figure, their spread tells
how much other rows would have changed it, and two entrants can be compared row by row.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from anncestry.arrays import Float, Tensor
from anncestry.data.splits.dataset import Examples
from anncestry.objectives import Objective
from anncestry.objectives.scoring import tally_split

MOST = 1000  # blocks; rows of a larger split share one


@dataclass(frozen=True)
class Scored:
    """The figures of a split, with what they come from.

    Attributes:
        metrics: by name.
        sums: (B, S) of each block of rows, in an order that is the same for everybody; None where not known.
        figures: makes figures of added sums.
    """

    metrics: dict[str, float]
    sums: Float[Tensor, "B S"] | None = None
    figures: Callable[[Tensor], dict[str, float]] | None = None

    def rows(self, metric: str) -> str:
        """The pseudo-values of a figure as `rows_of` reads them; empty where they are not known."""
        if self.sums is None or self.figures is None or len(self.sums) < 2 or not self._has(metric):
            return ""
        count, whole = len(self.sums), self.sums.sum(0)
        without = np.array([self.figures(whole - block)[metric] for block in self.sums])
        values = count * self.figures(whole)[metric] - (count - 1) * without
        return base64.b64encode(values.astype("<f4").tobytes()).decode() if np.isfinite(values).all() else ""

    def _has(self, metric: str) -> bool:
        assert self.sums is not None
        assert self.figures is not None
        return metric in self.figures(self.sums.sum(0))


def rows_of(text: str) -> np.ndarray | None:
    """What `Scored.rows` wrote; None for nothing."""
    return np.frombuffer(base64.b64decode(text), "<f4").astype(np.float64) if text else None


def sums_of_outputs(objective: Objective, outputs: Tensor, split: Examples) -> Float[Tensor, "B S"]:
    """The sums of every block for outputs in the order of the split."""
    blocks = _Blocks(objective, split)
    for rows in split.unshuffled().split(split.scored_batch):
        blocks.append((outputs[rows], split.targets[rows]))
    return blocks.folded()


def sums_of_model(model: nn.Module, objective: Objective, split: Any) -> Float[Tensor, "B S"] | None:
    """The sums of every block; None for a model whose outputs are not one for each row."""
    blocks = _Blocks(objective, split)
    tally_split(model, split, objective, split.scored_batch, kept=blocks)
    return blocks.folded() if blocks.whole else None


class _Blocks(list):
    """Takes outputs and targets batch by batch and holds the sums of their blocks."""

    def __init__(self, objective: Objective, split: Any) -> None:
        super().__init__()
        self.objective, self.whole = objective, True
        size = split.scored_batch
        self.size = -(-split.num_batches(size) * size // MOST)

    def append(self, batch: tuple[Tensor, Tensor]) -> None:
        outputs, targets = batch
        self.whole = self.whole and len(outputs) == len(targets)
        if self.whole:
            pieces = zip(outputs.split(self.size), targets.split(self.size), strict=True)
            self.extend(self.objective.tally(*piece) for piece in pieces)

    def folded(self) -> Float[Tensor, "B S"]:
        sums = torch.stack(list(self))
        return fold(sums)


def fold(sums: Float[Tensor, "N S"]) -> Float[Tensor, "B S"]:
    """Neighbours added up, so that there are at most `MOST`."""
    size = -(-len(sums) // MOST)
    return torch.stack([part.sum(0) for part in sums.split(size)])


def scored_tokens(log_probabilities: np.ndarray, figures: Callable[[float], dict[str, float]]) -> Scored:
    """The score of a text from the log-probability of each of its tokens.

    Args:
        figures: makes figures of the mean loss in nats.
    """
    nats = torch.from_numpy(-np.asarray(log_probabilities, np.float64))
    sums = fold(torch.stack([nats, torch.ones_like(nats)], dim=1))
    return Scored(figures(nats.mean().item()), sums, lambda total: figures((total[0] / total[1]).item()))
