"""Beam search over any decoder."""

import itertools
from typing import NamedTuple

import torch

from anncestry.arrays import Bool, Float, Int, Tensor
from anncestry.decoding.beam_state import BeamState, Continuations, Request, check_numbers, split_of
from anncestry.decoding.hypothesis import Hypothesis
from anncestry.decoding.search import Search
from anncestry.decoding.trace import Ended, Trace
from anncestry.protocols import State, map_state, reorder_state


class Live(NamedTuple):
    """Hypotheses that are not finished, best first; minus infinity marks an empty place.

    Attributes:
        ranked: log P as the rules see it, by which they are ranked.
        log_prob: log P as the model sees it.
        cost: the coverage penalty.
    """

    ranked: Float[Tensor, "N k"]
    log_prob: Float[Tensor, "N k"]
    cost: Float[Tensor, "N k"]

    @classmethod
    def one(cls, like: Float[Tensor, "N V"], beam: int) -> "Live":
        """Nothing is generated yet: one hypothesis for each source."""
        dtype = torch.promote_types(like.dtype, torch.float32)
        zeros = torch.zeros(len(like), beam, dtype=dtype, device=like.device)
        ranked = torch.full_like(zeros, -torch.inf)
        ranked[:, 0] = 0.0
        return cls(ranked, zeros, zeros)

    def score(self, length: int, search: Search) -> Float[Tensor, "N k"]:
        """What they are ranked by where they end with this length."""
        return self.ranked / search.penalty(float(length)) + self.cost

    def cut(self, length: int, search: Search) -> Ended:
        """These, where they end unfinished."""
        score = self.score(max(length, 1), search)
        slots = torch.arange(score.shape[1], device=score.device).expand_as(score)
        return Ended(score, self.log_prob, torch.full_like(slots, length), slots, slots < 0)


@torch.no_grad()
def beam_search(request: Request, logits: Float[Tensor, "N V"], state: State) -> list[list[Hypothesis]]:
    """The best texts of each source.

    Each step takes the 2k best continuations of the k hypotheses of a source. An end among the first k
    of them finishes a hypothesis; the best k others go on, ranked by log P. So those that end never take the
    place of those that go on. Finished ones are kept apart, the k best by score.

    A source is done when nothing can overtake the ``n_best`` that are finished: log P only falls and no
    coverage is above 0, so nothing comes to more than its log P over the largest penalty still ahead.
    """
    search, device, num_sources = request.search, logits.device, len(logits)
    sources, order = (torch.arange(size, device=device) for size in (num_sources, search.beam))
    limits = search.limits(num_sources, request.lengths).to(device)
    live, trace = Live.one(logits, search.beam), Trace(num_sources, search.beam, device)
    longest = search.penalty(limits.to(live.ranked))
    finished = Ended.empty(num_sources, search.beam, live.ranked)
    ended = Ended.empty(num_sources, search.n_best, live.ranked)
    beams = BeamState.start(state, search, request.context, logits)
    for length in itertools.count(1):
        before, beam = live, len(logits) // len(sources)  # one row for each source at first, then k
        beams, live, parents, tokens = _extend(request, logits, beams, live, trace, sources, length)
        is_end = torch.zeros_like(tokens, dtype=torch.bool) if request.end is None else tokens == request.end
        finished = _with_finished(finished, live, parents, is_end, length, search)
        live, parents, tokens = _going_on(live, parents, tokens, is_end, search.beam)
        trace.keep(length - 1, sources, tokens, parents)

        best = live.ranked[:, 0]
        reachable = best / longest.clamp(min=search.penalty(length + 1.0))
        at_limit = limits <= length
        done = (finished.score[:, search.n_best - 1] >= reachable) | at_limit
        short = done & (finished.score[:, search.n_best - 1] == -torch.inf)
        asked = short | at_limit if search.unfinished == "compared" else short
        facts = torch.stack([(parents != order).any(), best.isnan().any(), asked.any()])
        *leaves, moved, broken, cut = torch.cat([done, facts]).tolist()  # the one wait for the device
        check_numbers(broken)
        stay = None
        if any(leaves):
            gone, stay = split_of(leaves, device)
            last = finished.best(search.n_best)
            if cut:
                now, earlier = live.cut(length, search), before.cut(length - 1, search)
                last = _with_cut(finished, now, earlier, at_limit, search)
            ended = ended.leaving(sources, last, gone)
            if not len(stay):
                break
        if moved or stay is not None or beam < search.beam:
            kept = torch.arange(len(sources), device=device) if stay is None else stay
            beams = beams.move((kept.unsqueeze(1) * beam + parents[kept]).flatten(), stay)
        if stay is not None:
            all_of = (sources, limits, longest, tokens, live, finished)
            sources, limits, longest, tokens, live, finished = reorder_state(all_of, stay)
        logits, beams = beams.step(request.step, tokens.flatten())
    return trace.hypotheses(ended, request.lengths)


