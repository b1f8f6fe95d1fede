"""Rules on what may come next, against the rules written plainly."""

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anncestry.decoding.constraints import Constraints


@given(
    rows=st.lists(st.lists(st.integers(0, 4), min_size=9, max_size=9), min_size=1, max_size=3),
    num_tokens=st.integers(0, 9),
    size=st.integers(0, 4),
    factor=st.sampled_from([1.0, 1.5]),
    end=st.sampled_from([None, 2]),
    seed=st.integers(0, 100),
)
@settings(deadline=None)
def test_they_are_the_plain_rules(plain_rules, rows, num_tokens, size, factor, end, seed):
    rows = [row[:num_tokens] for row in rows]
    rules = Constraints(no_repeat_ngram=size, repetition_penalty=factor, min_length=3)
    random = torch.Generator().manual_seed(seed)
    log_probs = torch.randn(len(rows), 5, generator=random).double().log_softmax(-1)
    found = log_probs.clone()
    written = torch.tensor(rows, dtype=torch.long).view(len(rows), num_tokens)
    rules.restrict_(found, 2, written, end, (4,))
    for before, after, row in zip(log_probs.tolist(), found.tolist(), rows, strict=True):
        assert after == plain_rules(rules, before, tuple(row), 2, end, (4,))


def test_by_hand():
    def allowed(rules, written, length=9, **more):
        log_probs = torch.full((1, 4), 0.25).log()
        rules.restrict_(log_probs, length, torch.tensor([written]), **more)
        return [token for token, value in enumerate(log_probs[0].tolist()) if value > -math.inf]

    assert allowed(Constraints(no_repeat_ngram=2), [1, 2, 3, 1]) == [0, 1, 3]
    assert allowed(Constraints(no_repeat_ngram=3), [1, 2, 3, 1]) == [0, 1, 2, 3]
    assert allowed(Constraints(no_repeat_ngram=3), [1, 2, 3, 1, 2]) == [0, 1, 2]
    assert allowed(Constraints(no_repeat_ngram=1), [1, 2, 3, 1], end=1) == [0, 1]
    assert allowed(Constraints(no_repeat_ngram=1), [0, 1, 2, 3]) == [0, 1, 2, 3]  # nothing would be left
    assert allowed(Constraints(no_repeat_ngram=1), [1, 2, 3], never=(0,)) == [1, 2, 3]
    assert allowed(Constraints(min_length=5), [1], length=4, end=2) == [0, 1, 3]
    assert allowed(Constraints(min_length=5), [1], length=5, end=2) == [0, 1, 2, 3]


def test_what_was_generated_becomes_less_likely_and_nothing_else_changes():
    log_probs = torch.tensor([[0.5, 0.3, 0.2]]).log()
    Constraints(repetition_penalty=2.0).restrict_(log_probs, 3, torch.tensor([[0, 0]]))
    torch.testing.assert_close(log_probs.exp(), torch.tensor([[0.25, 0.3, 0.2]]))
