"""Baselines of sequences: frequencies of tags, frames and tokens, and counted n-grams."""

import math

import numpy as np
import torch
from torch import Tensor

from anncestry.data.splits.dataset import Dataset, Examples, ParallelStreams, Stream
from anncestry.protocols import IGNORED
from anncestry.race.baseline import Baseline, scored_outputs
from anncestry.race.ngram_baseline import KneserNey, unigram_log_probabilities
from anncestry.race.outcomes import Scored, scored_tokens

MAX_TEXT = 4_000_000  # tokens the n-gram model reads


def _frequent_tag(dataset: Dataset) -> tuple[Scored, str]:
    train, test = dataset.train, dataset.test
    assert isinstance(train, Examples)
    assert isinstance(test, Examples)
    K, inside = dataset.signature.output_size, train.targets != IGNORED
    counts = torch.full((dataset.signature.vocab_size, K), 0.01)
    pairs = train.inputs[inside] * K + train.targets[inside]
    counts.view(-1).index_add_(0, pairs, torch.ones(len(pairs)))
    known = counts.sum(1) > 0.011 * K
    counts[~known] = counts.sum(0)  # a word never seen: as all words together
    outputs = (counts / counts.sum(1, keepdim=True)).log()
    return scored_outputs(dataset, outputs[test.inputs]), ""


def _frame_scores(dataset: Dataset, on: Tensor) -> Scored:
    """``on``: the probability of every bit of the test frames."""
    assert isinstance(dataset.test, Examples)
    logits = torch.logit(on.clamp(1e-4, 1 - 1e-4)).expand_as(dataset.test.targets)
    return scored_outputs(dataset, logits)


def _key_frequency(dataset: Dataset) -> tuple[Scored, str]:
    assert isinstance(dataset.train, Examples)
    targets = dataset.train.targets
    return _frame_scores(dataset, targets[targets[..., 0] != IGNORED].mean(0)), ""


def _same_frame(dataset: Dataset) -> tuple[Scored, str]:
    train, test = dataset.train, dataset.test
    assert isinstance(train, Examples)
    assert isinstance(test, Examples)
    inside = train.targets[..., 0] != IGNORED
    before, after = train.inputs[inside], train.targets[inside]
    # Of each key apart, and never certain: how often it stays, and how often it comes.
    stays = (before * after).sum(0).add(0.5) / before.sum(0).add(1)
    comes = ((1 - before) * after).sum(0).add(0.5) / (1 - before).sum(0).add(1)
    return _frame_scores(dataset, torch.where(test.inputs > 0, stays, comes)), ""


def _tokens(split) -> np.ndarray:
    if isinstance(split, ParallelStreams):  # each row but the last ends with the first token of the next
        return split.tokens[:, :-1].flatten().numpy()
    assert isinstance(split, Stream)
    return split.tokens.long().numpy()


def _text_figures(nats: float) -> dict[str, float]:
    return {"loss": nats, "bits": nats / math.log(2), "perplexity": math.exp(min(nats, 700.0))}


def _unigram(dataset: Dataset) -> tuple[Scored, str]:
    table = unigram_log_probabilities(_tokens(dataset.train), dataset.signature.vocab_size)
    return scored_tokens(table[_tokens(dataset.test)[1:]], _text_figures), ""


def _kneser_ney(dataset: Dataset) -> tuple[Scored, str]:
    tokens = _tokens(dataset.train)
    model = KneserNey(tokens[-MAX_TEXT:], dataset.signature.vocab_size, _tokens(dataset.validation))
    note = f"{model.order}-grams, the order chosen on validation"
    if len(tokens) > MAX_TEXT:
        note += f"; the last {MAX_TEXT:,} of {len(tokens):,} training tokens"
    return scored_tokens(model.log_probabilities(_tokens(dataset.test)), _text_figures), note


FREQUENT_TAG = Baseline(
    "frequent-tag", "Most frequent tag", "the tag that the word has most often in training", _frequent_tag
)
KEY_FREQUENCY = Baseline("frequency", "Frequency", "every bit as often as in training", _key_frequency)
SAME_FRAME = Baseline(
    "same-frame", "Same frame", "the last frame again, with a chance of change", _same_frame
)
LANGUAGE_MODELS = [
    Baseline("unigram", "Unigram", "the frequency of each token, whatever came before", _unigram),
    Baseline(
        "kneser-ney", "Kneser-Ney n-gram", "interpolated n-gram counts, modified discounts", _kneser_ney
    ),
]
