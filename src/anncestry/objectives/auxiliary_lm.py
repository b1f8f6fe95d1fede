"""The auxiliary language-modelling loss: a task is learnt, and the next tokens of the texts that are read.

    L = L_answer + lambda L_text

Radford et al. (2018), section 3.2, equation 5. As in their code L_text is the mean over the tokens of each
text, so that a long one counts as much as a short one.
"""

from typing import Any

import torch
from torch import nn

from anncestry.arrays import Float, Int, Tensor
from anncestry.objectives.base import Objective
from anncestry.protocols import WithAuxiliaryLM


def loss_of(objective: Objective, outputs: Any, targets: Tensor) -> Tensor:
    """The loss that is differentiated: the objective's, and the auxiliary one where a net gives its
    logits."""
    if not isinstance(outputs, WithAuxiliaryLM):
        return objective.loss(outputs, targets)
    text = text_loss(outputs.lm_logits, outputs.tokens, outputs.lengths)
    return objective.loss(outputs.outputs, targets) + outputs.weight * text


def text_loss(
    logits: Float[Tensor, "B T V"], tokens: Int[Tensor, "B T"], lengths: Int[Tensor, "B"] | None = None
) -> Float[Tensor, ""]:
    """The cross-entropy of each text's tokens but the first, its mean over them, summed over texts."""
    of_tokens = nn.functional.cross_entropy(logits[:, :-1].transpose(1, 2), tokens[:, 1:], reduction="none")
    lengths = tokens.new_full(tokens.shape[:1], tokens.shape[1]) if lengths is None else lengths
    inside = torch.arange(1, tokens.shape[1], device=tokens.device) < lengths.unsqueeze(1)
    return ((of_tokens * inside).sum(1) / (lengths - 1).clamp(min=1)).sum()
