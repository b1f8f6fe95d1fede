"""The objective of sequence-to-sequence generation: the log-likelihood of the target tokens."""

import math

import torch
from torch import nn

from anncestry.arrays import Float, Int, Tensor
from anncestry.objectives.base import Objective
from anncestry.protocols import IGNORED


class SequenceLikelihood(Objective):
    """Cross-entropy over the target tokens, their ends among them; perplexity and accuracy.

    Each token is scored after the true ones before it. Figures are in nats for a token and without label
    smoothing, whatever is trained with.

    Args:
        vocab_size: V.
        smoothing: the share of probability that training asks to be spread evenly over all tokens (label
            smoothing; Szegedy et al., 1512.00567).
    """

    primary = "perplexity"
    figures = ("perplexity", "loss", "accuracy")

    def __init__(self, vocab_size: int, smoothing: float = 0.0) -> None:
        self.vocab_size, self.smoothing = vocab_size, smoothing

    def loss(self, outputs: Float[Tensor, "B T V"], targets: Int[Tensor, "B T"]) -> Tensor:
        return self._cross_entropy(outputs, targets, self.smoothing)

    def _cross_entropy(self, outputs: Tensor, targets: Tensor, smoothing: float) -> Tensor:
        return nn.functional.cross_entropy(
            outputs.flatten(0, 1),
            targets.flatten(),
            reduction="sum",
            ignore_index=IGNORED,
            label_smoothing=smoothing,
        )

    def count(self, targets: Tensor) -> int:
        return int((targets != IGNORED).sum())

    def tally(self, outputs: Tensor, targets: Tensor, loss: Tensor | None = None) -> Tensor:
        """Log-likelihood, count and right tokens; ``loss`` is only used where it is not smoothed."""
        if loss is None or self.smoothing:
            loss = self._cross_entropy(outputs, targets, 0.0)
        inside = targets != IGNORED
        correct = ((outputs.argmax(-1) == targets) & inside).sum()
        return torch.stack([loss.detach().double(), inside.sum().double(), correct.double()])

    def metrics(self, sums: Tensor) -> dict[str, float]:
        loss, count, correct = sums.tolist()
        nats = loss / count
        return {"loss": nats, "perplexity": math.exp(min(nats, 700.0)), "accuracy": correct / count}

    def initial_loss(self) -> float | None:
        return math.log(self.vocab_size)
