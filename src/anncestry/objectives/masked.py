"""Objectives of what pre-trained encoders learn: masked tokens, and the answer span in a text.

Devlin et al., 1810.04805, sections 3.1 and 4.2; their code for how the losses are averaged.
"""

import math

import torch
from torch import nn

from anncestry.arrays import Float, Int, Tensor
from anncestry.objectives.base import Objective
from anncestry.protocols import IGNORED, MaskedLMOutput

REPLACED_WEIGHT = 50.0  # of replaced-token detection (Clark et al., 2003.10555, appendix A)


class MaskedLanguageModel(Objective):
    """Cross-entropy of the masked tokens, in nats; perplexity, and how often the best guess is right.

    What else is learnt in the same pass is averaged by itself and added: next-sentence or sentence-order
    prediction (the first column of the targets), the same words from the ends of their span, and which
    tokens were replaced. ``loss`` is the sum over the masked tokens all the same, so the others are scaled
    to that.

    Args:
        vocab_size: V.
        num_relations: R; 0 where the first column asks for a word as any other does.
    """

    primary = "bits"
    figures = ("bits", "loss", "perplexity", "accuracy")

    def __init__(self, vocab_size: int, num_relations: int = 0) -> None:
        self.vocab_size, self.num_relations = vocab_size, num_relations

    def loss(self, outputs: Tensor | MaskedLMOutput, targets: Int[Tensor, "B T"]) -> Tensor:
        output = _as_output(outputs)
        masked, relation = self._asked(targets)
        total = _cross_entropy(output.logits, targets, masked)
        count = max(1, int(masked.sum()))
        if output.boundary is not None:
            total = total + _cross_entropy(output.boundary, targets, masked)
        if output.relation is not None and relation is not None:
            asked = (relation != IGNORED).sum().clamp(min=1)  # nothing of a process that has no row
            mean = nn.functional.cross_entropy(output.relation, relation, reduction="sum") / asked
            total = total + mean * count
        if output.replaced is not None and output.drawn is not None:
            inside = output.replaced.isfinite()  # padding has minus infinity
            truth = output.drawn[inside].to(output.replaced.dtype)
            mean = nn.functional.binary_cross_entropy_with_logits(output.replaced[inside], truth)
            total = total + REPLACED_WEIGHT * mean * count
        return total

    def _asked(self, targets: Int[Tensor, "B T"]) -> tuple[Tensor, Tensor | None]:
        """``(masked, relation)``: (B, T) where a word is asked for, and (B,) the relation of two texts."""
        masked = targets != IGNORED
        if not self.num_relations:
            return masked, None
        masked[:, 0] = False
        return masked, targets[:, 0]

    def count(self, targets: Int[Tensor, "B T"]) -> int:
        """Masked tokens."""
        return max(1, int(self._asked(targets)[0].sum()))

    def tally(
        self, outputs: Tensor | MaskedLMOutput, targets: Int[Tensor, "B T"], loss=None
    ) -> Float[Tensor, "S"]:
        """Of the words alone: the loss, the count, the right ones; then of relations and of
        replaced tokens: how many were right, and how many there were."""
        output = _as_output(outputs)
        masked, relation = self._asked(targets)
        logits = _at(output.logits, masked)
        wanted = targets[masked]
        sums = [nn.functional.cross_entropy(logits.float(), wanted, reduction="sum"), masked.sum()]
        sums.append((logits.argmax(-1) == wanted).sum())
        zero = sums[0].new_zeros(())
        if output.relation is not None and relation is not None:
            sums += [(output.relation.argmax(-1) == relation).sum(), (relation != IGNORED).sum()]
        else:
            sums += [zero, zero]
        if output.replaced is not None and output.drawn is not None:
            inside = output.replaced.isfinite()
            right = (output.replaced > 0) == output.drawn
            sums += [right[inside].sum(), inside.sum()]
        else:
            sums += [zero, zero]
        return torch.stack([figure.detach().double() for figure in sums])

    def metrics(self, sums: Float[Tensor, "S"]) -> dict[str, float]:
        loss, count, right, relations, pairs, detected, tokens = sums.tolist()
        nats = loss / max(count, 1.0)
        figures = {
            "loss": nats,
            "bits": nats / math.log(2),
            "perplexity": math.exp(min(nats, 700.0)),
            "accuracy": right / max(count, 1.0),
        }
        if pairs:
            figures["relation_accuracy"] = relations / pairs
        if tokens:
            figures["replaced_accuracy"] = detected / tokens
        return figures

    def initial_loss(self) -> float | None:
        return math.log(self.vocab_size)


class Span(Objective):
    """Cross-entropy of the first and the last token of the answer; how often both are right.

    Outputs (B, T, 2), targets (B, 2); the first token of the input stands for "no answer".
    """

    primary = "exact"
    figures = ("exact", "loss")

    def loss(self, outputs: Float[Tensor, "B T 2"], targets: Int[Tensor, "B 2"]) -> Tensor:
        total = nn.functional.cross_entropy(outputs.transpose(1, 2).flatten(0, 1), targets.flatten())
        return total * len(targets)

    def count(self, targets: Int[Tensor, "B 2"]) -> int:
        return len(targets)

    def tally(self, outputs, targets, loss=None) -> Float[Tensor, "3"]:
        loss = self.loss(outputs, targets) if loss is None else loss
        exact = (outputs.argmax(1) == targets).all(1).sum()
        return torch.stack([loss.detach().double(), exact.new_tensor(len(targets)).double(), exact.double()])

    def metrics(self, sums: Float[Tensor, "3"]) -> dict[str, float]:
        loss, count, exact = sums.tolist()
        return {"loss": loss / count, "exact": exact / count}

    def initial_loss(self) -> float | None:
        return None


def _as_output(outputs: Tensor | MaskedLMOutput) -> MaskedLMOutput:
    return outputs if isinstance(outputs, MaskedLMOutput) else MaskedLMOutput(outputs)


def _at(logits: Tensor, masked: Tensor) -> Float[Tensor, "M V"]:
    """The rows that are asked for: all that there are, or some of (B, T, V)."""
    return logits[masked] if logits.dim() == 3 else logits


def _cross_entropy(logits: Tensor, targets: Tensor, masked: Tensor) -> Tensor:
    return nn.functional.cross_entropy(_at(logits, masked), targets[masked], reduction="sum")
