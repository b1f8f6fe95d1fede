import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anncestry.data.splits.holdout import (
    check_classes,
    cut_in_order,
    generator,
    random_split,
    stratified_split,
)
from anncestry.errors import UserError


@settings(deadline=None)
@given(labels=st.lists(st.integers(0, 4), min_size=1, max_size=200), seed=st.integers())
def test_a_stratified_split_deals_out_every_row_once_and_trains_on_every_class(
    labels: list[int], seed: int
) -> None:
    array = np.array(labels)
    parts = stratified_split(array, generator(seed))
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(labels)))
    assert set(array[parts[0]]) == set(labels)
    for part in parts[1:]:
        for label in set(labels):
            count = labels.count(label)
            taken, share = (array[part] == label).sum(), 0.15 * count
            assert taken == 0 if count < 3 else max(1, math.floor(share)) <= taken <= math.ceil(share)
        if all(labels.count(label) >= 7 for label in set(labels)):
            assert len(part) == round(0.15 * len(labels))
    again = stratified_split(array, generator(seed))
    assert all((a == b).all() for a, b in zip(parts, again, strict=True))


@settings(deadline=None)
@given(num_rows=st.integers(0, 300))
def test_a_random_split_is_70_15_15(num_rows: int) -> None:
    parts = random_split(num_rows, generator(0))
    assert sorted(np.concatenate(parts).tolist()) == list(range(num_rows))
    if num_rows >= 3:
        assert [len(part) for part in parts[1:]] == [max(1, round(0.15 * num_rows))] * 2


def test_another_seed_gives_another_split() -> None:
    labels = np.arange(100) % 2
    first, second = (stratified_split(labels, generator(seed))[0] for seed in (0, 1))
    assert set(first) != set(second)


def test_rows_are_not_sorted_by_class() -> None:
    labels = np.repeat([0, 1], 100)
    train = stratified_split(labels, generator(0))[0]
    assert 20 < labels[train][:70].sum() < 50


def test_small_classes_are_named() -> None:
    labels = np.array([0] * 10 + [1] * 2)
    assert check_classes("x", labels, ("many", "few")) == (
        "1 classes have fewer than 3 rows and are in the training split alone: 'few'",
    )
    with pytest.raises(UserError) as error:
        check_classes("column 'name'", np.arange(9), tuple("abcdefghi"))
    assert str(error.value) == (
        "column 'name': got '9 classes in 9 rows'; a class needs 3 rows to be in every split; "
        "9 have fewer ('a', 'b', 'c', 'd', 'e', ...)."
    )


@pytest.mark.parametrize("ends", [(0.7, 0.85), (0.9,), (0.8, 0.9)])
def test_parts_in_order_hold_something_where_they_can(ends) -> None:
    for count in range(40):
        parts = [list(range(count))[rows] for rows in cut_in_order(count, ends)]
        assert [row for part in parts for row in part] == list(range(count))
        assert len(parts) == len(ends) + 1
        assert all(parts) == (count >= len(parts))
    assert cut_in_order(100, (0.7, 0.85)) == [slice(0, 70), slice(70, 85), slice(85, 100)]
