"""The settings: what the penalties come to, and which settings cannot be."""

import pytest
import torch

from anncestry.decoding import Search
from anncestry.errors import UserError


@pytest.mark.parametrize(
    ("kind", "alpha", "wanted"),
    [("gnmt", 0.6, 2.354), ("average", 0.6, 6.034), ("average", 1.0, 20.0), ("none", 0.6, 1.0)],
)
def test_the_length_penalties_of_20_tokens(kind, alpha, wanted):
    search = Search(length_penalty=kind, alpha=alpha)
    assert search.penalty(20.0) == pytest.approx(wanted, abs=5e-4)
    found = search.penalty(torch.tensor([20.0, 1.0]))
    torch.testing.assert_close(found, torch.tensor([search.penalty(20.0), 1.0]))


def test_the_longest_text_goes_by_the_source():
    lengths = torch.tensor([1, 4, 5])
    assert Search(max_length=7).limits(3, lengths).tolist() == [7, 7, 7]
    assert Search(max_length=7).limits(2, None).tolist() == [7, 7]
    assert Search(max_length=50, max_factor=1.0).limits(3, lengths).tolist() == [51, 54, 55]
    assert Search(max_length=2, max_factor=1.5).limits(3, lengths).tolist() == [3, 8, 9]


def test_coverage_counts_what_was_attended_to_less_than_once():
    looked = torch.tensor([[[0.5, 1.0, 2.0, 0.1], [1.0, 1.0, 1.0, 1.0]]])
    found = Search(coverage=0.2).uncovered(looked, torch.tensor([3]))
    torch.testing.assert_close(found, torch.tensor([[0.2 * -0.693147, 0.0]]))
    found = Search(coverage=0.2).uncovered(looked, None)
    torch.testing.assert_close(found, torch.tensor([[0.2 * (-0.693147 - 2.302585), 0.0]]))
    assert Search(coverage=1.0).uncovered(torch.zeros(1, 1, 1), None).isfinite()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"beam": 0}, "beam: got 0; must be at least 1"),
        ({"n_best": 0}, "n_best: got 0; must be at least 1"),
        ({"beam": 3, "n_best": 4}, "n_best: got 4; must be at most `beam`, which is 3"),
        ({"length_penalty": "google"}, "length_penalty: got 'google'; .* Choices: gnmt, average, none"),
        ({"alpha": float("nan")}, "alpha: got nan; must be a finite number"),
        ({"coverage": -0.1}, "coverage: got -0.1; must not be negative"),
        ({"min_length": 0}, "min_length: got 0; must be at least 1"),
        ({"max_length": 0}, "max_length: got 0; must be at least `min_length`, which is 1"),
        (
            {"min_length": 5, "max_length": 4},
            "max_length: got 4; must be at least `min_length`, which is 5",
        ),
        ({"max_factor": -1.0}, "max_factor: got -1.0; must not be negative"),
        ({"no_repeat_ngram": -1}, "no_repeat_ngram: got -1; must not be negative"),
        ({"repetition_penalty": 0.9}, "repetition_penalty: got 0.9; must be at least 1"),
    ],
)
def test_settings_that_cannot_be_are_refused(fields, message):
    with pytest.raises(UserError, match=message):
        Search(**fields)
