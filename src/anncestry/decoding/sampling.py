"""Sampling one token after the other, from all tokens or from the most probable ones."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from anncestry.arrays import Float, Int, Tensor
from anncestry.errors import require
from anncestry.protocols import SequenceModel, map_state, outputs_of


@dataclass(frozen=True)
class Rule:
    """How the next token is drawn from scores.

    The scores are divided by the temperature, then cut to the ``top_k`` best, then to the smallest set that
    has at least the probability ``top_p`` (nucleus sampling, Holtzman et al., 1904.09751).

    Attributes:
        temperature: 1 samples as the model believes, less sharpens; 0 takes the best token each time.
        top_k: how many tokens are left at most; 0 for all.
        top_p: the probability that is left at least; 1 for all.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        rule = "must be 0 (the best token each time) or more"
        require(self.temperature >= 0, "--temperature", self.temperature, rule)
        require(self.top_k >= 0, "--top-k", self.top_k, "must be 0 (all tokens) or more")
        require(0 < self.top_p <= 1, "--top-p", self.top_p, "must be above 0 and at most 1 (all tokens)")

    def probabilities(self, scores: Float[Tensor, "B V"]) -> Float[Tensor, "B V"]:
        """What is drawn from, (B, V), each row summing to 1."""
        if self.temperature == 0:
            return one_hot(scores.argmax(-1), scores)
        scores = (scores.double() - scores.max(-1, keepdim=True).values) / self.temperature
        if 0 < self.top_k < scores.shape[-1]:
            best = scores.topk(self.top_k, dim=-1)
            scores = torch.full_like(scores, -torch.inf).scatter(-1, best.indices, best.values)
        probabilities = scores.softmax(-1)
        if self.top_p < 1:
            ranked, order = probabilities.sort(dim=-1, descending=True, stable=True)
            before = ranked.cumsum(-1) - ranked  # what the better ones have together
            ranked = ranked.masked_fill(before >= self.top_p, 0.0)
            probabilities = torch.zeros_like(probabilities).scatter(-1, order, ranked)
            probabilities = probabilities / probabilities.sum(-1, keepdim=True)
        return probabilities

    def draw(
        self, scores: Float[Tensor, "B V"], generator: torch.Generator | None = None
    ) -> Int[Tensor, "B"]:
        """One token for each row."""
        if self.temperature == 0:
            return scores.argmax(-1)
        return torch.multinomial(self.probabilities(scores), 1, generator=generator).squeeze(1)


def one_hot(tokens: Int[Tensor, "B"], like: Float[Tensor, "B V"]) -> Float[Tensor, "B V"]:
    """A one in the place of each row's token."""
    return torch.zeros_like(like, dtype=torch.float64).scatter(-1, tokens.unsqueeze(-1), 1.0)


def sample(
    model: SequenceModel,
    prompt: Int[Tensor, "T"],
    length: int,
    rule: Rule | float = 1.0,
    generator: torch.Generator | None = None,
    num_samples: int = 1,
) -> Iterator[list[int]]:
    """Read the prompt in one pass, then yield ``length`` times the next token of every sample.

    Args:
        model: in evaluation mode; its ``step`` takes tokens (B,) and gives scores (B, V).
        prompt: at least one token.
        rule: how tokens are drawn; a number is a temperature.
        num_samples: how many continuations of the same prompt are drawn side by side.

    Yields:
        One token for each of the samples.
    """
    rule = rule if isinstance(rule, Rule) else Rule(temperature=rule)
    require(prompt.numel() >= 1, "prompt", "", "must hold at least one token")
    require(num_samples >= 1, "--samples", num_samples, "must be at least 1")
    with torch.no_grad():
        outputs, state = outputs_of(model, prompt.unsqueeze(0))  # pyright: ignore[reportArgumentType]
        scores = outputs[:, -1].expand(num_samples, -1)
        state = map_state(lambda part: part.expand(num_samples, *part.shape[1:]).contiguous(), state)
        for remaining in range(length, 0, -1):
            tokens = rule.draw(scores, generator)
            yield tokens.tolist()
            if remaining > 1:
                scores, state = model.step(tokens, state)
