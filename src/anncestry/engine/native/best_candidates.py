"""The best next tokens over all hypotheses of a source: log-softmax and the choice of a beam's candidates.

Each is cheap, but over a large vocabulary the logits are read and written five times on the way. The kernel
reads them once.
"""

import functools
from collections.abc import Sequence

import torch

from anncestry.arrays import Float, Int, Tensor
from anncestry.engine.native.library import address, kernel, threads_for

CHUNK = 64  # tokens
MANY = 2**15  # numbers, from which on more operations on fewer numbers pay
MOST = 256  # candidates, for which the kernel's sorted lists are short enough
_NAMES = {torch.float32: "best_candidates_float", torch.bfloat16: "best_candidates_bfloat16"}

Candidates = tuple[Float[Tensor, "N candidates"], Int[Tensor, "N candidates"], Int[Tensor, "N candidates"]]
"""Their values, best first, their hypotheses and their tokens."""


def best_candidates(
    logits: Float[Tensor, "R V"],
    before: Float[Tensor, "N k"],
    count: int,
    forbidden: Sequence[int] = (),
) -> Candidates:
    """The ``count`` largest ``log_softmax(logits) + before``, in float32 or better.

    Where there are fewer, the rest is minus infinity. Where a number of a source is none, its best is none.

    Args:
        before: what the hypotheses of each source have so far, k of them one after the other.
        forbidden: tokens that are not chosen; they count in the softmax.
    """
    native = kernel(_NAMES[logits.dtype], "ppppppiiiiii") if _fits(logits, before, count) else None
    if native is None:
        return plain_best_candidates(logits, before, count, forbidden)
    (sources, beam), size, device = before.shape, logits.shape[1], logits.device
    values = torch.empty(sources, count, device=device)
    parents, tokens = torch.empty(2, sources, count, dtype=torch.long, device=device)
    ids = _as_tensor(tuple(forbidden))
    parts = (address(part) for part in (logits, before, ids, values, parents, tokens))
    native(*parts, sources, beam, size, len(ids), count, threads_for(logits.numel()))
    return values, parents, tokens


@functools.lru_cache(maxsize=64)
def _as_tensor(ids: tuple[int, ...]) -> Int[Tensor, "F"]:
    return torch.tensor(ids, dtype=torch.long)


def _fits(logits: Tensor, before: Tensor, count: int) -> bool:
    return (
        logits.dtype in _NAMES
        and logits.device.type == "cpu"
        and before.dtype == torch.float32
        and logits.is_contiguous()
        and before.is_contiguous()
        and logits.shape[0] == before.numel()
        and count <= MOST
        and not torch.is_grad_enabled()
    )


def plain_best_candidates(
    logits: Float[Tensor, "R V"],
    before: Float[Tensor, "N k"],
    count: int,
    forbidden: Sequence[int] = (),
) -> Candidates:
    """`best_candidates` by PyTorch's operators."""
    log_probs = logits.log_softmax(-1, dtype=torch.promote_types(logits.dtype, torch.float32))
    for token in forbidden:
        log_probs[:, token] = -torch.inf
    return best_of_log_probs(log_probs.view(*before.shape, logits.shape[1]), before, count)


def best_of_log_probs(
    log_probs: Float[Tensor, "N k V"], before: Float[Tensor, "N k"], count: int
) -> Candidates:
    """The ``count`` largest ``log_probs + before``; as `best_candidates` gives them."""
    beam, vocab_size = log_probs.shape[1:]
    chunked = vocab_size >= CHUNK and beam * vocab_size >= 8 * CHUNK * count and log_probs.numel() >= MANY
    return (_best_of_chunks if chunked else _best_of_all)(log_probs, before, count)


def _best_of_chunks(log_probs: Tensor, before: Tensor, count: int) -> Candidates:
    """The best C lie in the C chunks of the vocabulary whose maxima are the best.

    Finding maxima takes a small part of the time of ``topk``, which then sees only those chunks.
    """
    vocab_size = log_probs.shape[-1]
    whole = vocab_size // CHUNK * CHUNK
    maxima = log_probs[..., :whole].unflatten(-1, (-1, CHUNK)).amax(-1)
    if whole < vocab_size:
        maxima = torch.cat([maxima, log_probs[..., whole:].amax(-1, keepdim=True)], -1)
    num_chunks = maxima.shape[-1]
    chunks = (maxima + before.unsqueeze(-1)).flatten(1).topk(count, sorted=False).indices  # (N, C)
    rows, starts = chunks // num_chunks, chunks % num_chunks * CHUNK
    tokens = starts.unsqueeze(-1) + torch.arange(CHUNK, device=chunks.device)  # (N, C, CHUNK)
    beyond = tokens >= vocab_size
    tokens = tokens.clamp(max=vocab_size - 1)
    places = rows.unsqueeze(-1) * vocab_size + tokens
    values = log_probs.flatten(1).gather(1, places.flatten(1)).view_as(tokens)
    values = values + before.gather(1, rows).unsqueeze(-1)
    if whole < vocab_size:
        values = values.masked_fill(beyond, -torch.inf)
    best = values.flatten(1).topk(count)
    return best.values, rows.gather(1, best.indices // CHUNK), tokens.flatten(1).gather(1, best.indices)


def _best_of_all(log_probs: Tensor, before: Tensor, count: int) -> Candidates:
    vocab_size = log_probs.shape[-1]
    values = (log_probs + before.unsqueeze(-1)).flatten(1)
    best = values.topk(min(count, values.shape[1]))
    missing = (0, count - best.values.shape[1])
    places = torch.nn.functional.pad(best.indices, missing)
    best_values = torch.nn.functional.pad(best.values, missing, value=-torch.inf)
    return best_values, places // vocab_size, places % vocab_size
