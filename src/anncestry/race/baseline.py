"""What a baseline is, and how its outputs are evaluated: by the objective of the networks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anncestry.data.splits.dataset import Dataset, Examples
from anncestry.objectives import objective_of
from anncestry.race.outcomes import Scored, sums_of_outputs

MAX_TREE_VALUES = 8e6  # rows x features of boosted trees
MAX_TREE_WORK = 2e5  # features x classes x iterations of boosted trees
TREES: Any = {"early_stopping": False, "random_state": 0}
"""Settings of boosted trees."""


@dataclass(frozen=True)
class Baseline:
    """A way to predict without a network.

    Attributes:
        id, name: as the tables show them.
        about: what it does, in one sentence.
        score: data set -> (test metrics, note). The same split gives the same score.
    """

    id: str
    name: str
    about: str
    score: Callable[[Dataset], tuple[Scored, str]]


def flat(split) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (N, features) and targets (N,) or (N, K)."""
    assert isinstance(split, Examples)
    return split.inputs.flatten(1).numpy(), split.targets.numpy()


def scored(dataset: Dataset, outputs: np.ndarray) -> Scored:
    """Test metrics of outputs (N, K): log-probabilities of classes, or standardised target values."""
    return scored_outputs(dataset, torch.from_numpy(np.ascontiguousarray(outputs, np.float32)))


def scored_outputs(dataset: Dataset, outputs: Tensor) -> Scored:
    """Test metrics of outputs of the form that a network of the task has."""
    assert isinstance(dataset.test, Examples)
    objective, targets = objective_of(dataset), dataset.test.targets
    metrics = objective.metrics(objective.tally(outputs, targets))
    if objective.whole_figures:
        metrics |= objective.of_whole(outputs, targets)
    return Scored(metrics, sums_of_outputs(objective, outputs, dataset.test), objective.metrics)


def scored_classes(dataset: Dataset, classes: np.ndarray, probabilities: np.ndarray) -> Scored:
    """Test metrics of ``probabilities`` (N, seen classes); classes unseen in training get almost none."""
    everything = np.full((len(probabilities), dataset.signature.output_size), 1e-12)
    everything[:, classes] = np.clip(probabilities, 1e-12, 1.0)
    return scored(dataset, np.log(everything))


def tree_limits(inputs: np.ndarray, outputs: int) -> tuple[np.ndarray, int, str]:
    """Rows to learn from, boosting iterations, and a note where the data were cut."""
    num_rows, num_features = inputs.shape
    iterations = int(np.clip(MAX_TREE_WORK / (num_features * outputs), 10, 100))
    most = max(1000, int(MAX_TREE_VALUES / num_features))
    if num_rows <= most:
        return np.arange(num_rows), iterations, "" if iterations == 100 else f"{iterations} iterations"
    rows = np.random.default_rng(0).choice(num_rows, most, replace=False)
    return rows, iterations, f"{most:,} of {num_rows:,} training rows, {iterations} iterations"