def _extend(
    request: Request,
    logits: Float[Tensor, "R V"],
    beams: BeamState,
    live: Live,
    trace: Trace,
    sources: Int[Tensor, "M"],
    length: int,
) -> tuple[BeamState, Live, Int[Tensor, "M candidates"], Int[Tensor, "M candidates"]]:
    """The 2k best ways to go on, with the hypotheses they go on from and their tokens."""
    search, shape = request.search, (len(sources), len(logits) // len(sources), -1)
    now, so_far = live.ranked[:, : shape[1]], live.log_prob[:, : shape[1]]
    best = Continuations.best(logits, now.contiguous(), so_far, 2 * search.beam, request, length, beams)
    ranked, log_prob, parents, tokens = best
    cost = torch.zeros_like(ranked)
    if request.needs_weights:
        weights = request.weights(beams.state)
        if request.keep_alignment and weights is not None:
            trace.keep_weights(length - 1, sources, weights.view(shape))
        if search.coverage and weights is not None:
            beams = beams.attending(weights)
            lengths = None if request.lengths is None else request.lengths.to(sources.device)[sources]
            cost = search.uncovered(beams.attended.view(shape), lengths).gather(1, parents)  # pyright: ignore
    return beams, Live(ranked, log_prob, cost), parents, tokens


def _going_on(
    live: Live, parents: Tensor, tokens: Tensor, is_end: Bool[Tensor, "M candidates"], beam: int
) -> tuple[Live, Int[Tensor, "M k"], Int[Tensor, "M k"]]:
    """The k best that did not end: there are as many, since each hypothesis ends in one way only."""
    ranked, order = live.ranked.masked_fill(is_end, -torch.inf).topk(beam)
    live, parents, tokens = map_state(lambda part: part.gather(1, order), (live, parents, tokens))
    return live._replace(ranked=ranked), parents, tokens


def _with_finished(
    finished: Ended,
    new: Live,
    parents: Tensor,
    is_end: Bool[Tensor, "M candidates"],
    length: int,
    search: Search,
) -> Ended:
    """The k best of those finished before and now."""
    score = new.score(length, search).masked_fill(~is_end, -torch.inf)
    now = Ended(score, new.log_prob, torch.full_like(parents, length), parents, score > -torch.inf)
    both = map_state(lambda old, part: torch.cat([old, part[:, : search.beam]], 1), finished, now)
    order = both.score.topk(search.beam).indices
    return map_state(lambda part: part.gather(1, order), both)


def _with_cut(
    finished: Ended, cut: Ended, before: Ended, at_limit: Bool[Tensor, "M"], search: Search
) -> Ended:
    """The best of those that are finished and of those cut now, as the search asks: ``n_best`` together.

    Where nothing is finished and nothing can go on, those of one step before were cut.
    """
    cut = cut._replace(score=cut.score.masked_fill(~at_limit[:, None], -torch.inf))
    stuck = torch.cat([finished.score, cut.score], 1).amax(1, keepdim=True) == -torch.inf
    cut = map_state(lambda old, part: torch.where(stuck, old, part), before, cut)
    both = map_state(lambda *parts: torch.cat(parts, 1), finished, cut)
    order = both.score.argsort(dim=1, descending=True, stable=True)
    if search.unfinished == "last":
        first = both.finished.gather(1, order).int().argsort(dim=1, descending=True, stable=True)
        order = order.gather(1, first)
    order = order[:, : search.n_best]
    return map_state(lambda part: part.gather(1, order), both)
