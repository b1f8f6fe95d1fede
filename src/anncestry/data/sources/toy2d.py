"""Points of the plane in two classes that no straight line divides."""

from collections.abc import Callable

import numpy as np

from anncestry.data.options import DataOptions
from anncestry.data.readers.tables import Table
from anncestry.data.sources.table import table_dataset
from anncestry.data.splits.dataset import Dataset, Processor
from anncestry.data.splits.holdout import generator
from anncestry.errors import UserError, nearest

NUM_POINTS = 400


def xor(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Four noisy clusters at (+-1, +-1); the class is 1 where the signs differ."""
    corners = np.tile([[-1, -1], [-1, 1], [1, -1], [1, 1]], (NUM_POINTS // 4, 1))
    points = corners + random.normal(scale=0.25, size=corners.shape)
    return points, (corners[:, 0] != corners[:, 1]).astype(int)


def circles(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A circle of radius 1 and one of radius 0.5 inside it, both noisy."""
    labels = np.arange(NUM_POINTS) % 2
    angle = random.uniform(0, 2 * np.pi, NUM_POINTS)
    points = np.stack([np.cos(angle), np.sin(angle)], axis=1) * np.where(labels, 0.5, 1.0)[:, None]
    return points + random.normal(scale=0.06, size=points.shape), labels


def moons(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two half circles that reach into each other, noisy."""
    labels = np.arange(NUM_POINTS) % 2
    angle = random.uniform(0, np.pi, NUM_POINTS)
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    points = np.where(labels[:, None], [1.0, 0.5] - upper, upper)
    return points + random.normal(scale=0.1, size=points.shape), labels


def spirals(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two arms of one and a half turns each, wound around each other, slightly noisy."""
    labels = np.arange(NUM_POINTS) % 2
    radius = np.sqrt(random.uniform(0.02, 1.0, NUM_POINTS))  # even spacing along the arm, about
    angle = 3 * np.pi * radius + np.pi * labels
    points = np.stack([np.cos(angle), np.sin(angle)], axis=1) * radius[:, None]
    return points + random.normal(scale=0.02, size=points.shape), labels


SHAPES: dict[str, Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]]] = {
    "xor": xor,
    "circles": circles,
    "moons": moons,
    "spirals": spirals,
}


def load_toy2d(argument: str, options: DataOptions, seed: int, processor: Processor | None = None) -> Dataset:
    """``toy2d:NAME``; the points themselves depend on the seed."""
    shape = argument.strip().lower()
    if shape not in SHAPES:
        raise UserError("toy2d", argument, "is no known shape", nearest(shape, list(SHAPES)))
    points, labels = SHAPES[shape](generator(seed))
    # A table like any other, so that new points are read as rows "x,y".
    columns = (*(tuple(map(repr, column)) for column in points.T.tolist()), tuple(map(str, labels.tolist())))
    table = Table(("x", "y", "class"), True, columns, tuple(range(1, len(labels) + 1)))
    note = f"generated with seed {seed}"
    return table_dataset(table, options, seed, processor, name=f"toy2d:{shape}", notes=[note])
