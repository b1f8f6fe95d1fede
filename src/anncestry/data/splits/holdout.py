"""How data without official splits are parted: at random within each class, or in the order of time.

The same seed gives the same split on every machine.
"""

import re
from collections.abc import Sequence

import numpy as np

from anncestry.data.readers.tables import as_number
from anncestry.errors import UserError

HELD_OUT = 0.15
"""Share of the rows in the validation split, and again in the test split."""


def generator(seed: int) -> np.random.Generator:
    """NumPy's generator for any integer seed."""
    return np.random.default_rng(seed % 2**63)


Shares = tuple[float, ...]


def random_split(
    num_rows: int, random: np.random.Generator, held_out: Shares = (HELD_OUT, HELD_OUT)
) -> list[np.ndarray]:
    """Row numbers of training and of each held-out part, shuffled.

    Every part has at least one row; where there are too few rows for that, all go to training.
    """
    order = random.permutation(num_rows)
    if num_rows <= len(held_out):
        return [order, *(order[:0] for _ in held_out)]
    parts, first = [], 0
    for share in held_out:
        count = max(1, round(share * num_rows))
        parts.append(order[first : first + count])
        first += count
    return [order[first:], *parts]


def cut_in_order(num_rows: int, ends: Sequence[float]) -> list[slice]:
    """The rows of each part, one part behind the other.

    Args:
        num_rows: of all parts.
        ends: the share of the rows that lie before the end of each part but the last.

    Returns:
        A part has one row at least, where there are as many rows as parts.
    """
    positions, parts_left = [0], len(ends)
    for end in ends:
        position = min(max(round(end * num_rows), positions[-1] + 1), num_rows - parts_left)
        positions.append(max(position, positions[-1]))
        parts_left -= 1
    return [slice(a, b) for a, b in zip(positions, [*positions[1:], num_rows], strict=True)]


def stratified_split(
    labels: np.ndarray, random: np.random.Generator, held_out: Shares = (HELD_OUT, HELD_OUT)
) -> list[np.ndarray]:
    """`random_split` within each class, so that every class is in the training part.

    Args:
        labels: (N,) integers.
        random: fixes the split.
        held_out: the share of each held-out part.

    Returns:
        Row numbers of training and of each held-out part, shuffled. A part has its share of all rows,
        rounded, and of each class the share rounded up or down, but one row at least. All rows of a class
        with no more rows than held-out parts go to training.
    """
    if not held_out:
        return [random.permutation(len(labels))]
    classes, counts = np.unique(labels, return_counts=True)
    ends = np.cumsum([_allot(counts, share, len(held_out)) for share in held_out], axis=0)
    parts: list[list[np.ndarray]] = [[] for _ in range(len(held_out) + 1)]
    for index, label in enumerate(classes):
        rows = random.permutation(np.flatnonzero(labels == label))
        for part, chosen in zip(parts, np.split(rows, ends[:, index]), strict=True):
            part.append(chosen)
    *held_parts, train = [random.permutation(np.concatenate(part)) for part in parts]
    return [train, *held_parts]


def _allot(counts: np.ndarray, share: float, num_parts: int) -> np.ndarray:
    """Rows of each class for one part: the share rounded down, what is left over to those cut most."""
    ideal = share * counts
    allotted = np.floor(ideal).astype(int)
    left_over = round(ideal.sum()) - allotted.sum()
    allotted[np.argsort(allotted - ideal, kind="stable")[:left_over]] += 1
    return np.where(counts > num_parts, np.maximum(allotted, 1), 0)


def check_classes(field: str, labels: np.ndarray, classes: tuple[str, ...]) -> tuple[str, ...]:
    """Notes on classes too small to be split, and on those that may be one class.

    Raises:
        UserError: fewer than two classes, or hardly any class has enough rows to be split.
    """
    if len(classes) < 2:
        rule = "a classification needs at least two classes; there is only one"
        raise UserError(field, classes[0] if classes else "none", rule)
    notes = (*_on_same_numbers(classes), *_on_same_letters(classes))
    counts = np.bincount(labels, minlength=len(classes))
    rare = [name for name, count in zip(classes, counts, strict=True) if count < 3]
    if not rare:
        return notes
    listed = ", ".join(repr(name) for name in rare[:5]) + (", ..." if len(rare) > 5 else "")
    if 2 * counts[counts < 3].sum() > len(labels):
        rule = f"a class needs 3 rows to be in every split; {len(rare)} have fewer ({listed})"
        raise UserError(field, f"{len(classes)} classes in {len(labels)} rows", rule)
    return (
        *notes,
        f"{len(rare)} classes have fewer than 3 rows and are in the training split alone: {listed}",
    )


def _on_same_numbers(classes: tuple[str, ...]) -> tuple[str, ...]:
    """A note on classes whose names are the same number, written in two ways."""
    by_value: dict[float, list[str]] = {}
    for name in classes:
        by_value.setdefault(as_number(name), []).append(name)
    same = [
        ", ".join(map(repr, names)) for value, names in by_value.items() if value == value and len(names) > 1
    ]
    shown = "; ".join(same[:5]) + ("; ..." if len(same) > 5 else "")
    return (f"classes of one number that is written in several ways stay apart: {shown}",) if same else ()


def _on_same_letters(classes: tuple[str, ...]) -> tuple[str, ...]:
    """A note on classes whose names differ in capitals, blanks and hyphens alone."""
    by_letters: dict[str, list[str]] = {}
    for name in classes:
        by_letters.setdefault(re.sub(r"[\s_-]+", "", name).casefold(), []).append(name)
    same = [
        ", ".join(map(repr, names)) for letters, names in by_letters.items() if letters and len(names) > 1
    ]
    shown = "; ".join(same[:5]) + ("; ..." if len(same) > 5 else "")
    return (f"classes that differ in capitals or blanks alone stay apart: {shown}",) if same else ()


def describe_random_split(parts: list[np.ndarray], seed: int, stratified: bool) -> str:
    """The note on a random split."""
    sizes = " / ".join(str(len(part)) for part in parts)
    within = ", within each class" if stratified else ""
    return f"split at random with seed {seed}{within}: {sizes} rows for training, validation, test"
