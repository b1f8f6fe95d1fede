"""What a person should know of the columns of a table before a net learns from them."""

import re
from collections.abc import Collection, Sequence

import numpy as np

from anncestry.data.readers.tables import PLAIN, Table, is_dressed

_UNNAMED = re.compile(r"unnamed: 0", re.IGNORECASE)
_NAMED_AS_ONE = re.compile(r"(^|[\W_])(id|uuid|key|index|nr|no)$|Id$|ID$", re.IGNORECASE)
STAND_INS = (-9.0, -99.0, -999.0, -9999.0, 999.0, 9999.0, 99999.0)
SAMPLE = 1000  # rows that are looked at first
FEWEST = 10  # rows from which on an identifier differs from a few numbers that happen to differ


def is_index(table: Table, column: int) -> bool:
    """Whether a column is the index that pandas writes: the first, nameless, with different numbers."""
    unnamed = column in table.unnamed or (
        table.has_header and _UNNAMED.fullmatch(table.names[column]) is not None
    )
    return column == 0 and unnamed and _differs(table, column)


def remarks(table: Table, columns: Sequence[int]) -> list[str]:
    """Notes on columns that are hardly meant as they are read."""
    notes = []
    for column in columns:
        name, cells = table.label(column), table.columns[column]
        if not table.is_numeric(column):
            texts = set(cells)
            example = dressed_number(texts)
            if example is not None:
                notes.append(f"{name}: numbers like {example!r} are read as texts. {PLAIN}")
            elif len(texts) == 1:
                notes.append(f"{name} is the same in every row")
            continue
        values = table.values(column)
        stand_in = _stand_in(values)
        if stand_in is not None:
            count = int((values == stand_in).sum())
            what = f"{count} cells hold {stand_in:g}, far from all others, which mostly stands for no value"
            notes.append(f"{name}: {what}; it is read as a number")
        if len(values) > 1 and (values == values[0]).all():
            notes.append(f"{name} is the same in every row")
        elif len(table) >= FEWEST and _differs(table, column):
            counts = values.max() - values.min() == len(values) - 1
            if counts or (table.has_header and _NAMED_AS_ONE.search(table.names[column])):
                what = "counts the rows" if counts else "has another number in every row"
                notes.append(f"{name} {what}, as an identifier does; --drop leaves it out")
    return notes


def tells_target(table: Table, inputs: Sequence[int], target: int) -> list[str]:
    """Notes on inputs that are the target in other words: one value for each class, or on a line with it."""
    notes = []
    if len(table) < FEWEST:
        return notes
    for column in inputs:
        few = slice(0, SAMPLE)  # which mostly show that it is not so
        if all(_same_in_other_words(table, column, target, rows) for rows in (few, slice(None))):
            what = f"{table.label(column)} says the same as {table.label(target)}, the target"
            notes.append(f"{what}, in other words; --drop leaves it out")
    return notes


def _same_in_other_words(table: Table, column: int, target: int, rows: slice) -> bool:
    if table.is_numeric(column) and table.is_numeric(target):
        both = table.values(column)[rows], table.values(target)[rows]
        if _on_a_line(*both):
            return True
    values, targets = table.columns[column][rows], table.columns[target][rows]
    pairs, classes = set(zip(values, targets, strict=True)), len(set(targets))
    return classes == len(pairs) == len(set(values)) and 1 < classes < len(targets)


def _on_a_line(values: np.ndarray, targets: np.ndarray) -> bool:
    both = np.stack([values, targets])
    if not np.isfinite(both).all() or (both.min(1) == both.max(1)).any():
        return False
    low, high = both.min(1, keepdims=True), both.max(1, keepdims=True)
    first, second = (both - low) / (high - low)
    return bool(np.abs(first - second).max() < 1e-9 or np.abs(first + second - 1).max() < 1e-9)


def _stand_in(values: np.ndarray) -> float | None:
    """A number of nines, several times, further from all others than these are from each other."""
    for nines in STAND_INS:
        others = values[np.isfinite(values) & (values != nines)]
        if (values == nines).sum() < 2 or not len(others):
            continue
        gap = max(others.min() - nines, nines - others.max())
        if gap > max(others.max() - others.min(), 1):
            return nines
    return None


def dressed_number(texts: Collection[str]) -> str | None:
    """One of the texts of a column of which most would be numbers if they were written plainly."""
    dressed = sorted(filter(is_dressed, texts))
    return dressed[0] if dressed and 2 * len(dressed) >= len(texts) else None


def _differs(table: Table, column: int) -> bool:
    """Whether a column has another whole number in every row."""
    values = table.values(column) if table.is_numeric(column) else np.array([np.nan])
    return bool(
        np.isfinite(values).all() and (values % 1 == 0).all() and len(np.unique(values)) == len(values)
    )
