"""Sampling one token after the other, from all tokens or from the most probable ones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import torch

from anncestry.arrays import Float, Int, Tensor
from anncestry.decoding.beam_state import BeamState, Step, check_numbers, log_probs_of
from anncestry.decoding.constraints import Constraints
from anncestry.decoding.dispatch import read_prompt
from anncestry.errors import require
from anncestry.protocols import SequenceModel, State
from anncestry.rules import Portion, at_least


@dataclass(frozen=True)
class Sampling(Constraints):
    """The settings of sampling: how the next token is drawn from the logits.

    The logits are divided by the temperature, then cut to the ``top_k`` best, then to the smallest set that
    has at least the probability ``top_p`` (nucleus sampling, Holtzman et al., 1904.09751).

    Attributes:
        temperature: 1 samples as the model believes, less sharpens; 0 takes the best token each time.
        top_k: how many tokens are left at most; 0 for all.
        top_p: the probability that is left at least; 1 for all.
    """

    temperature: Annotated[float, at_least(0, "0 takes the best token each time")] = 1.0
    top_k: Annotated[int, at_least(0, "0 for all tokens")] = 0
    top_p: Portion = 1.0

    def probabilities(self, logits: Float[Tensor, "B V"]) -> Float[Tensor, "B V"]:
        """What is drawn from, (B, V), each row summing to 1."""
        if self.temperature == 0:
            return one_hot(logits.argmax(-1), logits)
        logits = (logits.double() - logits.max(-1, keepdim=True).values) / self.temperature
        if 0 < self.top_k < logits.shape[-1]:
            best = logits.topk(self.top_k, dim=-1)
            logits = torch.full_like(logits, -torch.inf).scatter(-1, best.indices, best.values)
        probabilities = logits.softmax(-1)
        if self.top_p < 1:
            ranked, order = probabilities.sort(dim=-1, descending=True, stable=True)
            before = ranked.cumsum(-1) - ranked  # what the better ones have together
            ranked = ranked.masked_fill(before >= self.top_p, 0.0)
            probabilities = torch.zeros_like(probabilities).scatter(-1, order, ranked)
            probabilities = probabilities / probabilities.sum(-1, keepdim=True)
        return probabilities

    def draw(
        self, logits: Float[Tensor, "B V"], generator: torch.Generator | None = None
    ) -> Int[Tensor, "B"]:
        """One token for each row."""
        if self.temperature == 0:
            return logits.argmax(-1)
        return torch.multinomial(self.probabilities(logits), 1, generator=generator).squeeze(1)


def one_hot(tokens: Int[Tensor, "B"], like: Float[Tensor, "B V"]) -> Float[Tensor, "B V"]:
    """A one in the place of each row's token."""
    return torch.zeros_like(like, dtype=torch.float64).scatter(-1, tokens.unsqueeze(-1), 1.0)


def sample(
    model: SequenceModel,
    prompt: Int[Tensor, "T"],
    length: int,
    sampling: Sampling | float = 1.0,
    generator: torch.Generator | None = None,
    num_samples: int = 1,
    end: int | None = None,
) -> Iterator[list[int]]:
    """Read the prompt in one pass, then yield the next token of every sample, ``length`` times.

    Args:
        model: in evaluation mode; its ``step`` takes tokens (B,) and gives logits (B, V).
        prompt: at least one token.
        sampling: how tokens are sampled; a number is a temperature.
        num_samples: how many continuations of the same prompt are drawn side by side.
        end: as in `stream`.

    Yields:
        One token for each of the samples.
    """
    require(prompt.numel() >= 1, "prompt", "", "must hold at least one token")
    require(num_samples >= 1, "samples", num_samples, "must be at least 1")
    logits, state = read_prompt(model, prompt.unsqueeze(0))
    more = {"context": prompt.unsqueeze(0), "num_samples": num_samples, "generator": generator, "end": end}
    return stream(model.step, logits, state, sampling, length, **more)


def stream(
    step: Step,
    logits: Float[Tensor, "N V"],
    state: State,
    sampling: Sampling | float,
    length: int,
    *,
    end: int | None = None,
    never: Sequence[int] = (),
    context: Int[Tensor, "N P"] | None = None,
    num_samples: int = 1,
    generator: torch.Generator | None = None,
) -> Iterator[list[int]]:
    """Sample the texts of every source side by side, one token of each at a time; of any decoder.

    Args:
        step, logits, state, never, context: as in `decode`.
        sampling: how tokens are sampled; a number is a temperature, and 0 takes the best token each time.
        length: of the longest text.
        end: the token that ends a text, which repeats it from there on; all end where all have.
        num_samples: how many texts of each source.

    Yields:
        One token for each text; those of a source are side by side.
    """
    require(num_samples >= 1, "samples", num_samples, "must be at least 1")
    sampling = sampling if isinstance(sampling, Sampling) else Sampling(temperature=sampling)
    beams = BeamState.start(state, sampling, context, logits)
    if num_samples > 1:
        rows = torch.arange(len(logits), device=logits.device).repeat_interleave(num_samples)
        logits, beams = logits[rows], beams.move(rows)
    return _stream(step, logits, beams, sampling, length, end, never, generator)


@torch.no_grad()
def _stream(
    step: Step,
    logits: Float[Tensor, "R V"],
    beams: BeamState,
    sampling: Sampling,
    length: int,
    end: int | None,
    never: Sequence[int],
    generator: torch.Generator | None,
) -> Iterator[list[int]]:
    over = torch.zeros(len(logits), dtype=torch.bool, device=logits.device)
    for count in range(1, length + 1):
        if sampling.binds(count, end, never):
            _, ruled = log_probs_of(logits, sampling, count, beams, end, never)
            nothing_left = ruled.amax(-1, keepdim=True) == -torch.inf  # of what the model believes possible
            logits = torch.where(nothing_left, logits, ruled)
        check_numbers(bool(logits.isnan().any()))
        tokens = sampling.draw(logits, generator)
        if end is not None:
            tokens = tokens.masked_fill(over, end)
            over = tokens == end
        drawn = tokens.tolist()
        yield drawn
        if end is not None and all(token == end for token in drawn):
            return
        if count < length:
            logits, beams = beams.step(step, tokens)
