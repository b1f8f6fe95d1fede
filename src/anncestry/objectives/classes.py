"""Objectives of examples with one class, and of examples with any number of labels."""

import math

import torch
from torch import nn

from anncestry.arrays import Float, Int, Tensor
from anncestry.objectives.base import Objective
from anncestry.objectives.ranks import average_precision, defined_mean, roc_auc


class Classification(Objective):
    """Cross-entropy over K classes; accuracy, and what it hides where classes are of unequal size.

    Balanced accuracy is the mean recall over the classes that occur, macro F1 the mean F1 over those that
    occur or are answered. ROC AUC of two classes is that of the second one; of more, the mean over classes
    that occur of each against the rest.

    Args:
        num_classes: K.
        smoothing: as for `SequenceLikelihood`; figures are without it.
    """

    figures = ("accuracy", "loss", "balanced_accuracy", "macro_f1")
    whole_figures = ("roc_auc",)
    primary = "accuracy"

    def __init__(self, num_classes: int, smoothing: float = 0.0) -> None:
        self.width, self.smoothing = num_classes, smoothing

    def loss(self, outputs: Float[Tensor, "B K"], targets: Tensor) -> Tensor:
        smoothing = self.smoothing
        return nn.functional.cross_entropy(outputs, targets, reduction="sum", label_smoothing=smoothing)

    def count(self, targets: Tensor) -> int:
        return targets.numel()

    def tally(self, outputs: Tensor, targets: Tensor, loss: Tensor | None = None) -> Tensor:
        """Loss and count, then for each class: how often it was right, answered, and true."""
        if loss is None or self.smoothing:
            loss = nn.functional.cross_entropy(outputs, targets, reduction="sum")
        counts = class_counts(outputs.argmax(-1), targets, self.width)
        count = counts.new_tensor([self.count(targets)])
        return torch.cat([loss.detach().double()[None], count, counts])

    def metrics(self, sums: Tensor) -> dict[str, float]:
        loss, count = sums[:2].tolist()
        right, given, true = sums[2:].view(3, self.width)
        occurs = true > 0
        return {
            "loss": loss / count,
            "accuracy": right.sum().item() / count,
            "balanced_accuracy": (right[occurs] / true[occurs]).mean().item(),
            "macro_f1": macro_f1(right, given, true),
        }

    def by_class(self, sums: Tensor) -> dict[str, list[int]]:
        return named_counts(sums[2:])

    def of_whole(self, outputs: Float[Tensor, "N K"], targets: Int[Tensor, "N"]) -> dict[str, float]:
        if self.width < 2:
            return {}
        true = nn.functional.one_hot(targets, self.width).bool()
        # In place of probabilities what grows with them, and does not round to 1.
        logits = outputs.double()
        if self.width == 2:
            area = defined_mean(roc_auc((logits[:, 1] - logits[:, 0])[:, None], true[:, 1:]))
        else:
            area = defined_mean(roc_auc(logits.log_softmax(1), true))
        return {} if area is None else {"roc_auc": area}

    def initial_loss(self) -> float | None:
        return math.log(self.width)


class MultiLabel(Objective):
    """Binary cross-entropy of K labels that do not exclude each other, its mean over them.

    A label is given where its logit is above 0, its probability above a half. F1 is over all answers together
    (micro) and the mean over the labels that occur or are given (macro); subset accuracy is the share of
    examples with all labels right; mean average precision is over the labels that occur.

    The loss selects: F1 of a net that has learnt nothing yet and gives every label is high already.
    """

    figures = ("loss", "micro_f1", "macro_f1", "subset_accuracy")
    whole_figures = ("mean_average_precision",)
    primary = "loss"

    def __init__(self, num_labels: int) -> None:
        self.width = num_labels

    def loss(self, outputs: Float[Tensor, "B K"], targets: Float[Tensor, "B K"]) -> Tensor:
        total = nn.functional.binary_cross_entropy_with_logits(outputs, targets, reduction="sum")
        return total / self.width

    def count(self, targets: Tensor) -> int:
        return targets.shape[0]

    def tally(self, outputs: Tensor, targets: Tensor, loss: Tensor | None = None) -> Tensor:
        """Loss, count, and examples all right; then for each label: how often right, given, and true."""
        loss = self.loss(outputs, targets) if loss is None else loss
        given, true = outputs > 0, targets > 0.5
        exact = (given == true).all(1).sum().double()
        sums = torch.stack([loss.detach().double(), exact.new_tensor(self.count(targets)), exact])
        return torch.cat([sums, *(part.sum(0).double() for part in (given & true, given, true))])

    def metrics(self, sums: Tensor) -> dict[str, float]:
        loss, count, exact = sums[:3].tolist()
        right, given, true = sums[3:].view(3, self.width)
        micro = 2 * right.sum() / (given.sum() + true.sum()).clamp(min=1)
        return {
            "loss": loss / count,
            "micro_f1": micro.item(),
            "macro_f1": macro_f1(right, given, true),
            "subset_accuracy": exact / count,
        }

    def by_class(self, sums: Tensor) -> dict[str, list[int]]:
        return named_counts(sums[3:])

    def of_whole(self, outputs: Float[Tensor, "N K"], targets: Float[Tensor, "N K"]) -> dict[str, float]:
        mean = defined_mean(average_precision(outputs, targets > 0.5))
        return {} if mean is None else {"mean_average_precision": mean}

    def initial_loss(self) -> float | None:
        return math.log(2)


def class_counts(given: Int[Tensor, "N"], true: Int[Tensor, "N"], num_classes: int) -> Float[Tensor, "K3"]:
    """For each class: how often it was right, answered, and true; float64, one behind the other."""
    counted = (true[true == given], given, true)
    return torch.cat([torch.bincount(part, minlength=num_classes) for part in counted]).double()


def named_counts(counts: Float[Tensor, "K3"]) -> dict[str, list[int]]:
    """What `class_counts` counted, by name."""
    rows = counts.view(3, -1).long().tolist()
    return dict(zip(("right", "answered", "true"), rows, strict=True))


def macro_f1(right: Tensor, given: Tensor, true: Tensor) -> float:
    """The mean over the classes that occur or were answered, of their counts (K,); 0 where none does."""
    occurs = true + given > 0
    return (2 * right[occurs] / (true + given)[occurs]).mean().item() if occurs.any() else 0.0
