"""The points of toy2d and the Mackey-Glass series are what they claim to be."""

import numpy as np
import pytest

from anncestry.data.sources.series import mackey_glass
from anncestry.data.sources.toy2d import SHAPES
from anncestry.data.splits.holdout import generator


@pytest.mark.parametrize("shape", SHAPES)
def test_no_line_divides_the_classes(shape: str) -> None:
    points, labels = SHAPES[shape](generator(0))
    assert points.shape == (400, 2)
    assert np.bincount(labels).tolist() == [200, 200]
    features = np.column_stack([points, np.ones(400)])
    weights, *_ = np.linalg.lstsq(features, 2.0 * labels - 1, rcond=None)
    assert ((features @ weights > 0) == labels).mean() < 0.95


def test_xor_is_four_clusters() -> None:
    points, labels = SHAPES["xor"](generator(0))
    assert ((points[:, 0] * points[:, 1] < 0) == labels).mean() > 0.99
    assert np.abs(np.abs(points).mean(axis=0) - 1).max() < 0.05


def test_circles_and_spirals_are_divided_by_what_made_them() -> None:
    points, labels = SHAPES["circles"](generator(0))
    assert ((np.hypot(*points.T) < 0.75) == labels).mean() > 0.99
    points, labels = SHAPES["spirals"](generator(0))
    radius = np.hypot(*points.T)
    turned = np.arctan2(points[:, 1], points[:, 0]) - 3 * np.pi * radius
    assert ((np.cos(turned) < 0) == labels).mean() > 0.97


def test_mackey_glass_solves_its_equation() -> None:
    fine = mackey_glass(400, steps=40)
    np.testing.assert_allclose(mackey_glass(400, steps=10), fine, atol=2e-4)
    x = mackey_glass(4000, steps=10, washout=0)
    assert x[0] == 1.2
    # A fine Euler scheme, as an independent integration of the first 60 units of time.
    step = 1 / 1000
    history = [1.2] * (17 * 1000 + 1)
    for _ in range(60 * 1000):
        delayed = history[-17 * 1000 - 1]
        history.append(history[-1] + step * (0.2 * delayed / (1 + delayed**10) - 0.1 * history[-1]))
    np.testing.assert_allclose(x[:61], history[17 * 1000 :: 1000], atol=2e-3)
    assert 0.2 < x[100:].min() < 0.5
    assert 1.2 < x[100:].max() < 1.4


def test_the_order_of_the_integration_is_four() -> None:
    truth = mackey_glass(30, steps=80, washout=0)[-1]
    coarse, fine = (abs(mackey_glass(30, steps=steps, washout=0)[-1] - truth) for steps in (5, 10))
    assert 10 < coarse / fine < 26
