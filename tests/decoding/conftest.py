"""A small random writer with everything a real one has, and searches written down as plainly as possible."""

import math
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from anncestry.decoding import Search
from anncestry.protocols import Memory
from anncestry.signature import BEGIN

HIDDEN = 6


class ToyState(NamedTuple):
    h: Tensor
    weights: Tensor
    source: Memory


class ToyDecoder(nn.Module):
    """A recurrent decoder with attention, in float64; its scores are sharpened so that they differ."""

    def __init__(self, vocab_size: int, seed: int = 0, sharpness: float = 3.0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.vocab_size, self.sharpness = vocab_size, sharpness
        self.embedding = nn.Embedding(max(vocab_size, BEGIN + 1), HIDDEN)
        self.source_embedding = nn.Embedding(20, HIDDEN)
        self.recurrent = nn.Linear(2 * HIDDEN, HIDDEN)
        self.readout = nn.Linear(2 * HIDDEN, vocab_size)
        self.double().eval().requires_grad_(False)

    def encode(self, source, lengths=None):
        keys = self.source_embedding(source)  # (N, S, H)
        lengths = torch.full((len(source),), source.shape[1]) if lengths is None else lengths
        visible = torch.arange(source.shape[1]) < lengths.unsqueeze(1)
        h = (keys * visible.unsqueeze(-1)).sum(1).tanh()
        return ToyState(h, torch.zeros_like(keys[..., 0]), Memory((keys, visible)))

    def step(self, x_t, state):
        keys, visible = state.source.parts
        beam = len(x_t) // len(keys)
        h = self.recurrent(torch.cat([self.embedding(x_t), state.h], -1)).mul(2).tanh()
        energy = h.view(len(keys), beam, HIDDEN) @ keys.transpose(1, 2)  # (N, k, S)
        weights = energy.masked_fill(~visible.unsqueeze(1), -torch.inf).softmax(-1)
        context = (weights @ keys).flatten(0, 1)
        scores = self.readout(torch.cat([h, context], -1)) * self.sharpness
        return scores, ToyState(h, weights.flatten(0, 1), state.source)

    def alignment(self, state):
        return state.weights

    def forward(self, source, targets, lengths=None):
        raise NotImplementedError


class Found(NamedTuple):
    """What a plain search knows of a hypothesis."""

    tokens: tuple[int, ...]
    ranked: float
    log_prob: float
    state: ToyState
    scores: Tensor
    looks: tuple  # (S,) for each token written and the next one
    finished: bool = False


def penalty(search: Search, length: int) -> float:
    """lp, by its formulas."""
    if search.length_penalty == "gnmt":
        return math.pow(5 + length, search.alpha) / math.pow(6, search.alpha)
    return math.pow(length, search.alpha) if search.length_penalty == "average" else 1.0


def score(search: Search, found: Found) -> float:
    """s, by its formula."""
    length = max(len(found.tokens) + found.finished, 1)
    total = found.ranked / penalty(search, length)
    if search.coverage:
        looked = sum(found.looks[: len(found.tokens) + found.finished])
        total += search.coverage * sum(math.log(min(max(float(a), 1e-7), 1.0)) for a in looked)
    return total


def plain_rules(search: Search, log_probs: list[float], before: tuple[int, ...], length, end, never):
    """The log probabilities under the rules; -inf for what is forbidden."""
    ruled = list(log_probs)
    for token in set(before):
        ruled[token] *= search.repetition_penalty
    for token in [*never, *([end] if length < search.min_length else [])]:
        if token is not None:
            ruled[token] = -math.inf
    size = search.no_repeat_ngram
    if size:
        runs = {before[i : i + size] for i in range(len(before) - size + 1)}
        kept = list(ruled)
        for token in range(len(ruled)):
            if token != end and (*before[len(before) - size + 1 :], token) in runs:
                kept[token] = -math.inf
        ruled = kept if max(kept) > -math.inf else ruled
    return ruled


def plain_search(model, source, search: Search, end=None, never=(), prompt=()) -> list[Found]:
    """The same search for one source, hypothesis by hypothesis, never stopping early."""
    k = search.beam
    scores, state = model.step(torch.tensor([BEGIN]), model.encode(source.unsqueeze(0)))
    live = [Found((), 0.0, 0.0, state, scores[0], (state.weights[0],))]
    finished = []
    limit = search.max_length + int(search.max_factor * len(source))
    for length in range(1, limit + 1):
        options = []
        for found in live:
            log_probs = found.scores.log_softmax(-1).tolist()
            ruled = plain_rules(search, log_probs, (*prompt, *found.tokens), length, end, never)
            for token in range(len(ruled)):
                if ruled[token] > -math.inf:
                    options.append(
                        (found.ranked + ruled[token], found.log_prob + log_probs[token], found, token)
                    )
        options.sort(key=lambda option: -option[0])
        before, live = live, []
        for place, (ranked, log_prob, found, token) in enumerate(options[: 2 * k if k > 1 else 1]):
            if token == end:
                if place < k:
                    finished.append(found._replace(ranked=ranked, log_prob=log_prob, finished=True))
            elif len(live) < k:
                next_scores, next_state = model.step(torch.tensor([token]), found.state)
                looks = (*found.looks, next_state.weights[0])
                tokens = (*found.tokens, token)
                live.append(Found(tokens, ranked, log_prob, next_state, next_scores[0], looks))
        if not live:
            break
    finished.sort(key=lambda found: -score(search, found))
    if not finished and not live:
        live = before
    live.sort(key=lambda found: -score(search, found))
    both = [*finished, *live]
    if search.unfinished == "compared":
        both.sort(key=lambda found: -score(search, found))
    return both[: search.n_best]


@pytest.fixture(scope="session")
def toy_decoder():
    """``toy_decoder(vocab_size, seed, sharpness)``."""
    return ToyDecoder


@pytest.fixture(scope="session", name="plain_rules")
def plain_rules_of_one_hypothesis():
    return plain_rules


@pytest.fixture(scope="session")
def plainly():
    """``plainly(model, source, search, end, never, prompt)``: a list of ``(tokens, score, log_prob, finished,
    alignment)``, best first."""

    def found(model, source, search, end=None, never=(), prompt=()):
        rows = []
        for one in plain_search(model, source, search, end, never, prompt):
            looks = one.looks[: len(one.tokens) + one.finished]
            alignment = torch.stack(looks) if looks else torch.zeros(0, len(source)).double()
            rows.append((one.tokens, score(search, one), one.log_prob, one.finished, alignment))
        return rows

    return found
