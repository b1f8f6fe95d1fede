"""Which weights a run keeps: those of its best evaluation, or the mean of those at its last ones."""

import math
from collections.abc import Mapping
from typing import Any

from torch import nn

from anncestry.arrays import Tensor
from anncestry.objectives import Objective

Weights = dict[str, Tensor]


class Selection:
    """The evaluations of a run so far, and the weights that they selected.

    Attributes:
        metrics: of the last evaluation.
        best: of the best one.
        best_weights: the model's state then.
        kept: which evaluation that was, see `anncestry.training.outcome.Fit`.
        evaluations: how many there were.
        evaluations_since_best: how many of them since the best one.
        average: the mean of the weights at the last evaluations.
        averaged: how many evaluations that are.
    """

    def __init__(self, model: nn.Module, objective: Objective) -> None:
        self.model, self.objective = model, objective
        self.metrics: dict[str, float] = {}
        self.best: dict[str, float] = {}
        self.kept: dict[str, Any] = {}
        self.evaluations = self.evaluations_since_best = self.averaged = 0
        self.best_weights: Weights | None = None
        self.average: Weights | None = None

    def add(self, metrics: dict[str, float], position: dict[str, Any]) -> None:
        """Take in an evaluation of the weights as they are, and keep them where it is the best.

        Args:
            position: ``step``, ``epoch``, and whether the weights are ``averaged``.
        """
        self.metrics = metrics
        self.evaluations += 1
        if not self._improved():
            self.evaluations_since_best += 1
            return
        self.best = dict(metrics)
        self.best_weights = self._weights()
        by = self.objective.primary
        self.kept = {**position, "by": by, "value": self.best.get(by)}
        self.evaluations_since_best = 0

    def _improved(self) -> bool:
        finite = math.isfinite(self.metrics["loss"])
        return finite and (not self.best or self.objective.better(self.metrics, self.best))

    def _weights(self) -> Weights:
        return {name: value.detach().clone() for name, value in self.model.state_dict().items()}

    def add_to_average(self) -> None:
        """Make the weights as they are part of the average."""
        self.averaged += 1
        if self.average is None:
            self.average = self._weights()
            return
        for name, value in self._weights().items():
            if value.is_floating_point():
                self.average[name] += (value - self.average[name]) / self.averaged

    def forget_average(self) -> None:
        """Begin the average anew."""
        self.average, self.averaged = None, 0

    def progress(self) -> dict[str, Any]:
        """What a snapshot keeps besides tensors; all of it is JSON."""
        return {name: getattr(self, name) for name in _KEPT}

    def restore(
        self, progress: Mapping[str, Any], best_weights: Weights | None, average: Weights | None
    ) -> None:
        """Go back to what a snapshot kept."""
        for name in _KEPT:
            setattr(self, name, progress.get(name, getattr(self, name)))
        self.best_weights, self.average = best_weights, average


_KEPT = ("metrics", "best", "kept", "evaluations", "evaluations_since_best", "averaged")
