"""Digits and units."""

import pytest

from anncestry.report.numbers import (
    count,
    duration,
    listed,
    metric_value,
    operations,
    plural,
    precise_seconds,
    score_value,
    short_name,
)


@pytest.mark.parametrize(
    ("mean", "metric", "band", "shown"),
    [
        (0.98611, "accuracy", 0.0041, "98.6 ± 0.4"),
        (0.98611, "accuracy", 0.00041, "98.61 ± 0.04"),
        (0.98611, "accuracy", 0.2, "98.6 ± 20.0"),
        (0.98611, "accuracy", None, "98.6"),
        (0.1, "accuracy", 1e-17, "10.0 ± 0"),
        (0.00512, "rmse", 0.0009, "0.0051 ± 0.0009"),
        (0.00512, "rmse", 0.0123, "0.0051 ± 0.0123"),
        (-0.00097, "rmse", 0.00339, "-0.0010 ± 0.0034"),
        (123.4, "rmse", 17.2, "123 ± 17"),
        (123456.0, "rmse", 40_000.0, "123456 ± 40000"),
        (1.43812, "bits", None, "1.438"),
        (1.43812, "bits", 0.0213, "1.438 ± 0.021"),
        (3.14, "bits", 2.6, "3.1 ± 2.6"),
        (0.0, "rmse", None, "0.000"),
        (None, "rmse", None, "–"),
        (float("nan"), "rmse", None, "–"),
    ],
)
def test_a_band_decides_the_digits(mean, metric, band, shown):
    assert metric_value(mean, metric, band) == shown


def test_per_cent_signs_are_asked_for():
    assert metric_value(0.5, "accuracy", unit=True) == "50.0 %"
    assert metric_value(0.5, "rmse", unit=True) == "0.5000"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "–"), (650, "650"), (9610, "9,610"), (54026, "54 k"), (203018.0, "203 k"), (1.5e6, "1.5 M"),
     (999_999, "1 M"), (9_996, "10 k"), (2e9, "2 G"), (1e12, "1 T")],
)  # fmt: skip
def test_counts(value, shown):
    assert count(value) == shown


def test_operations():
    assert operations(1e12) == "1 TFLOPs"
    assert operations(650) == "650 FLOPs"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, "–"), (35e-6, "35 µs"), (0.0012, "1.2 ms"), (0.5, "500 ms"), (4, "4.0 s"), (20, "20 s"),
     (59.7, "60 s"), (120, "2 min"), (125, "2 min 5 s"), (3700, "1 h 1 min")],
)  # fmt: skip
def test_durations(seconds, shown):
    assert duration(seconds) == shown


def test_words():
    assert [plural(1, "seed"), plural(3, "seed"), plural(2, "pass")] == ["1 seed", "3 seeds", "2 passes"]
    assert [listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])] == ["a", "a and b", "a, b and c"]


@pytest.mark.parametrize(
    ("mean", "low", "high", "metric", "shown"),
    [
        (1.0, 0.875, 1.0, "accuracy", "100.0 % [87.5, 100.0]"),
        (0.98611, 0.98, 0.9934, "macro_f1", "98.6 % [98.0, 99.3]"),
        (123.4, 98.0, 151.0, "rmse", "123 [98, 151]"),
        (0.98611, None, None, "accuracy", "98.6 %"),
    ],
)
def test_intervals(mean, low, high, metric, shown):
    assert score_value({"mean": mean, "low": low, "high": high}, metric, unit=True) == shown


def test_names_of_data_without_their_folders():
    assert short_name("csv:/a/b/wine.csv") == "csv:wine.csv"
    assert short_name("images:/a/b/") == "images:b"
    assert short_name("parallel:/a/x.en,/b/x.de") == "parallel:x.en,x.de"
    assert [short_name("digits"), short_name("toy2d:xor"), short_name("csv:/")] == [
        "digits",
        "toy2d:xor",
        "csv:/",
    ]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(1.234e-5, "12.3 µs"), (0.00099996, "1 ms"), (0.04567, "45.7 ms"), (0.9999, "1 s"), (61.23, "61.2 s")],
)
def test_times_that_are_compared_have_three_digits(seconds, shown):
    assert precise_seconds(seconds) == shown
