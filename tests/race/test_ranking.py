"""Means, intervals, order and ties, on results made by hand."""

import base64
import math

import numpy as np
import pytest

from anncestry.race.ranking import rank
from anncestry.race.records import Entrant, Run
from anncestry.race.results import Results


def race(scores, metric="accuracy", higher=True, kinds=None):
    """Results of ``{name: [score of seed 0, ...]}``; None is a failed run."""
    entrants = [Entrant(id=name, name=name, kind=(kinds or {}).get(name, "model")) for name in scores]
    seeds = max(map(len, scores.values()))
    runs = [
        Run(entrant=name, seed=seed, metrics={metric: row[seed]}, seconds=float(seed))
        if row[seed] is not None
        else Run(entrant=name, seed=seed, status="failed", error="it broke")
        for seed in range(seeds)
        for name, row in scores.items()
        if seed < len(row)
    ]
    return Results(
        data={"name": "toy"},
        budget={},
        seeds=seeds,
        metric={"name": metric, "higher_is_better": higher},
        machine={},
        command="",
        entrants=entrants,
        runs=runs,
    )


def ranked(results):
    return rank(results.metric, results.entrants, results.runs, results.design)


def order(results):
    return [row["id"] for row in ranked(results)["standings"]]


def test_more_is_better_or_less_is():
    scores = {"a": [0.5, 0.6], "b": [0.9, 0.8]}
    assert order(race(scores)) == ["b", "a"]
    assert order(race(scores, "rmse", higher=False)) == ["a", "b"]


def test_only_models_are_numbered_and_lead():
    ranking = ranked(race({"net": [0.5, 0.6], "guess": [0.7, 0.8]}, kinds={"guess": "baseline"}))
    assert ranking["leader"] == "net"
    assert [row["place"] for row in ranking["standings"]] == [None, 1]
    assert ranking["standings"][0]["behind"] == pytest.approx(-0.2)


def test_pairs_of_seeds_tell_apart_what_the_split_blurs():
    # Splits differ by 0.2, the models by 0.01 on each of them.
    ranking = ranked(race({"a": [0.5, 0.7, 0.9], "b": [0.489, 0.69, 0.891]}))
    first, second = ranking["standings"]
    assert first["high"] - first["low"] > 0.5
    assert second["behind"] == pytest.approx(0.01)
    assert second["behind_band"] < 0.005
    assert second["tied"] is False


def test_what_could_be_chance_is_a_tie_and_one_seed_says_nothing():
    assert ranked(race({"a": [0.9, 0.6, 0.8], "b": [0.7, 0.8, 0.7]}))["standings"][1]["tied"] is True
    assert ranked(race({"a": [0.9], "b": [0.7]}))["standings"][1]["tied"] is None


def test_rows_are_compared_in_pairs():
    """b gets 10 rows more wrong than a, or 20 more wrong and 10 right that a has wrong."""
    right = np.array([1.0] * 90 + [0.0] * 10)
    fewer, other = right.copy(), right.copy()
    fewer[:10] = 0.0
    other[:20], other[90:] = 0.0, 1.0

    def tied(rows):
        results = race({"a": [0.9] * 3, "b": [0.8] * 3})
        for run in results.runs:
            values = right if run.entrant == "a" else rows
            run.outcomes = {"accuracy": base64.b64encode(values.astype("<f4").tobytes()).decode()}
        return ranked(results)["standings"][1]

    assert tied(fewer)["behind_band"] < 0.6 * tied(other)["behind_band"]
    assert tied(fewer)["behind"] == pytest.approx(0.1)


def test_failed_runs_do_not_count():
    ranking = ranked(race({"a": [None, 0.6, 0.8], "b": [0.9, 0.5, 0.5], "c": [None, None, None]}))
    assert [row["id"] for row in ranking["standings"]] == ["a", "b"]
    assert ranking["standings"][0]["values"] == {"1": 0.6, "2": 0.8}
    assert ranking["standings"][1]["behind"] == pytest.approx(0.2)  # over the seeds both have
    assert ranking["unfinished"] == ["c"]


def test_a_score_that_is_no_number_does_not_count():
    assert order(race({"a": [math.nan, math.nan], "b": [0.1, 0.1]})) == ["b"]
