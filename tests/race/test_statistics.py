"""Intervals keep their bounds and their promises."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anncestry.race.statistics import (
    POSITIVE,
    SHARE,
    Design,
    Sample,
    half_interval,
    holm,
    interval,
    spreads,
)

SAME_ROWS = Design()


def shares(*rights):
    """A sample of so many right answers in so many rows for each seed: ``(right, rows)``."""
    rows = {
        seed: np.array([1.0] * right + [0.0] * (total - right)) for seed, (right, total) in enumerate(rights)
    }
    return Sample({seed: float(values.mean()) for seed, values in rows.items()}, rows, SHARE)


def ends(sample, design=SAME_ROWS):
    return interval(sample, spreads([sample], design)[0])


def width(sample, design=SAME_ROWS):
    low, high = ends(sample, design)
    return high - low


def test_students_interval():
    # t_{0.975, 2} = 4.302653 (tables); s of 1, 2, 3 is 1.
    assert half_interval([1, 2, 3]) == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)
    assert half_interval([5.0]) is None


def test_a_perfect_score_on_few_rows_is_not_certain():
    low, high = ends(shares((27, 27), (27, 27), (27, 27)), Design(shared=False, ratio=27 / 124))
    assert high == 1
    assert 0.6 < low < 0.95


def test_one_seed_has_wilsons_interval():
    """Of the rows alone: 82.6 to 94.5 % for 90 of 100 (Wilson, 1927), and a little more for t than for z."""
    assert ends(shares((90, 100))) == pytest.approx((0.826, 0.945), abs=0.005)


counts = st.integers(2, 200).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))
designs = st.builds(Design, st.booleans(), st.floats(0, 1))


@settings(max_examples=60, deadline=None)
@given(st.lists(counts, min_size=1, max_size=5), designs)
def test_intervals_of_shares_hold_the_mean_and_lie_between_0_and_1(rights, design):
    sample = shares(*rights)
    low, high = ends(sample, design)
    assert 0 <= low <= sample.mean <= high <= 1
    assert low < high


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(1e-3, 1e6), min_size=2, max_size=6), designs)
def test_intervals_of_errors_are_above_0(values, design):
    sample = Sample(dict(enumerate(values)), {}, POSITIVE)
    found = ends(sample, design)
    if found is not None and math.isfinite(found[1]):
        low, high = found
        assert 0 <= low <= sample.mean <= high


@settings(max_examples=40, deadline=None)
@given(counts, st.integers(2, 5), designs)
def test_more_rows_and_more_seeds_are_surer(right, times, design):
    few = [right] * 3
    assert width(shares(*[(right[0] * times, right[1] * times)] * 3), design) < width(shares(*few), design)
    assert width(shares(*few * times), design) <= width(shares(*few), design)


def test_splits_that_overlap_leave_a_rest_that_no_number_of_seeds_takes():
    many = shares(*[(40, 50)] * 40)
    assert width(many, Design(shared=False, ratio=0.5)) > 2 * width(many, Design(shared=False, ratio=0.05))


def test_holm_goes_down_step_by_step_and_stops():
    assert holm([0.01, 0.001, 0.04]) == pytest.approx([0.05 / 2, 0.05 / 3, 0.05])
    assert holm([0.03, 0.001, 0.04]) == pytest.approx([0.05 / 2, 0.05 / 3, 0.05 / 2])
    assert holm([0.03, 0.001], picked=2) == pytest.approx([0.05 / 2, 0.05 / 4])
    assert holm([]) == []


def equal_models(rng, models, rows, seeds, shared, luck):
    """Samples of models that are equally good: rows are hard for all alike, and seeds are lucky or not."""
    tests, hard = rows // 10, rng.normal(size=rows)
    habits = 0.4 * rng.normal(size=(models, rows))
    fixed = rng.permutation(rows)[:tests]
    found = [({}, {}) for _ in range(models)]
    for seed in range(seeds):
        chosen = fixed if shared else rng.permutation(rows)[:tests]
        for (values, kept), habit in zip(found, habits, strict=True):
            hardness = hard[chosen] + habit[chosen] + 0.4 * rng.normal(size=tests) + luck * rng.normal()
            kept[seed] = (hardness < 1.3).astype(float)
            values[seed] = float(kept[seed].mean())
    return [Sample(values, kept, SHARE) for values, kept in found]


@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("luck", [0.0, 0.2])
def test_equal_models_are_seldom_distinguished(seeds, shared, luck):
    """Less than once in twenty races, though the best of them is picked first and held against all others."""
    rng, told, races = np.random.default_rng(0), 0, 150
    for _ in range(races):
        samples = equal_models(rng, 5, 400, seeds, shared, luck)
        best = max(samples, key=lambda sample: sample.mean)
        gaps = [best.minus(sample) for sample in samples if sample is not best]
        found = spreads(gaps, Design(shared, 0.0 if shared else 1 / 8))
        chances = [spread.chance(gap.mean) for spread, gap in zip(found, gaps, strict=True)]
        told += any(chance <= level for chance, level in zip(chances, holm(chances, 5 / 2), strict=True))
    assert told < 0.05 * races


def test_models_that_differ_are_distinguished():
    rng = np.random.default_rng(0)
    samples = equal_models(rng, 5, 4000, 3, False, 0.05)
    worse = equal_models(rng, 1, 4000, 3, False, 0.05)[0]
    worse = Sample({s: v - 0.15 for s, v in worse.values.items()}, worse.rows, SHARE)
    rows = {seed: np.where(rng.random(400) < 0.17, 0.0, values) for seed, values in worse.rows.items()}
    worse = Sample({seed: float(values.mean()) for seed, values in rows.items()}, rows, SHARE)
    gaps = [samples[0].minus(other) for other in [*samples[1:], worse]]
    found = spreads(gaps, Design(False, 1 / 8))
    chances = [spread.chance(gap.mean) for spread, gap in zip(found, gaps, strict=True)]
    told = [chance <= level for chance, level in zip(chances, holm(chances, 6 / 2), strict=True)]
    assert told == [False] * 4 + [True]


def test_what_is_not_known_of_one_is_taken_from_the_other():
    known = shares((80, 100), (82, 100))
    unknown = Sample({0: 0.7, 1: 0.72}, {}, SHARE)
    both = known.minus(shares((70, 100), (72, 100)))
    assert known.minus(unknown).row_variance >= 1.5 * known.row_variance
    assert len(known.minus(shares((35, 50), (36, 50))).rows[0]) == 50
    assert both.values == pytest.approx({0: 0.1, 1: 0.1})
