"""The objective of a tag for every step: of words one by one, or of the spans that their tags mark."""

import math
from collections.abc import Sequence

import torch
from torch import nn

from anncestry.arrays import Float, Int, Tensor
from anncestry.objectives.base import Objective
from anncestry.objectives.classes import class_counts, macro_f1, named_counts
from anncestry.objectives.spans import spans_of
from anncestry.protocols import IGNORED


class Tagging(Objective):
    """Cross-entropy over the tag of every step; accuracy over all steps, and F1. `IGNORED` steps do not
    exist.

    Where tags mark entities (`anncestry.objectives.spans`), precision, recall and F1 are of whole spans: one
    is right with the right type, first and last word. Else, where one tag means "nothing here", micro F1 is
    over the steps with another tag; and else macro F1 is the mean over the tags that occur or are given.

    Args:
        num_tags: K.
        background: the tag that means "nothing here", if any.
        tags: their names, where they are known.
    """

    def __init__(self, num_tags: int, background: int | None = None, tags: Sequence[str] = ()) -> None:
        self.num_tags, self.background = num_tags, background
        self.spans = spans_of(tags)
        if self.spans is not None:
            self.figures = ("span_f1", "loss", "accuracy", "span_precision", "span_recall")
        elif background is not None:
            self.figures = ("micro_f1", "loss", "accuracy")
        else:
            self.figures = ("accuracy", "loss", "macro_f1")
        self.primary = self.figures[0]

    def loss(self, outputs: Float[Tensor, "B T K"], targets: Tensor) -> Tensor:
        flat, wanted = outputs.flatten(0, 1), targets.flatten()
        return nn.functional.cross_entropy(flat, wanted, reduction="sum", ignore_index=IGNORED)

    def count(self, targets: Tensor) -> int:
        return int((targets != IGNORED).sum())

    def tally(self, outputs: Tensor, targets: Int[Tensor, "B T"], loss: Tensor | None = None) -> Tensor:
        """Loss and count; for each tag how often it was right, given, and true; and the same of spans."""
        loss = self.loss(outputs, targets) if loss is None else loss
        inside = targets != IGNORED
        true, given = targets[inside], outputs.argmax(-1)[inside]
        sums = [loss.detach().double()[None], inside.sum().double()[None]]
        sums.append(class_counts(given, true, self.num_tags))
        if self.spans is not None:
            sentence = inside.nonzero()[:, 0]
            begins, end, kind = self.spans.find(true, sentence)
            found, found_end, found_kind = self.spans.find(given, sentence)
            right = begins & found & (end == found_end) & (kind == found_kind)
            sums.append(torch.stack([right.sum(), found.sum(), begins.sum()]).double())
        return torch.cat(sums)

    def metrics(self, sums: Tensor) -> dict[str, float]:
        loss, count = sums[:2].tolist()
        right, given, true = sums[2 : 2 + 3 * self.num_tags].view(3, self.num_tags)
        figures = {"loss": loss / count, "accuracy": right.sum().item() / count}
        if self.spans is not None:
            right, given, true = sums[-3:].tolist()
            figures["span_precision"] = right / max(given, 1.0)
            figures["span_recall"] = right / max(true, 1.0)
            figures["span_f1"] = 2 * right / max(given + true, 1.0)
        elif self.background is not None:
            others = torch.arange(self.num_tags, device=sums.device) != self.background
            right, given, true = (part[others].sum().item() for part in (right, given, true))
            figures["micro_f1"] = 2 * right / max(given + true, 1.0)
        else:
            figures["macro_f1"] = macro_f1(right, given, true)
        return figures

    def by_class(self, sums: Tensor) -> dict[str, list[int]]:
        return named_counts(sums[2 : 2 + 3 * self.num_tags])

    def initial_loss(self) -> float | None:
        return math.log(self.num_tags)
