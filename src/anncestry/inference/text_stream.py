"""A text that a language model generates, in pieces, each as soon as it is known."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from anncestry.arrays import Tensor
from anncestry.decoding import Sampling
from anncestry.engine.prediction import Prediction
from anncestry.inference.continuation import Prompt, drawn_tokens, end_of, numbers_for

WINDOW = 8  # tokens that are decoded together
UNFINISHED, MOST_BYTES = "\ufffd", 4  # a character of which a token holds but some bytes, and their number


class TextStream(Iterator[str]):
    """A sampled continuation in pieces of text, each as soon as its tokens are known.

    A piece ends with a whole character: of one that is spread over several tokens the first ones wait. The
    first piece is the prompt.

    Args:
        model: in evaluation mode, prepared by ``prediction``.
        length: of the continuation, in tokens.

    Attributes:
        prompt: what is continued.
        note: what is odd about the prompt; empty where nothing is.
    """

    def __init__(
        self,
        model: nn.Module,
        processor: Any,
        prompt: Prompt,
        sampling: Sampling,
        length: int,
        generator: torch.Generator,
        prediction: Prediction | None = None,
    ) -> None:
        self.prompt, self.note = prompt, prompt.note
        self._prediction, end = prediction or Prediction(), end_of(processor)
        uniform, tokens = numbers_for(sampling, 1, length, generator), prompt.tokens.unsqueeze(0)
        with self._prediction.scope(tokens.device):
            drawn = drawn_tokens(model, tokens, sampling, length, 1, uniform, self._prediction, end)
        self._pieces = _pieces(drawn, processor.decode_tokens, prompt, end)

    def __next__(self) -> str:
        with self._prediction.scope(self.prompt.tokens.device):  # not while the caller does other things
            return next(self._pieces)


def _pieces(
    drawn: Iterator[list[int]], decode_tokens: Callable[[Tensor], str], prompt: Prompt, end: int | None
) -> Iterator[str]:
    generated, shown = prompt.tokens.tolist(), len(prompt.tokens)  # tokens, and how many were handed over

    def new(last: int) -> str:
        first = max(0, shown - WINDOW)  # words need those before them for their blanks
        before, whole = (decode_tokens(torch.tensor(generated[first:at])) for at in (shown, last))
        return whole[len(before) :]

    yield decode_tokens(prompt.whole)
    for (token,) in drawn:
        if token == end:
            break
        generated.append(token)
        ready, piece = len(generated), new(len(generated))
        if piece.endswith(UNFINISHED):
            if ready - shown < MOST_BYTES:
                continue
            ready, piece = shown + 1, new(shown + 1)  # no character begins there, but one may behind it
        yield piece
        shown = ready
    if shown < len(generated):
        yield new(len(generated))
