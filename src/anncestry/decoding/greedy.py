"""The best token each time."""

import itertools

import torch

from anncestry.arrays import Float, Tensor
from anncestry.decoding.beam_state import BeamState, Continuations, Request, check_numbers, split_of
from anncestry.decoding.hypothesis import Hypothesis
from anncestry.decoding.trace import Ended, Trace
from anncestry.protocols import State, reorder_state


@torch.no_grad()
def greedy_search(request: Request, logits: Float[Tensor, "N V"], state: State) -> list[list[Hypothesis]]:
    """One text for each source, which is done with its first end."""
    search, device, num_sources = request.search, logits.device, len(logits)
    sources = torch.arange(num_sources, device=device)
    limits = search.limits(num_sources, request.lengths).to(device).unsqueeze(1)
    trace, beams = Trace(num_sources, 1, device), BeamState.start(state, search, request.context, logits)
    ranked = logits.new_zeros(num_sources, 1, dtype=torch.promote_types(logits.dtype, torch.float32))
    log_prob, origin = ranked, torch.zeros_like(limits)
    ended = Ended.empty(num_sources, 1, ranked)
    for length in itertools.count(1):
        before = (ranked, log_prob)
        best = Continuations.best(logits, ranked, log_prob, 1, request, length, beams)  # (M, 1)
        ranked, log_prob, _, tokens = best
        if request.needs_weights:
            weights = request.weights(beams.state)
            if request.keep_alignment and weights is not None:
                trace.keep_weights(length - 1, sources, weights.unsqueeze(1))
            if search.coverage and weights is not None:
                beams = beams.attending(weights)
        trace.keep(length - 1, sources, tokens, origin)

        is_end = torch.zeros_like(limits, dtype=torch.bool) if request.end is None else tokens == request.end
        done = is_end | (limits <= length) | (ranked == -torch.inf)
        *leaves, broken = torch.cat([done.flatten(), ranked.isnan().any().view(1)]).tolist()
        check_numbers(broken)
        if any(leaves):
            stuck = ranked == -torch.inf  # nothing may be generated: it ends one step before
            lengths = length - stuck.long()
            score = torch.where(stuck, before[0], ranked) / search.penalty(lengths.clamp(min=1).to(ranked))
            if search.coverage:
                seen = None if request.lengths is None else request.lengths.to(device)[sources]
                score = score + search.uncovered(beams.attended.unsqueeze(1), seen)  # pyright: ignore
            last = Ended(score, torch.where(stuck, before[1], log_prob), lengths, origin, is_end & ~stuck)
            gone, stay = split_of(leaves, device)
            ended = ended.leaving(sources, last, gone)
            if not len(stay):
                break
            all_of = (sources, limits, origin, tokens, ranked, log_prob)
            sources, limits, origin, tokens, ranked, log_prob = reorder_state(all_of, stay)
            beams = beams.move(stay, stay)
        logits, beams = beams.step(request.step, tokens.flatten())
    return trace.hypotheses(ended, request.lengths)
