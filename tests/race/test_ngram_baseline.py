"""The n-gram model against a twin written with dictionaries, straight from the equations."""

from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anncestry.errors import UserError
from anncestry.race.ngram_baseline import KneserNey, unigram_log_probabilities

TEXT = (
    "the cat sat on the mat. the dog sat on the log. the cat ate the rat that ate the malt. "
    "a man had a plan, a canal and a can. " * 3
)
VOCABULARY = sorted(set(TEXT))


def encode(text):
    return np.array([VOCABULARY.index(character) for character in text])


def twin(tokens, context, vocab_size, order):
    """p(w | context) for every w, by recursion; returns a list."""
    tokens = list(map(int, tokens))

    def occurrences(n):
        return Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))

    def probabilities(n, highest):
        """Of n-grams, given the last n - 1 tokens of the context."""
        if n == 0:
            return [1 / vocab_size] * vocab_size
        lower = probabilities(n - 1, False)
        counts = occurrences(n) if highest else Counter(gram[1:] for gram in occurrences(n + 1))
        history = tuple(context[len(context) - (n - 1) :])
        if len(history) < n - 1 or not any(gram[:-1] == history for gram in counts):
            return lower
        of = defaultdict(int, Counter(counts.values()))
        if of[1] and of[2] and of[3]:
            y = of[1] / (of[1] + 2 * of[2])
            d = [1 - 2 * y * of[2] / of[1], 2 - 3 * y * of[3] / of[2], 3 - 4 * y * of[4] / of[3]]
            d = [0, *(min(max(value, 0.05), most - 0.05) for most, value in enumerate(d, 1))]
        else:
            d = [0, 0.5, 0.5, 0.5]
        after = {gram[-1]: count for gram, count in counts.items() if gram[:-1] == history}
        total = sum(after.values())
        freed = sum(d[min(count, 3)] for count in after.values())
        return [
            (after.get(w, 0) - d[min(after.get(w, 0), 3)]) / total + freed / total * lower[w]
            for w in range(vocab_size)
        ]

    return probabilities(order, True)


@pytest.fixture(scope="module")
def model():
    tokens = encode(TEXT)
    return KneserNey(tokens[:-60], len(VOCABULARY), tokens[-60:])


@pytest.mark.parametrize("context", ["", "t", "he", "the cat s", "ttzq".replace("z", "g").replace("q", ".")])
def test_it_equals_its_twin(model, context):
    expected = twin(encode(TEXT)[:-60], encode(context) if context else [], len(VOCABULARY), model.order)
    np.testing.assert_allclose(model.distribution(encode(context) if context else []), expected, rtol=1e-10)


def test_a_text_gets_the_probabilities_of_its_positions(model):
    tokens = encode("the cat had a dog")
    expected = [np.log(model.distribution(tokens[:i])[tokens[i]]) for i in range(1, len(tokens))]
    np.testing.assert_allclose(model.log_probabilities(tokens), expected)


@settings(max_examples=60, deadline=None)
@given(
    train=st.lists(st.integers(0, 4), min_size=12, max_size=120),
    context=st.lists(st.integers(0, 5), max_size=8),
)
def test_probabilities_are_positive_and_sum_to_one(train, context):
    train = np.array(train)
    model = KneserNey(train, 6, train[-8:])  # token 5 is never seen
    probabilities = model.distribution(np.array(context, np.int64))
    assert probabilities.min() > 0
    assert probabilities.sum() == pytest.approx(1, abs=1e-9)


def test_the_order_is_the_one_that_suits_the_validation_text():
    random = np.random.default_rng(0)
    noise = random.integers(0, 4, 3000)
    assert KneserNey(noise[:2500], 4, noise[2500:]).order <= 2  # there is nothing to remember
    cycle = np.tile([0, 1, 0, 2], 600)  # what follows 0 depends on what came before it
    model = KneserNey(cycle[:2000], 3, cycle[2000:])
    assert model.order >= 3
    assert -model.log_probabilities(cycle[2000:]).mean() < 0.02


def test_too_short_a_text_is_refused():
    with pytest.raises(UserError, match="more than 10"):
        KneserNey(np.zeros(10, np.int64), 2, np.zeros(5, np.int64))


def test_unigrams_sum_to_one_and_know_the_unseen():
    table = np.exp(unigram_log_probabilities(np.array([0, 0, 1]), 3))
    np.testing.assert_allclose(table, [3 / 6, 2 / 6, 1 / 6])
