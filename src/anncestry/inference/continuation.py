"""Language models continue a prompt: by sampling, or with the most probable text a beam search finds.

Prompts of as many tokens are read and continued as one batch, as are all samples of a prompt; batches of
other lengths are continued beside them, each by one thread.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from anncestry.amounts import check_seed
from anncestry.arrays import Int, Tensor
from anncestry.data.processors.given import Given
from anncestry.decoding import Sampling, Search, decode, read_prompt, stream
from anncestry.decoding.beam_state import Step
from anncestry.decoding.sampling import uniform_numbers
from anncestry.engine.prediction import Prediction
from anncestry.engine.progress import Counter, Progress
from anncestry.engine.workers import side_by_side

TOGETHER = 32  # texts in a batch


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
    counter = Counter(progress, length * len(prompts))
    if isinstance(settings, Sampling):
        about = (settings, length, random, num_samples, prediction, counter)
        return sample_rows(model, processor, prompts, *about)
    return [search_row(model, processor, prompt, settings, prediction, counter) for prompt in prompts]


def sample_rows(
    model: nn.Module,
    processor: Any,
    prompts: Sequence[Prompt],
    sampling: Sampling,
    length: int,
    generator: torch.Generator,
    num_samples: int,
    prediction: Prediction,
    counter: Counter,
) -> list[dict[str, Any]]:
    """Sampled continuations of prompts. They are the same whatever other prompts stand beside them.

    Args:
        model: in evaluation mode, prepared by ``prediction``.
        length: of each continuation, in tokens.
        counter: of tokens, those of samples side by side counted once.

    Returns:
        A row ``{"input", "continuation", "text"}`` for each sample; ``text`` is the prompt with it. Those of
        a prompt are side by side, in the order of the prompts.
    """
    if not prompts:
        return []
    numbers = [numbers_for(sampling, num_samples, length, generator) for _ in prompts]
    end, device = end_of(processor), prompts[0].tokens.device

    def texts(places: list[int]) -> list[list[Tensor]]:
        tokens = torch.stack([prompts[place].tokens for place in places])
        chosen = [numbers[place] for place in places]
        uniform = None if chosen[0] is None else torch.cat(chosen)  # pyright: ignore[reportArgumentType]
        drawn = []
        for step in drawn_tokens(model, tokens, sampling, length, num_samples, uniform, prediction, end):
            drawn.append(step)
            counter.add(len(places))
        counter.add((length - len(drawn)) * len(places))
        rows = torch.tensor(drawn).t().unflatten(0, (len(places), num_samples))
        return [[_before_end(text, end) for text in of_prompt] for of_prompt in rows]

    batches = _of_equal_length(prompts, max(1, TOGETHER // num_samples))
    found: list[list[Tensor]] = [[] for _ in prompts]
    with prediction.scope(device):
        for places, of_batch in zip(batches, side_by_side(texts, batches, prediction, device), strict=True):
            for place, samples in zip(places, of_batch, strict=True):
                found[place] = samples
    pairs = zip(prompts, found, strict=True)
    return [_row(processor, prompt, tokens) for prompt, samples in pairs for tokens in samples]


def _of_equal_length(prompts: Sequence[Prompt], most: int) -> list[list[int]]:
    """Which prompts make a batch: those of as many tokens, at most so many together; the longest first."""
    by_length: dict[int, list[int]] = {}
    for place, prompt in enumerate(prompts):
        by_length.setdefault(len(prompt.tokens), []).append(place)
    return [
        places[first : first + most]
        for _, places in sorted(by_length.items(), reverse=True)
        for first in range(0, len(places), most)
    ]


def numbers_for(sampling: Sampling, rows: int, length: int, generator: torch.Generator) -> Tensor | None:
    """(rows, length) numbers by which tokens are chosen; None where the best are."""
    return uniform_numbers(rows, length, generator) if sampling.temperature > 0 else None


def drawn_tokens(
    model: Any,
    tokens: Int[Tensor, "N T"],
    sampling: Sampling,
    length: int,
    num_samples: int,
    uniform: Tensor | None,
    prediction: Prediction,
    end: int | None,
) -> Iterator[list[int]]:
    """The tokens of every sample, one of each at a time; within the scope of ``prediction``."""
    logits, state = read_prompt(model, tokens)
    more = {"context": tokens, "num_samples": num_samples, "uniform": uniform, "end": end}
    return stream(_step_of(model, tokens, prediction), logits, state, sampling, length, **more)


def _step_of(model: Any, prompts: Int[Tensor, "N T"], prediction: Prediction) -> Step:
    """The model's step, behind prompts, with as many threads as are fastest for it."""
    device, length = prompts.device, prompts.shape[1]

    def step(tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        nonlocal length
        length += 1
        with prediction.threads(device, "step", len(tokens), length):
            return model.step(tokens, state)

    return step


def end_of(processor: Any) -> int | None:
    """The token with which texts end, where the model learnt to generate one."""
    return getattr(processor, "end_of_text", None)


def _before_end(tokens: Int[Tensor, "L"], end: int | None) -> Int[Tensor, "length"]:
    return tokens if end is None else tokens[: int((tokens != end).cumprod(0).sum())]


def search_row(
    model: nn.Module,
    processor: Any,
    prompt: Prompt,
    search: Search,
    prediction: Prediction,
    counter: Counter,
) -> dict[str, Any]:
    """The most probable continuation that a search finds.

    Greedy search stops at the end of a text, where the model generates one. Hypotheses of a beam all have the
    greatest length of the search: the most probable of different lengths would be the shortest.

    Args:
        model: in evaluation mode, prepared by ``prediction``.
        counter: of tokens.

    Returns:
        A row ``{"input", "continuation", "text", "score"}``; with ``n_best`` above 1 also ``n_best``: rows of
        continuation and score. The score is what they are ranked by (`anncestry.decoding.Search`).
    """

    source = prompt.tokens.unsqueeze(0)
    go_on = _step_of(model, source, prediction)

    def step(tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        counter.add()
        return go_on(tokens, state)

    end = end_of(processor) if search.beam == 1 else None
    with prediction.scope(prompt.tokens.device):
        logits, state = read_prompt(model, source)  # pyright: ignore[reportArgumentType]
        counter.add()
        (found,) = decode(step, logits, state, search, end=end, context=source)
    rows = [
        {
            **_row(processor, prompt, torch.tensor(hypothesis.tokens, dtype=torch.long)),
            "score": hypothesis.score,
        }
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
