"""The best next tokens over all hypotheses of a source."""

import torch

from anncestry.arrays import Float, Int, Tensor

CHUNK = 64  # tokens
MANY = 2**15  # numbers, from which on more operations on fewer numbers pay


def best_candidates(
    log_probs: Float[Tensor, "N k V"], before: Float[Tensor, "N k"], count: int
) -> tuple[Float[Tensor, "N candidates"], Int[Tensor, "N candidates"], Int[Tensor, "N candidates"]]:
    """The ``count`` largest ``log_probs + before``, best first, with their hypotheses and their tokens.

    Where there are fewer, the rest is minus infinity.
    """
    beam, vocab_size = log_probs.shape[1:]
    chunked = vocab_size >= CHUNK and beam * vocab_size >= 8 * CHUNK * count and log_probs.numel() >= MANY
    return (_best_of_chunks if chunked else _best_of_all)(log_probs, before, count)


def _best_of_chunks(log_probs: Tensor, before: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
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


def _best_of_all(log_probs: Tensor, before: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    vocab_size = log_probs.shape[-1]
    values = (log_probs + before.unsqueeze(-1)).flatten(1)
    best = values.topk(min(count, values.shape[1]))
    missing = (0, count - best.values.shape[1])
    places = torch.nn.functional.pad(best.indices, missing)
    best_values = torch.nn.functional.pad(best.values, missing, value=-torch.inf)
    return best_values, places // vocab_size, places % vocab_size
