"""Amounts as they are typed, and what is none."""

import pytest

from anncestry.amounts import parse_count, parse_seconds
from anncestry.errors import UserError


@pytest.mark.parametrize(
    ("text", "seconds"), [("60s", 60), ("2m", 120), ("1.5h", 5400), ("90", 90), (" 3 min ", 180), (0.5, 0.5)]
)
def test_seconds(text, seconds):
    assert parse_seconds(text, "--budget") == seconds


@pytest.mark.parametrize(
    ("text", "count"), [("50k", 50_000), ("1.5M", 1.5e6), ("1e12", 1e12), ("2b", 2e9), ("1T", 1e12), (7, 7)]
)
def test_counts(text, count):
    assert parse_count(text, "--params") == count


@pytest.mark.parametrize("text", ["", "fast", "10 parsecs", "-5s", "1e", "0s", "1,5m", "1e999"])
def test_what_is_no_time_is_refused_by_name(text):
    with pytest.raises(UserError, match="budget: got"):
        parse_seconds(text, "--budget")
