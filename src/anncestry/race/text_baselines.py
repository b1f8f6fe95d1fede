"""Baselines of generation tasks: they translate or caption without a network.

Each gives every token of the test split a probability, for the perplexity, and a text for each source, which
is evaluated as a model's text is. Probabilities are mixed with the frequency of the tokens, in the share
that fits the validation split best; else a token that was not foreseen would have the probability 0.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from anncestry.data.splits.dataset import Dataset
from anncestry.data.splits.seq2seq import Pairs, Sequences
from anncestry.objectives.text_metrics import compare_texts
from anncestry.race.ngram_baseline import unigram_log_probabilities
from anncestry.race.outcomes import Scored, scored_tokens
from anncestry.signature import END

MAX_PAIRS = 30_000  # that Model 1 learns from
ROUNDS = 5  # of expectation and maximisation
SHARES = np.linspace(0.01, 0.99, 99)
Rows = np.ndarray  # (M,) which training target each source gets
Nearest = Callable[[Pairs, Pairs], Rows]  # (training, other split) -> rows


def retrieved_texts(dataset: Dataset, choose: Nearest) -> tuple[Scored, str]:
    """The figures of texts that are retrieved from the training split as they are."""
    train, validation, test = _splits(dataset)
    unigram = unigram_log_probabilities(train.targets.tokens.numpy(), dataset.signature.output_size)
    hits, others = _agreement(train, validation, choose(train, validation), unigram)
    share = SHARES[np.argmax([_mixed(hits, others, share).mean() for share in SHARES])]
    rows = choose(train, test)
    likelihoods = _mixed(*_agreement(train, test, rows, unigram), share)
    generated = [_text(dataset, train.targets.row(row)) for row in rows.tolist()]
    note = f"{share:.0%} the text retrieved, {1 - share:.0%} unigram"
    return _with_texts(dataset, likelihoods, generated), note


def _splits(dataset: Dataset) -> tuple[Pairs, Pairs, Pairs]:
    splits = (dataset.train, dataset.validation, dataset.test)
    assert all(isinstance(split, Pairs) for split in splits)
    return splits  # pyright: ignore[reportReturnType]


def _text(dataset: Dataset, tokens: list[int]) -> str:
    return dataset.processor.target.decode(tokens)  # pyright: ignore[reportAttributeAccessIssue]


def _figures(nats: float) -> dict[str, float]:
    return {"loss": nats, "perplexity": math.exp(min(nats, 700.0))}


def _with_texts(dataset: Dataset, log_probabilities: np.ndarray, generated: list[str]) -> Scored:
    """The metrics of the tokens and of the texts."""
    scored = scored_tokens(log_probabilities, _figures)
    return replace(scored, metrics=scored.metrics | _compared(dataset, generated))


def _compared(dataset: Dataset, texts: list[str]) -> dict[str, float]:
    test = _splits(dataset)[2]
    lowercase = dataset.processor.target.lowercase  # pyright: ignore[reportAttributeAccessIssue]
    return compare_texts(texts, test.references, lowercase).figures


def _agreement(train: Pairs, split: Pairs, rows: Rows, unigram: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of every token of a split: whether the retrieved text has it at that position, and its frequency."""
    hits = []
    for target, source in enumerate(split.source_of.tolist()):
        true, found = split.targets.row(target), train.targets.row(int(rows[source]))
        found += [END] * (len(true) - len(found))
        hits += [token == other for token, other in zip(true, found, strict=False)]
    return np.array(hits, np.float64), np.exp(unigram)[split.targets.tokens.numpy()]


def _mixed(hits: np.ndarray, others: np.ndarray, share: float) -> np.ndarray:
    return np.log(share * hits + (1 - share) * others)


# ---- the target of the nearest source, and the most frequent one ------------------------------------------


def nearest_source(train: Pairs, split: Pairs) -> Rows:
    """The target of the training source most like each source: by weighted 1- and 2-grams, or by pixels."""
    first = _first_target(train)
    if isinstance(train.sources, Sequences):
        return first[_nearest_text(train.sources, split.sources)]  # pyright: ignore[reportArgumentType]
    known, queries = train.sources.flatten(1), split.sources.flatten(1)  # pyright: ignore[reportAttributeAccessIssue]
    return first[np.concatenate([torch.cdist(part, known).argmin(1).numpy() for part in queries.split(256)])]


