"""Language models continue a prompt: by sampling, or with the most probable text a beam search finds."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from anncestry.amounts import check_seed
from anncestry.arrays import Int, Tensor
from anncestry.data.processors.given import Given
from anncestry.decoding import Sampling, Search, decode, read_prompt, sample
from anncestry.engine.prediction import Prediction
from anncestry.engine.progress import Counter, Progress

WINDOW = 8  # tokens that are decoded together
UNFINISHED, MOST_BYTES = "\ufffd", 4  # a character of which a token holds but some bytes, and their number


@dataclass(frozen=True)
class Prompt:
    """What a language model continues.

    Attributes:
        label: how a row names it: the text, or the name of its file.
        whole: (P,) all its tokens.
        tokens: (T,) those that are read: the last ones, no more than the model has positions.
        note: says that its beginning is not read; else empty.
    """

    label: str
    whole: Int[Tensor, "P"]
    tokens: Int[Tensor, "T"]
    note: str = ""


def read_given(model: nn.Module, processor: Any, given: Given) -> Prompt:
    """A prompt as a person gave it: its end, where it has more tokens than the model has positions.

    Args:
        processor: of texts in tokens.
        given: a text, or a `Path` to a file with one.

    Raises:
        UserError: it is blank, or a character or word is not in the vocabulary.
    """
    (label,), (tokens,) = processor.read(given)
    positions = getattr(model.config, "num_positions", len(tokens))
    note = f"only its last {positions} of {len(tokens)} tokens are read; the net has no more positions"
    cut = len(tokens) > positions
    return Prompt(label, tokens, tokens[-positions:], note if cut else "")


def continue_prompts(
    model: nn.Module,
    processor: Any,
    inputs: Given,
    settings: Sampling | Search,
    length: int,
    num_samples: int,
    seed: int | torch.Generator | None,
    prediction: Prediction,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """The continuations of prompts, which a language model samples or a beam search finds.

    Args:
        model: in evaluation mode, prepared by ``prediction``.
        inputs: a prompt as for `read_given`, or a list of them.
        length: of each continuation, in tokens.
        num_samples: how many continuations of each prompt are sampled.
        seed: as for `generator_of`; the samples of all prompts are drawn with one generator.
        progress: called with how many tokens are done, and how many there are.

    Returns:
        The rows of `sample_rows` or `search_row`, in the order of the prompts.
    """
    given, random = inputs if isinstance(inputs, list) else [inputs], generator_of(seed)
    prompts = [read_given(model, processor, one) for one in given]
    counter, rows = Counter(progress, length * len(prompts)), []
    for prompt in prompts:
        if isinstance(settings, Search):
            rows.append(search_row(model, processor, prompt, settings, prediction, counter))
        else:
            rows += sample_rows(model, processor, prompt, settings, length, random, num_samples, counter)
    return rows


def sample_rows(
    model: nn.Module,
    processor: Any,
    prompt: Prompt,
    sampling: Sampling,
    length: int,
    generator: torch.Generator,
    num_samples: int,
    counter: Counter,
) -> list[dict[str, Any]]:
    """Sampled continuations of a prompt.

    Args:
        length: of each continuation, in tokens.
        counter: of tokens, those of samples side by side counted once.

    Returns:
        A row ``{"input", "continuation", "text"}`` for each sample; ``text`` is the prompt with it.
    """
    drawn = []
    for tokens in sample(model, prompt.tokens, length, sampling, generator, num_samples):  # pyright: ignore[reportArgumentType]
        drawn.append(tokens)
        counter.add()
    return [_row(processor, prompt, tokens) for tokens in torch.tensor(drawn).view(-1, num_samples).t()]


def search_row(
    model: nn.Module,
    processor: Any,
    prompt: Prompt,
    search: Search,
    prediction: Prediction,
    counter: Counter,
) -> dict[str, Any]:
    """The most probable continuation that a search finds; all have the greatest length of the search.

    Args:
        model: in evaluation mode, prepared by ``prediction``.
        counter: of tokens.

    Returns:
        A row ``{"input", "continuation", "text", "score"}``; with ``n_best`` above 1 also ``n_best``: rows of
        continuation and score. The score is what they are ranked by (`anncestry.decoding.Search`).
    """

    def step(tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        counter.add()
        return model.step(tokens, state)  # pyright: ignore[reportCallIssue]

    source = prompt.tokens.unsqueeze(0)
    with prediction.scope(prompt.tokens.device):
        logits, state = read_prompt(model, source)  # pyright: ignore[reportArgumentType]
        counter.add()
        (found,) = decode(step, logits, state, search, context=source)
    rows = [
        {**_row(processor, prompt, torch.tensor(hypothesis.tokens)), "score": hypothesis.score}
        for hypothesis in found
    ]
    if search.n_best == 1:
        return rows[0]
    return rows[0] | {
        "n_best": [{key: row[key] for key in ("continuation", "text", "score")} for row in rows]
    }


def _row(processor: Any, prompt: Prompt, tokens: Int[Tensor, "L"]) -> dict[str, Any]:
    text = processor.decode_tokens(torch.cat([prompt.whole, tokens]))
    row = {"input": prompt.label, "continuation": processor.decode_tokens(tokens), "text": text}
    return row | ({"note": prompt.note} if prompt.note else {})


class TextStream(Iterator[str]):
    """A sampled continuation in pieces of text, each as soon as its tokens are known.

    A piece ends with a whole character: of one that is spread over several tokens the first ones wait. The
    first piece is the prompt.

    Args:
        model: in evaluation mode.
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
    ) -> None:
        self.prompt, self.note = prompt, prompt.note
        drawn = sample(model, prompt.tokens, length, sampling, generator)  # pyright: ignore[reportArgumentType]
        self._pieces = _pieces(drawn, processor.decode_tokens, prompt, length)

    def __next__(self) -> str:
        return next(self._pieces)


def _pieces(
    drawn: Iterator[list[int]], decode_tokens: Callable[[Tensor], str], prompt: Prompt, length: int
) -> Iterator[str]:
    generated, shown = prompt.tokens.tolist(), len(prompt.tokens)  # tokens, and how many were handed over
    last = shown + length
    yield decode_tokens(prompt.whole)
    for (token,) in drawn:
        generated.append(token)
        first = max(0, shown - WINDOW)  # words need those before them for their blanks
        before, whole = (decode_tokens(torch.tensor(generated[first:end])) for end in (shown, len(generated)))
        waiting = len(generated) - shown < MOST_BYTES and len(generated) < last
        if waiting and whole.endswith(UNFINISHED):
            continue
        yield whole[len(before) :]
        shown = len(generated)


def generator_of(seed: int | torch.Generator | None) -> torch.Generator:
    """The generator that samples are drawn with.

    Args:
        seed: a number, a generator that goes on where it is, or None for 0.

    Raises:
        UserError: the number is out of range.
    """
    if isinstance(seed, torch.Generator):
        return seed
    seed = 0 if seed is None else seed
    check_seed(seed)
    return torch.Generator().manual_seed(seed)
