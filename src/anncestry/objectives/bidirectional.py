"""The objective of two language models, one in each direction, over the same words.

Peters et al., 1802.05365, section 3.1. The sampled softmax is that of Jean et al., 1412.2007, as TensorFlow
computes it and as the authors train with.
"""

import math

import torch
from torch import nn

from anncestry.arrays import Float, Int, Tensor
from anncestry.objectives.base import Objective
from anncestry.protocols import IGNORED, SampledLogits

PIECE = 2**24  # logits that are computed in one go


class BidirectionalLanguageModel(Objective):
    """Cross-entropy of the next word for the forward model and of the one before for the backward one.

    The mean loss is half the sum of both in nats for a word. Figures are the perplexity of each direction and
    the mean of both, as it is published.

    Args:
        num_words: V. Where training samples, words are in the order of their frequency.
    """

    primary = "perplexity"
    figures = ("perplexity", "loss", "forward", "backward", "accuracy")

    def __init__(self, num_words: int) -> None:
        self.num_words = num_words

    def loss(
        self, outputs: Float[Tensor, "B T 2 V"] | SampledLogits, targets: Int[Tensor, "B T 2"]
    ) -> Tensor:
        if not isinstance(outputs, SampledLogits):
            return _sum(outputs, targets)
        if not 0 < outputs.num_sampled < self.num_words:
            return _sum(outputs.logits(), targets)
        asked = targets != IGNORED
        losses = [  # each direction has its own sample
            sampled_loss(
                outputs, outputs.features[:, :, way][asked[..., way]], targets[..., way][asked[..., way]]
            )
            for way in range(2)
        ]
        return torch.stack(losses).sum()

    def count(self, targets: Int[Tensor, "B T 2"]) -> int:
        return int((targets != IGNORED).sum())

    def tally(
        self,
        outputs: Float[Tensor, "B T 2 V"] | SampledLogits,
        targets: Int[Tensor, "B T 2"],
        loss: Tensor | None = None,
    ) -> Tensor:
        """Log-likelihood and count of both, then of each direction; how many words were the likeliest.

        ``loss`` may be that of a sample, and is not used.
        """
        sums = torch.zeros(2, 3, dtype=torch.float64, device=targets.device)
        for way in range(2):
            asked = targets[..., way] != IGNORED
            wanted = targets[..., way][asked]
            found = outputs.features if isinstance(outputs, SampledLogits) else outputs
            rows = found[:, :, way][asked]
            step = max(1, PIECE // self.num_words)
            for some, words in zip(rows.split(step), wanted.split(step), strict=True):
                logits = (
                    outputs._replace(features=some).logits() if isinstance(outputs, SampledLogits) else some
                )
                sums[way, 0] += nn.functional.cross_entropy(logits, words, reduction="sum").detach()
                sums[way, 2] += (logits.argmax(1) == words).sum()
            sums[way, 1] = len(wanted)
        return torch.cat([sums.sum(0)[:2], sums[:, :2].flatten(), sums.sum(0)[2:]])

    def metrics(self, sums: Tensor) -> dict[str, float]:
        loss, count, ahead, asked_ahead, back, asked_back, right = sums.tolist()
        nats = [ahead / max(asked_ahead, 1), back / max(asked_back, 1)]
        forward, backward = (math.exp(min(value, 700.0)) for value in nats)
        return {
            "loss": loss / count,
            "perplexity": (forward + backward) / 2,
            "forward": forward,
            "backward": backward,
            "accuracy": right / count,
        }

    def initial_loss(self) -> float | None:
        return math.log(self.num_words)


def _sum(logits: Float[Tensor, "B T 2 V"], targets: Int[Tensor, "B T 2"]) -> Tensor:
    flat = logits.flatten(0, 2)
    return nn.functional.cross_entropy(flat, targets.flatten(), reduction="sum", ignore_index=IGNORED)


def sampled_loss(sampled: SampledLogits, features: Float[Tensor, "M E"], words: Int[Tensor, "M"]) -> Tensor:
    """Cross-entropy of each right word against words that were drawn, the same ones for all.

    From every logit is taken the logarithm of how often its word was to be expected in such a draw, so that
    the mean gradient is nearly that of the softmax over all words. A word that was drawn and is the right one
    of a row does not count against itself there.
    """
    drawn, tries = log_uniform_sample(len(sampled.weight), sampled.num_sampled, features.device)
    V = len(sampled.weight)
    right = (features * sampled.weight[words]).sum(1) + sampled.bias[words] - _log_expected(words, tries, V)
    others = nn.functional.linear(features, sampled.weight[drawn], sampled.bias[drawn])
    others = others - _log_expected(drawn, tries, V)
    others = others.masked_fill(drawn == words.unsqueeze(1), -torch.inf)
    logits = torch.cat([right.unsqueeze(1), others], dim=1)
    return nn.functional.cross_entropy(logits, torch.zeros_like(words), reduction="sum")


def log_uniform_sample(num_words: int, size: int, device: torch.device) -> tuple[Int[Tensor, "K"], int]:
    """``size`` distinct words, word w with a chance like log(w + 2) - log(w + 1); and how many draws it took.

    With words in the order of their frequency that is Zipf's law.
    """
    seen = torch.zeros(num_words, dtype=torch.bool)
    drawn, tries = [], 0
    missing = size
    while missing:
        draws = (torch.rand(2 * missing, dtype=torch.float64) * math.log(num_words + 1)).exp().long() - 1
        draws = draws.clamp(0, num_words - 1)
        first = torch.full((num_words,), len(draws)).scatter_reduce(
            0, draws, torch.arange(len(draws)), "amin"
        )
        new = (first[draws] == torch.arange(len(draws))) & ~seen[draws]  # the first of each, not drawn before
        places = new.nonzero().flatten()[:missing]
        tries += int(places[-1]) + 1 if len(places) == missing else len(draws)
        drawn.append(draws[places])
        seen[draws[places]] = True
        missing -= len(places)
    return torch.cat(drawn).to(device), tries


def _log_expected(words: Int[Tensor, "K"], tries: int, num_words: int) -> Float[Tensor, "K"]:
    """log of the chance that a word is among ``tries`` draws."""
    rank = words.double()
    chance = ((rank + 2) / (rank + 1)).log() / math.log(num_words + 1)
    return (-torch.expm1(tries * torch.log1p(-chance))).log().float()
