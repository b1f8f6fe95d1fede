"""The front door of searching, and where a text begins."""

from collections.abc import Sequence

import torch

from anncestry.arrays import Float, Int, Tensor
from anncestry.decoding.beam import beam_search
from anncestry.decoding.beam_state import Alignment, Request, Step
from anncestry.decoding.greedy import greedy_search
from anncestry.decoding.hypothesis import Hypothesis
from anncestry.decoding.search import Search
from anncestry.errors import require
from anncestry.protocols import EncoderDecoder, SequenceModel, State, outputs_of
from anncestry.signature import BEGIN


@torch.no_grad()
def read_source(
    model: EncoderDecoder, source: Tensor, lengths: Int[Tensor, "N"] | None = None
) -> tuple[Float[Tensor, "N V"], State]:
    """The logits of the first token of each text, and the state behind `BEGIN`."""
    state = model.encode(source, lengths)
    return model.step(torch.full((len(source),), BEGIN, device=source.device), state)


@torch.no_grad()
def read_prompt(model: SequenceModel, prompt: Int[Tensor, "N T"]) -> tuple[Float[Tensor, "N V"], State]:
    """The logits of what follows each prompt in a language model, read in one pass, and the state.

    A model that has ``after`` computes no logits of what follows the earlier tokens.
    """
    require(prompt.shape[1] >= 1, "prompt", "", "must hold at least one token")
    if hasattr(model, "after"):
        return model.after(prompt)  # pyright: ignore[reportAttributeAccessIssue]
    outputs, state = outputs_of(model, prompt)  # pyright: ignore[reportArgumentType]
    return outputs[:, -1], state


def decode(
    step: Step,
    logits: Float[Tensor, "N V"],
    state: State,
    search: Search,
    *,
    end: int | None = None,
    never: Sequence[int] = (),
    alignment: Alignment | None = None,
    lengths: Int[Tensor, "N"] | None = None,
    context: Int[Tensor, "N P"] | None = None,
    keep_alignment: bool = False,
) -> list[list[Hypothesis]]:
    """The best texts of every source, of any decoder.

    Args:
        step: of the decoder, in evaluation mode.
        logits: of the first token; with ``state`` from `read_source` or `read_prompt`.
        state: one row for each source; it is not changed.
        search: how; a ``beam`` of 1 is greedy search.
        end: the token that ends a text; None where none does: every text then has the greatest length.
        never: tokens that are never generated.
        alignment: gives the weights of the last step from a state, as `EncoderDecoder` does.
        lengths: of the sources.
        context: (N, P) tokens before the first one that rules on repetition also count: a prompt.
        keep_alignment: whether the hypotheses have their alignment, where the decoder has one.

    Returns:
        At most ``n_best`` for each source, best first: those that are finished and those that were cut at the
        greatest length, together or one behind the other as ``search.unfinished`` says. Never none.
    """
    num_sources, vocab_size = logits.shape
    rule = f"must be at most the size of the vocabulary, which is {vocab_size}"
    require(search.beam <= vocab_size, "beam", search.beam, rule)
    free = set(range(vocab_size)) - {*never, end}
    require(bool(free), "never", list(never), "must leave a token to generate")
    for name, value in (("lengths", lengths), ("context", context)):
        rule = f"has a row for each source: {num_sources}"
        require(value is None or len(value) == num_sources, name, value, rule)
    if not num_sources:
        return []
    request = Request(
        step=step, search=search, end=end, never=never, alignment=alignment, lengths=lengths,
        context=context, keep_alignment=keep_alignment,
    )  # fmt: skip
    return (greedy_search if search.beam == 1 else beam_search)(request, logits, state)
