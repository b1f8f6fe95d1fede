"""Mean recurrent length: the formulas of the paper, the count of lags, and a search over the graph agree."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anncestry.errors import UserError
from anncestry.inspection.path_length import (
    layer_lags,
    mean_recurrent_length,
    path_lengths,
    searched_path_length,
)
from anncestry.models.create import create

SIZES = {"input_size": 2, "hidden_size": 3, "output_size": 2}


@pytest.mark.parametrize("num_layers", range(2, 10))
def test_the_formulas_of_the_paper(num_layers):
    period = 2 ** (num_layers - 1)
    dilated = [frozenset({2**layer}) for layer in range(num_layers)]
    skip = [frozenset({1, period})] * num_layers
    assert mean_recurrent_length(dilated, period) == (3 * num_layers - 1) / 2
    assert mean_recurrent_length(skip, period) == (period - 1) / 2 + math.log2(period) + 1


def test_the_papers_example():
    assert mean_recurrent_length([frozenset({2**layer}) for layer in range(9)], 256) == 13.0
    assert mean_recurrent_length([frozenset({1, 256})] * 9, 256) == 136.5


@settings(deadline=None, max_examples=40)
@given(st.lists(st.frozensets(st.integers(1, 6), min_size=1, max_size=2), min_size=1, max_size=3))
def test_counting_lags_is_searching_the_graph(lags):
    assert path_lengths(lags, 13) == [searched_path_length(lags, n) for n in range(13)]


def test_the_lags_are_read_from_the_modules():
    assert layer_lags(create("lstm", **SIZES, num_layers=2)) == [{1}, {1}]
    dilated = create("dilated-rnn", **SIZES, num_layers=3, first_dilation=2)
    assert layer_lags(dilated) == [{2}, {4}, {8}]
    assert layer_lags(create("skip-rnn", **SIZES, first_distance=5)) == [{1, 5}, {1, 10}]
    assert layer_lags(create("highway-lstm", **SIZES)) == [{1}] * 3
    assert mean_recurrent_length(create("dilated-rnn", **SIZES, num_layers=4)) == (3 * 4 - 1) / 2


def test_what_has_no_such_length_says_so():
    with pytest.raises(UserError, match="reads in both directions"):
        layer_lags(create("bilstm", **SIZES))
    with pytest.raises(UserError, match="has no recurrent layer"):
        layer_lags(torch.nn.Linear(2, 2))
    with pytest.raises(UserError, match="lag: got 1; cannot be reached"):
        mean_recurrent_length([frozenset({2})], 4)
