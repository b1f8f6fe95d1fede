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

FEW, MORE = 128, 2048  # most probable tokens among which a nucleus is looked for before all are ranked


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
        left, tokens = self._left(logits)
        left = left / left.sum(-1, keepdim=True)
        return (
            left if tokens is None else torch.zeros_like(logits, dtype=left.dtype).scatter(-1, tokens, left)
        )

    def draw(
        self, logits: Float[Tensor, "B V"], generator: torch.Generator | None = None
    ) -> Int[Tensor, "B"]:
        """One token for each row."""
        if self.temperature == 0:
            return self.choose(logits)
        drawn = torch.rand(len(logits), dtype=torch.float64, generator=generator)
        return self.choose(logits, drawn.to(logits.device))

    def choose(
        self, logits: Float[Tensor, "B V"], uniform: Float[Tensor, "B"] | None = None
    ) -> Int[Tensor, "B"]:
        """The token of each row that a number from [0, 1) stands for: the first of those in which the
        probabilities sum up to more than it. A temperature of 0 needs no numbers."""
        if uniform is None:
            return logits.argmax(-1)
        left, tokens = self._left(logits)
        sums = left.cumsum(-1)
        whole = sums[:, -1:]
        below = torch.minimum(uniform.unsqueeze(1) * whole, whole.nextafter(torch.zeros_like(whole)))
        places = torch.searchsorted(sums, below, right=True)
        return (places if tokens is None else tokens.gather(1, places)).squeeze(1)

    def _left(self, logits: Float[Tensor, "B V"]) -> tuple[Float[Tensor, "B C"], Int[Tensor, "B C"] | None]:
        """Probabilities of the tokens that may be drawn, not yet divided by their sum, and which these are;
        None where they are all in their order."""
        if 0 < self.top_k < logits.shape[-1]:
            values, tokens = logits.topk(self.top_k, dim=-1)
            ranked, tokens = _ranked(self._cooled(values).softmax(-1), tokens)
            return (self._nucleus(ranked)[0] if self.top_p < 1 else ranked), tokens
        probabilities = self._cooled(logits).softmax(-1)
        if self.top_p == 1:
            return probabilities, None
        for count in (FEW, MORE):
            if 4 * count <= logits.shape[-1]:
                ranked, tokens = _ranked(*probabilities.topk(count, dim=-1))
                left, lowest = self._nucleus(ranked)
                if bool((lowest > ranked[:, -1:]).all()):  # no other token is as probable
                    return left, tokens
        ranked, tokens = probabilities.sort(dim=-1, descending=True, stable=True)
        return self._nucleus(ranked)[0], tokens

    def _cooled(self, logits: Float[Tensor, "B V"]) -> Float[Tensor, "B V"]:
        highest = logits.amax(-1, keepdim=True)  # as the exponential of large numbers has no room
        return logits.double().sub_(highest).div_(self.temperature)

    def _nucleus(self, ranked: Float[Tensor, "B C"]) -> tuple[Float[Tensor, "B C"], Float[Tensor, "B 1"]]:
        """The first ones that have ``top_p`` together, the others at 0, and the lowest that is left."""
        beyond = ranked.cumsum(-1) - ranked >= self.top_p  # of what the better ones have together
        lowest = ranked.masked_fill(beyond, torch.inf).amin(-1, keepdim=True)
        return ranked.masked_fill(beyond, 0.0), lowest


def _ranked(values: Float[Tensor, "B C"], tokens: Int[Tensor, "B C"]) -> tuple[Tensor, Tensor]:
    """The same, the largest first, and of equal ones those with the smallest tokens."""
    tokens, order = tokens.sort(-1)
    values, order = values.gather(-1, order).sort(dim=-1, descending=True, stable=True)
    return values, tokens.gather(-1, order)


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
    uniform: Float[Tensor, "R length"] | None = None,
) -> Iterator[list[int]]:
    """Sample the texts of every source side by side, one token of each at a time; of any decoder.

    Args:
        step, logits, state, never, context: as in `decode`.
        sampling: how tokens are sampled; a number is a temperature, and 0 takes the best token each time.
        length: of the longest text.
        end: the token that ends a text, which repeats it from there on; all end where all have.
        num_samples: how many texts of each source.
        generator: gives a number for every token of every text at once, so that it is the same behind them
            whether they end early or not.
        uniform: these numbers, from `uniform_numbers`, where they are drawn already.

    Yields:
        One token for each text; those of a source are side by side.
    """
    require(num_samples >= 1, "samples", num_samples, "must be at least 1")
    sampling = sampling if isinstance(sampling, Sampling) else Sampling(temperature=sampling)
    beams = BeamState.start(state, sampling, context, logits)
    if num_samples > 1:
        rows = torch.arange(len(logits), device=logits.device).repeat_interleave(num_samples)
        logits, beams = logits[rows], beams.move(rows)
    if uniform is None and sampling.temperature > 0:
        uniform = uniform_numbers(len(logits), length, generator)
    return _stream(step, logits, beams, sampling, length, end, never, uniform)


def uniform_numbers(
    rows: int, length: int, generator: torch.Generator | None = None
) -> Float[Tensor, "R length"]:
    """Numbers from [0, 1), by which the tokens of texts are chosen: those of a text stand in a row."""
    return torch.rand(rows, length, dtype=torch.float64, generator=generator)


@torch.no_grad()
def _stream(
    step: Step,
    logits: Float[Tensor, "R V"],
    beams: BeamState,
    sampling: Sampling,
    length: int,
    end: int | None,
    never: Sequence[int],
    uniform: Float[Tensor, "R length"] | None,
) -> Iterator[list[int]]:
    uniform = None if uniform is None else uniform.to(logits.device)
    over = torch.zeros(len(logits), dtype=torch.bool, device=logits.device)
    for count in range(1, length + 1):
        if sampling.binds(count, end, never):
            _, ruled = log_probs_of(logits, sampling, count, beams, end, never)
            nothing_left = ruled.amax(-1, keepdim=True) == -torch.inf  # of what the model believes possible
            logits = torch.where(nothing_left, logits, ruled)
        check_numbers(bool(logits.amax(-1).isnan().any()))  # the largest is none where one is none
        tokens = sampling.choose(logits, None if uniform is None else uniform[:, count - 1])
        if end is not None:
            tokens = tokens.masked_fill(over, end)
            over = tokens == end
        drawn = tokens.tolist()
        yield drawn
        if end is not None and all(token == end for token in drawn):
            return
        if count < length:
            logits, beams = beams.step(step, tokens)
