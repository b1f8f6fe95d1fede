"""How the inputs of a generation are cut into batches."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from anncestry.inference.generation import FEWEST, _batches


@given(st.integers(1, 400), st.integers(1, 64), st.integers(1, 16))
def test_they_hold_each_input_once_in_order_and_are_equal(count, size, workers):
    order = torch.randperm(count)
    batches = _batches(order, size, workers)
    assert torch.equal(torch.cat(batches), order)
    sizes = [len(batch) for batch in batches]
    assert 1 <= min(sizes) <= max(sizes) <= min(size, min(sizes) + 1)


@pytest.mark.parametrize(
    ("count", "workers", "wanted"),
    [
        (64, 2, [64]),
        (65, 2, [33, 32]),
        (129, 2, [33, 32, 32, 32]),
        (65, 16, [17, 16, 16, 16]),
        (64, 16, [64]),
    ],
)
def test_there_are_as_many_for_each_worker_unless_they_get_too_small(count, workers, wanted):
    assert [len(batch) for batch in _batches(torch.arange(count), 64, workers)] == wanted
    assert min(wanted) >= FEWEST
