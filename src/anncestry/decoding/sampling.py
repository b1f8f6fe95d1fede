"""Sampling one token after the other."""

from collections.abc import Iterator

import torch

from anncestry.arrays import Int, Tensor
from anncestry.errors import require
from anncestry.protocols import SequenceModel


def sample(
    model: SequenceModel,
    prompt: Int[Tensor, "T"],
    length: int,
    temperature: float = 1.0,
    generator: torch.Generator | None = None,
) -> Iterator[int]:
    """Read the prompt, then yield ``length`` tokens one by one, each as soon as it is drawn.

    Args:
        model: in evaluation mode; its ``step`` takes tokens (B,) and gives scores (B, V).
        prompt: at least one token.
        temperature: the scores are divided by it; 0 takes the best token each time.
    """
    require(prompt.numel() >= 1, "prompt", "", "must hold at least one token")
    require(temperature >= 0, "--temperature", temperature, "must be 0 (the best token each time) or more")
    with torch.no_grad():
        scores, state = model.step(prompt[:1], model.initial_state(1))
        for read in range(1, prompt.numel()):
            scores, state = model.step(prompt[read : read + 1], state)
        for remaining in range(length, 0, -1):
            if temperature == 0:
                token = scores.argmax(-1)
            else:
                token = torch.multinomial((scores / temperature).softmax(-1), 1, generator=generator).squeeze(
                    1
                )
            yield int(token)
            if remaining > 1:
                scores, state = model.step(token, state)