def _nearest_text(known: Sequences, queries: Sequences) -> np.ndarray:
    from sklearn.feature_extraction.text import TfidfVectorizer

    def texts(sequences: Sequences) -> list[str]:
        return [" ".join(map(str, sequences.row(row))) for row in range(len(sequences))]

    vectorizer = TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"\S+", sublinear_tf=True)
    table = vectorizer.fit_transform(texts(known)).T.tocsr()
    wanted = vectorizer.transform(texts(queries))
    found = [np.asarray((wanted[a : a + 64] @ table).argmax(1)).ravel() for a in range(0, len(queries), 64)]
    return np.concatenate(found)


def _first_target(split: Pairs) -> np.ndarray:
    """(M,) the first target of each source."""
    return np.unique(split.source_of.numpy(), return_index=True)[1]


def most_frequent(train: Pairs, split: Pairs) -> Rows:
    """The target that training has most often, for every source; of equals the first."""
    firsts: dict[tuple[int, ...], int] = {}
    rows = [firsts.setdefault(tuple(train.targets.row(row)), row) for row in range(len(train.targets))]
    return np.full(split.num_sources, np.bincount(rows).argmax())


# ---- word by word ---------------------------------------------------------------------------------------


def model_1(dataset: Dataset) -> tuple[Scored, str]:
    """IBM Model 1: every target token comes from one source token, or from none, wherever they stand.

    Generates for each source token the target token that it most likely becomes, in the order of the source.
    Source: P. Brown et al., "The mathematics of statistical machine translation", Computational Linguistics
    19 (1993), section 4.2. Words never met together get a share of the frequency of the target tokens.
    """
    train, validation, test = _splits(dataset)
    chosen = np.arange(len(train))
    note = ""
    if len(train) > MAX_PAIRS:
        chosen = np.random.default_rng(0).choice(len(train), MAX_PAIRS, replace=False)
        note = f"; {MAX_PAIRS:,} of {len(train):,} training pairs"
    V, S = dataset.signature.output_size, dataset.signature.vocab_size + 1  # the last source token is none
    sources, targets, positions, _ = _meetings(train, chosen, S - 1)
    keys, of = np.unique(sources * V + targets, return_inverse=True)
    chance = np.full(len(keys), 1.0)
    for _ in range(ROUNDS):
        weights = chance[of]
        weights /= np.bincount(positions, weights)[positions]
        counts = np.bincount(of, weights, len(keys))
        chance = counts / np.bincount(keys // V, counts, S)[keys // V]
    unigram = np.exp(unigram_log_probabilities(train.targets.tokens.numpy(), V))

    def likelihoods(split: Pairs) -> tuple[np.ndarray, np.ndarray]:
        sources, targets, positions, lengths = _meetings(split, np.arange(len(split)), S - 1)
        wanted = sources * V + targets
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        found = np.where(keys[at] == wanted, chance[at], 0.0)
        return np.bincount(positions, found) / lengths, unigram[split.targets.tokens.numpy()]

    on_validation = likelihoods(validation)
    share = SHARES[np.argmax([_mixed(*on_validation, share).mean() for share in SHARES])]
    of_test = _mixed(*likelihoods(test), share)
    best = np.full(S, END)
    order = np.lexsort((chance, keys // V))
    best[keys[order] // V] = keys[order] % V  # the last one of each source token is the likeliest
    assert isinstance(test.sources, Sequences)
    generated = []
    for row in range(test.num_sources):
        becomes = best[test.sources.row(row)]
        generated.append(_text(dataset, becomes[becomes != END].tolist()))
    return _with_texts(dataset, of_test, generated), f"{share:.0%} Model 1, {1 - share:.0%} unigram{note}"


def _meetings(split: Pairs, rows: np.ndarray, none: int) -> tuple[np.ndarray, ...]:
    """Every target token of some rows with every token of its source, and with ``none``.

    Returns:
        ``(sources, targets, positions, lengths)``: the tokens that meet, which target token it is of all, and
        for each target token how many it meets.
    """
    assert isinstance(split.sources, Sequences)
    sources, targets, lengths = [], [], []
    for row in rows.tolist():
        source = [*split.sources.row(int(split.source_of[row])), none]
        target = split.targets.row(row)
        sources.append(np.tile(source, len(target)))
        targets.append(np.repeat(target, len(source)))
        lengths.append(np.full(len(target), len(source)))
    met = np.concatenate(lengths)
    return np.concatenate(sources), np.concatenate(targets), np.repeat(np.arange(len(met)), met), met
