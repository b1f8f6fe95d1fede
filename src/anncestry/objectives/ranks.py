"""Figures of how scores order what is true before what is not; equal scores are in no order.

They are scikit-learn's, computed for each column by itself.
"""

import torch

from anncestry.arrays import Bool, Float, Tensor


def roc_auc(scores: Float[Tensor, "N K"], true: Bool[Tensor, "N K"]) -> Float[Tensor, "K"]:
    """The chance that something true has the higher score of the two, half a chance where they are equal.

    NaN where a column is all true or all false.
    """
    return torch.stack([_column_auc(*pair) for pair in zip(scores.T, true.T, strict=True)])


def _column_auc(scores: Tensor, true: Tensor) -> Tensor:
    _, place, counts = scores.double().unique(return_inverse=True, return_counts=True)
    rank = counts.cumsum(0) - (counts - 1) / 2  # the mean rank of equal scores, from 1
    num_true = true.sum().double()
    above = rank[place][true].sum() - num_true * (num_true + 1) / 2
    return above / (num_true * (~true).sum())  # 0 / 0 is NaN


def average_precision(scores: Float[Tensor, "N K"], true: Bool[Tensor, "N K"]) -> Float[Tensor, "K"]:
    """The mean precision over what is true, each taken with all that has no lower score.

    NaN where nothing is true.
    """
    return torch.stack([_column_precision(*pair) for pair in zip(scores.T, true.T, strict=True)])


def _column_precision(scores: Tensor, true: Tensor) -> Tensor:
    _, place, counts = (-scores.double()).unique(return_inverse=True, return_counts=True)
    found = torch.zeros(len(counts), dtype=torch.float64, device=true.device)
    found.index_add_(0, place, true.double())
    precision = found.cumsum(0) / counts.cumsum(0)
    return (precision * found).sum() / found.sum()


def defined_mean(figures: Tensor) -> float | None:
    """The mean of those that are no NaN; None where all are."""
    known = figures[figures.isfinite()]
    return known.mean().item() if len(known) else None
