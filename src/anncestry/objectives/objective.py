"""The objective of each task, and the simpler ones."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from anncestry.arrays import Float, Tensor
from anncestry.errors import require
from anncestry.objectives.base import Objective
from anncestry.objectives.bidirectional import BidirectionalLanguageModel
from anncestry.objectives.classes import Classification, MultiLabel
from anncestry.objectives.masked import MaskedLanguageModel, Span
from anncestry.objectives.reconstruction import Autoencoding
from anncestry.objectives.sequence import SequenceLikelihood
from anncestry.objectives.tagging import Tagging
from anncestry.protocols import IGNORED
from anncestry.signature import GENERATION_TASKS, Signature

MAJORITY = 0.75
"""From this share of the examples in one class on, accuracy does not select."""


class Regression(Objective):
    """Squared error over K standardised target values; root mean squared error, R^2 and correlation.

    R^2 is 1 minus the squared error over that of always answering the mean; Pearson's correlation is the mean
    over the K values. Errors are in standardised units (the training targets have mean 0 and deviation 1);
    ``target_scale`` (K,) turns them back.
    """

    primary = "rmse"
    figures = ("rmse", "loss", "mae", "r2", "pearson")

    def __init__(self, target_scale: tuple[float, ...] = (1.0,)) -> None:
        self.target_scale = torch.tensor(target_scale, dtype=torch.float64)

    def loss(self, outputs: Float[Tensor, "B K"], targets: Float[Tensor, "B K"]) -> Tensor:
        return (outputs - targets).square().sum() / targets.shape[1]

    def count(self, targets: Tensor) -> int:
        return targets.shape[0]

    def tally(self, outputs: Tensor, targets: Tensor, loss: Tensor | None = None) -> Tensor:
        loss = self.loss(outputs, targets) if loss is None else loss
        scale = self.target_scale.to(outputs.device)
        error = (outputs.detach() - targets).double() * scale
        truth, given = targets.double(), outputs.detach().double()
        scaled = truth * scale
        whole = torch.stack([
            loss.detach().double(),
            error.new_tensor(self.count(targets)),
            error.square().mean(1).sum(),
            error.abs().mean(1).sum(),
            scaled.mean(1).sum(),
            scaled.square().mean(1).sum(),
        ])  # fmt: skip
        moments = [given, truth, given.square(), truth.square(), given * truth]
        return torch.cat([whole, *(moment.sum(0) for moment in moments)])

    def metrics(self, sums: Tensor) -> dict[str, float]:
        loss, count, squared, absolute, total, total_squared = sums[:6].tolist()
        variance = total_squared / count - (total / count) ** 2
        r2 = 1 - squared / count / variance if variance > 0 else float("nan")
        given, truth, given_squared, truth_squared, product = (sums[6:] / count).view(5, -1)
        spread = (given_squared - given.square()) * (truth_squared - truth.square())
        # What does not vary has no correlation; of its variance rounding leaves a little.
        defined = spread > 1e-20
        pearson = torch.where(defined, (product - given * truth) / spread.abs().sqrt(), torch.nan).mean()
        return {
            "loss": loss / count,
            "rmse": math.sqrt(squared / count),
            "mae": absolute / count,
            "r2": r2,
            "pearson": pearson.item(),
        }

    def initial_loss(self) -> float | None:
        return None


class NextFrame(Objective):
    """Negative log-likelihood of the next frame of K bits, each an event of its own, in nats per frame.

    ``frame_accuracy`` is that of Bay et al. (2009): right / (right + invented + missed) over all bits.
    """

    primary = "nll"
    figures = ("nll", "loss", "frame_accuracy")

    def __init__(self, num_bits: int) -> None:
        self.num_bits = num_bits

    def loss(self, outputs: Float[Tensor, "B T K"], targets: Float[Tensor, "B T K"]) -> Tensor:
        inside = targets[..., 0] != IGNORED
        return nn.functional.binary_cross_entropy_with_logits(
            outputs[inside], targets[inside], reduction="sum"
        )

    def count(self, targets: Tensor) -> int:
        return int((targets[..., 0] != IGNORED).sum())

    def tally(self, outputs: Tensor, targets: Tensor, loss: Tensor | None = None) -> Tensor:
        loss = self.loss(outputs, targets) if loss is None else loss
        inside = targets[..., 0] != IGNORED
        given, true = outputs[inside] > 0, targets[inside] > 0.5
        sums = [loss.detach(), inside.sum(), (given & true).sum(), (given | true).sum()]
        return torch.stack([figure.double() for figure in sums])

    def metrics(self, sums: Tensor) -> dict[str, float]:
        loss, count, right, either = sums.tolist()
        return {"loss": loss / count, "nll": loss / count, "frame_accuracy": right / max(either, 1.0)}

    def initial_loss(self) -> float | None:
        return self.num_bits * math.log(2)


class LanguageModel(Objective):
    """Cross-entropy over the next token, in nats; perplexity and bits per token."""

    primary = "bits"
    figures = ("bits", "loss", "perplexity", "accuracy")

    def __init__(self, vocab_size: int) -> None:
        self.vocab_size = vocab_size

    def loss(self, outputs: Float[Tensor, "B T V"], targets: Tensor) -> Tensor:
        return nn.functional.cross_entropy(outputs.flatten(0, 1), targets.flatten(), reduction="sum")

    def count(self, targets: Tensor) -> int:
        return targets.numel()

    def tally(self, outputs: Tensor, targets: Tensor, loss: Tensor | None = None) -> Tensor:
        loss = self.loss(outputs, targets) if loss is None else loss
        correct = (outputs.argmax(-1) == targets).sum()
        return torch.stack(
            [loss.detach().double(), correct.new_tensor(self.count(targets)).double(), correct.double()]
        )

    def metrics(self, sums: Tensor) -> dict[str, float]:
        loss, count, correct = sums.tolist()
        nats = loss / count
        perplexity = math.exp(min(nats, 700.0))
        return {
            "loss": nats,
            "bits": nats / math.log(2),
            "perplexity": perplexity,
            "accuracy": correct / count,
        }

    def initial_loss(self) -> float | None:
        return math.log(self.vocab_size)


def objective_for(
    signature: Signature,
    target_scale: tuple[float, ...] | None = None,
    smoothing: float = 0.0,
    tags: Sequence[str] = (),
) -> Objective:
    """The objective of a task; `objective_of` where there are data.

    Args:
        target_scale: gives real-valued targets their unit back.
        smoothing: label smoothing of what is trained with.
        tags: the names of the tags of tagging: those of entities are scored by span.

    Raises:
        UserError: there is smoothing, and the targets are neither classes nor generated tokens.
    """
    fits = signature.task in ("classification", *GENERATION_TASKS)
    rule = f"is for classification and for {' and '.join(GENERATION_TASKS)}, and the task is {signature.task}"
    require(fits or not smoothing, "label_smoothing", smoothing, rule)
    if signature.task == "classification":
        return Classification(signature.output_size, smoothing)
    if signature.task == "multi-label":
        return MultiLabel(signature.output_size)
    if signature.task == "language-model":
        return LanguageModel(signature.output_size)
    if signature.task == "bidirectional-lm":
        return BidirectionalLanguageModel(signature.output_size)
    if signature.task == "masked-lm":
        return MaskedLanguageModel(signature.output_size, signature.num_relations)
    if signature.task == "span":
        return Span()
    require(signature.task != "embedding", "task", signature.task, "has no targets to be compared with")
    if signature.task == "tagging":
        return Tagging(signature.output_size, signature.background, tags)
    if signature.task == "next-frame":
        return NextFrame(signature.output_size)
    if signature.task in GENERATION_TASKS:
        return SequenceLikelihood(signature.output_size, smoothing)
    if signature.task == "reconstruction":
        return Autoencoding(signature.shape, target_scale)
    return Regression(target_scale or (1.0,) * signature.output_size)


def objective_of(problem: Any, smoothing: float = 0.0, select: str | None = None) -> Objective:
    """The objective of a data set or of a run.

    Args:
        smoothing: label smoothing of what is trained with.
        select: the figure that selects; default: `usual_selection`.

    Raises:
        UserError: the task does not report ``select``, or has no smoothing.
    """
    processor = problem.processor
    tags = getattr(processor, "tags", ())
    objective = objective_for(problem.signature, processor.target_scale, smoothing, tags)
    select = select or usual_selection(problem)
    if select is not None:
        objective.select_by(select)
    return objective


def usual_selection(problem: Any) -> str | None:
    """``loss`` for a classification of which one class has three quarters of all examples or more.

    There accuracy hardly tells an answer from always giving that class, and F1 of few rare examples is
    chance; the loss is of all probabilities. Of all splits together, so that it is
    the same however they are drawn. None: the task's own.
    """
    if problem.signature.task != "classification":
        return None
    targets = [
        getattr(getattr(problem, part, None), "targets", None) for part in ("train", "validation", "test")
    ]
    known = [part for part in targets if part is not None]
    if not known:
        return None
    counts = torch.bincount(torch.cat(known))
    return "loss" if counts.max() >= MAJORITY * counts.sum() else None
