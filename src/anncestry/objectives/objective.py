"""Objectives: the loss that is differentiated and the metrics that are reported, over sums.

An objective adds up over examples, so that a data set scored in batches of any size, or on several
devices, gets the same numbers: ``tally`` returns sums, ``metrics`` turns the sums of everything into
figures. ``loss`` is the sum over the batch; who differentiates it divides by ``count``.
"""

import math
from typing import Protocol

import torch
from torch import nn

from anncestry.arrays import Float, Tensor
from anncestry.errors import require
from anncestry.objectives.bidirectional import BidirectionalLanguageModel
from anncestry.objectives.masked import MaskedLanguageModel, Span
from anncestry.objectives.reconstruction import Autoencoding
from anncestry.objectives.writing import Writing
from anncestry.protocols import IGNORED
from anncestry.signature import WRITING_TASKS, Signature


class Objective(Protocol):
    """The contract of this package.

    Attributes:
        primary: the metric a race is ranked by and early stopping watches.
        higher_is_better: which way ``primary`` points.
    """

    primary: str
    higher_is_better: bool

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The sum over everything that is counted (a scalar, differentiable)."""
        ...

    def count(self, targets: Tensor) -> int:
        """How many answers ``targets`` holds: examples, or tokens of a language model."""
        ...

    def tally(self, outputs: Tensor, targets: Tensor, loss: Tensor | None = None) -> Tensor:
        """Float64 sums that add over batches; the first two are the loss and the count."""
        ...

    def metrics(self, sums: Tensor) -> dict[str, float]:
        """Figures from the added sums, ``loss`` and the primary one among them."""
        ...

    def initial_loss(self) -> float | None:
        """What an untrained model's mean loss is near, or None where nothing is known."""
        ...


class Classification:
    """Cross-entropy over K classes; accuracy.

    Args:
        num_classes: K.
        smoothing: as for `Writing`; figures are without it.
    """

    primary = "accuracy"
    higher_is_better = True

    def __init__(self, num_classes: int, smoothing: float = 0.0) -> None:
        self.num_classes, self.smoothing = num_classes, smoothing

    def loss(self, outputs: Float[Tensor, "B K"], targets: Tensor) -> Tensor:
        smoothing = self.smoothing
        return nn.functional.cross_entropy(outputs, targets, reduction="sum", label_smoothing=smoothing)

    def count(self, targets: Tensor) -> int:
        return targets.numel()

    def tally(self, outputs: Tensor, targets: Tensor, loss: Tensor | None = None) -> Tensor:
        if loss is None or self.smoothing:
            loss = nn.functional.cross_entropy(outputs, targets, reduction="sum")
        correct = (outputs.argmax(-1) == targets).sum()
        return torch.stack(
            [loss.detach().double(), correct.new_tensor(self.count(targets)).double(), correct.double()]
        )

    def metrics(self, sums: Tensor) -> dict[str, float]:
        loss, count, correct = sums.tolist()
        return {"loss": loss / count, "accuracy": correct / count}

    def initial_loss(self) -> float | None:
        return math.log(self.num_classes)


class Regression:
    """Squared error over K standardised target values; root mean squared error, R^2 and correlation.

    R^2 is 1 minus the squared error over that of always answering the mean; Pearson's correlation is the mean
    over the K values. Errors are in standardised units (the training targets have mean 0 and deviation 1);
    ``target_scale`` (K,) turns them back.
    """

    primary = "rmse"
    higher_is_better = False

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


class Tagging:
    """Cross-entropy over the tag of every step; accuracy and F1. Steps marked `IGNORED` do not exist.

    F1 is the mean over the tags that occur (macro). Where one tag means "nothing here" (``background``),
    accuracy is that of the steps with another tag, and F1 is over all of these together (micro): what a
    model earns by answering "nothing" counts nothing.
    """

    primary = "accuracy"
    higher_is_better = True

    def __init__(self, num_tags: int, background: int | None = None) -> None:
        self.num_tags, self.background = num_tags, background

    def loss(self, outputs: Float[Tensor, "B T K"], targets: Tensor) -> Tensor:
        flat, wanted = outputs.flatten(0, 1), targets.flatten()
        return nn.functional.cross_entropy(flat, wanted, reduction="sum", ignore_index=IGNORED)

    def count(self, targets: Tensor) -> int:
        return int((targets != IGNORED).sum())

    def tally(self, outputs: Tensor, targets: Tensor, loss: Tensor | None = None) -> Tensor:
        """Loss and count, then for each tag: how often it was right, given, and true."""
        loss = self.loss(outputs, targets) if loss is None else loss
        inside = targets != IGNORED
        true, given = targets[inside], outputs.argmax(-1)[inside]
        counts = [
            torch.bincount(tags, minlength=self.num_tags) for tags in (true[true == given], given, true)
        ]
        return torch.cat([loss.detach().double()[None], inside.sum().double()[None], *counts])

    def metrics(self, sums: Tensor) -> dict[str, float]:
        loss, count = sums[:2].tolist()
        right, given, true = sums[2:].view(3, self.num_tags)
        if self.background is not None:
            others = torch.arange(self.num_tags, device=sums.device) != self.background
            right, given, true = (part[others].sum()[None] for part in (right, given, true))
        occurs = true + given > 0
        f1 = (2 * right[occurs] / (true + given)[occurs]).mean() if occurs.any() else sums.new_zeros(())
        accuracy = right.sum() / true.sum().clamp(min=1)
        return {"loss": loss / count, "accuracy": accuracy.item(), "f1": f1.item()}

    def initial_loss(self) -> float | None:
        return math.log(self.num_tags)


class NextFrame:
    """Negative log-likelihood of the next frame of K bits, each an event of its own, in nats per frame.

    ``frame_accuracy`` is that of Bay et al. (2009): right / (right + invented + missed) over all bits.
    """

    primary = "nll"
    higher_is_better = False

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


class LanguageModel:
    """Cross-entropy over the next token, in nats; perplexity and bits per token."""

    primary = "bits"
    higher_is_better = False

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
    signature: Signature, target_scale: tuple[float, ...] | None = None, smoothing: float = 0.0
) -> Objective:
    """The objective of a task.

    Args:
        target_scale: gives real-valued targets their unit back.
        smoothing: label smoothing of what is trained with.

    Raises:
        UserError: there is smoothing, and the answers are neither classes nor words that are written.
    """
    fits = signature.task in ("classification", *WRITING_TASKS)
    rule = f"is for classification and for {' and '.join(WRITING_TASKS)}, and the task is {signature.task}"
    require(fits or not smoothing, "label_smoothing", smoothing, rule)
    if signature.task == "classification":
        return Classification(signature.output_size, smoothing)
    if signature.task == "language-model":
        return LanguageModel(signature.output_size)
    if signature.task == "bidirectional-lm":
        return BidirectionalLanguageModel(signature.output_size)
    if signature.task == "masked-lm":
        return MaskedLanguageModel(signature.output_size, signature.num_relations)
    if signature.task == "span":
        return Span()
    require(signature.task != "embedding", "task", signature.task, "has no answers to be compared with")
    if signature.task == "tagging":
        return Tagging(signature.output_size, signature.background)
    if signature.task == "next-frame":
        return NextFrame(signature.output_size)
    if signature.task in WRITING_TASKS:
        return Writing(signature.output_size, smoothing)
    if signature.task == "reconstruction":
        return Autoencoding(signature.shape, target_scale)
    return Regression(target_scale or (1.0,) * signature.output_size)
