"""Answers in words: what counts as the same, and how much of an answer is right."""

import pytest

from anncestry.objectives.squad_metrics import exact_match, normalise, reading_figures, word_f1


@pytest.mark.parametrize(
    ("answer", "compared"),
    [("The  Old Hall.", "old hall"), ("an A-Z of a theatre", "az of theatre"), ("the", ""), ("$5.00", "500")],
)
def test_what_is_compared(answer: str, compared: str) -> None:
    assert normalise(answer) == compared


def test_words_count_as_often_as_they_are_there() -> None:
    assert exact_match("the Hall!", "hall") == 1
    assert word_f1("very very cold", "very cold hall") == pytest.approx(2 * (2 / 3) * (2 / 3) / (4 / 3))
    assert word_f1("hall", "film") == 0
    assert word_f1("", "film") == word_f1("the", "film") == 0
    assert word_f1("", "a") == 1


def test_the_most_similar_answer_counts() -> None:
    given = ["the old hall", "cold", "", "cold"]
    right = [["a hall", "old hall"], ["warm", "very cold"], [], []]
    figures = reading_figures(given, right)
    assert figures["exact_match"] == pytest.approx((1 + 0 + 1 + 0) / 4)
    assert figures["f1"] == pytest.approx((1 + 2 / 3 + 1 + 0) / 4)


def test_an_answer_of_which_nothing_is_left_is_none() -> None:
    assert reading_figures([""], [["the"]]) == {"exact_match": 1, "f1": 1}
    assert reading_figures([""], [["the", "hall"]]) == {"exact_match": 0, "f1": 0}
