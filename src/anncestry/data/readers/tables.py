"""Reading tables: comma, semicolon or tab separated values, with or without a header.

A row is named by its line in the file, the header counted, which is also its number in a spreadsheet.
"""

import csv
import io
import itertools
import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from anncestry.errors import UserError, nearest

DELIMITERS = "\t;,"  # in the order of preference: a comma may also be a decimal comma
MISSING = frozenset(("", "?", "na", "n/a", "nan", "null"))
MAX_INTEGER_CLASSES = 20  # a target of whole numbers with more different ones is a quantity, not a class
_SAMPLE = 100  # rows looked at to find the delimiter and the header


def is_missing(cell: str) -> bool:
    """Whether a cell stands for "no value"."""
    return cell.lower() in MISSING


def as_number(cell: str) -> float:
    """The number a cell holds, which may be infinite; NaN where it holds none."""
    if "_" in cell:  # Python reads 1_000 as a number, a table does not
        return math.nan
    try:
        return float(cell)
    except ValueError:
        return math.nan


def as_numbers(cells: Sequence[str]) -> np.ndarray:
    """`as_number` of every cell, float64 (len(cells),)."""
    if "_" not in "".join(cells):
        try:
            return np.array(list(map(float, cells)))
        except ValueError:
            pass
    return np.array([as_number(cell) for cell in cells])


@dataclass(frozen=True)
class Table:
    """The cells of a table, by column, as stripped text.

    Attributes:
        names: of the columns; their positions (from 1) where there is no header.
        has_header: whether the first row held the names.
        columns: (num_columns, num_rows).
        lines: the line each row is on.
        values: each column as numbers, NaN where a cell holds none; made from the cells.
    """

    names: tuple[str, ...]
    has_header: bool
    columns: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    values: tuple[np.ndarray, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(map(as_numbers, self.columns)))

    def __len__(self) -> int:
        return len(self.lines)

    def label(self, column: int) -> str:
        """How messages name a column: ``column 'age'``, or ``column 5``."""
        return f"column {self.names[column]!r}" if self.has_header else f"column {self.names[column]}"

    def place(self, row: int, column: int) -> str:
        """How messages name a cell."""
        return f"row {self.lines[row]}, {self.label(column)}"

    def find(self, wanted: str, field: str = "target") -> int:
        """The index of the column of that name, or at that position (1 is the first); ``field`` asks for it.

        Raises:
            UserError: there is none; the columns are listed.
        """
        if self.has_header and wanted in self.names:
            return self.names.index(wanted)
        if wanted.strip().isdecimal() and 1 <= int(wanted) <= len(self.names):
            return int(wanted) - 1
        names = list(self.names)
        listed = names if len(names) <= 50 else nearest(wanted, names, 10)[:50]
        rule = f"names none of the {len(names)} columns and is no position from 1 to {len(names)}"
        raise UserError(field, wanted, rule, listed)

    def gaps(self, column: int) -> list[int]:
        """The rows without a value in a column."""
        cells = self.columns[column]
        without_number = np.flatnonzero(np.isnan(self.values[column])).tolist()
        return [row for row in without_number if is_missing(cells[row])]

    def is_empty(self, column: int) -> bool:
        """Whether a column has no value at all."""
        return len(self.gaps(column)) == len(self)

    def is_numeric(self, column: int) -> bool:
        """Whether at least half of the cells of a column that have a value hold numbers."""
        num_present = len(self) - len(self.gaps(column))
        return num_present > 0 and 2 * np.isfinite(self.values[column]).sum() >= num_present

    def usual_task(self, target: int) -> Literal["classification", "regression"]:
        """Classification for texts and for few different whole numbers in a column, else regression."""
        if not self.is_numeric(target):
            return "classification"
        numbers = np.unique(self.numbers(target))
        few = len(numbers) <= max(2, min(MAX_INTEGER_CLASSES, len(self) // 5))
        return "classification" if few and (numbers % 1 == 0).all() else "regression"

    def check_missing(self, columns: Sequence[int]) -> None:
        """Raise a `UserError` that counts the cells without a value in those columns and names the first."""
        gaps = sorted((row, column) for column in columns for row in self.gaps(column))
        if not gaps:
            return
        row, column = gaps[0]
        gapped = sorted({column for _, column in gaps})
        where = ", ".join(map(self.label, gapped[:5])) + (", ..." if len(gapped) > 5 else "")
        count = "1 has none" if len(gaps) == 1 else f"{len(gaps)} have none"
        rule = f"every cell needs a value; {count} ({where})"
        hint = "Fill in such cells or delete their rows; empty, ?, NA, NaN and null count as no value."
        raise UserError(self.place(row, column), self.columns[column][row], rule, hint=hint)

    def numbers(self, column: int) -> np.ndarray:
        """A column as float64 (num_rows,).

        Raises:
            UserError: a cell holds no number, or an infinite one; it is named.
        """
        values = self.values[column]
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            row = int(bad[0])
            cell = self.columns[column][row]
            rule = "must be a number" if math.isnan(values[row]) else "must be a finite number"
            comma = math.isfinite(as_number(cell.replace(",", ".")))
            hint = "Write decimals with a point." if comma else None
            raise UserError(self.place(row, column), cell, rule, hint=hint)
        return values


def parse_table(text: str, name: str, header: bool | None = None, known: Collection[str] = ()) -> Table:
    """A table from text.

    Args:
        text: with ``\\n`` at line ends.
        name: of the file, for messages.
        header: whether the first row holds the names of the columns; None finds out.
        known: names that make the first row a header wherever one of them is in it.

    Raises:
        UserError: rows of different length, broken quotes, a header alone, two columns of one name.
    """
    lines, rows = _rows(text, _delimiter(text), name)
    if not rows:
        raise UserError("file", name, "must hold rows of values; there are none")
    width = len(rows[0])
    for line, row in zip(lines, rows, strict=True):
        if len(row) != width:
            rule = f"every row must have {width} cells, as the first one has ({name})"
            raise UserError(f"row {line}", f"{len(row)} cells", rule)
    if header is None:
        header = any(cell in known for cell in rows[0]) or looks_like_header(rows)
    names = tuple(str(position + 1) for position in range(width))
    if header:
        names = tuple(cell or f"column {position + 1}" for position, cell in enumerate(rows[0]))
        twice = [column for column, count in Counter(names).items() if count > 1]
        if twice:
            raise UserError("header", twice[0], f"every column needs a name of its own ({name})")
        lines, rows = lines[1:], rows[1:]
    if not rows:
        raise UserError("file", name, "must hold rows of values; it holds a header alone")
    return Table(names, header, tuple(zip(*rows, strict=True)), tuple(lines))


def _rows(text: str, delimiter: str, name: str) -> tuple[list[int], list[list[str]]]:
    """Line numbers and stripped cells of all rows that are not blank."""
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True, strict=True)
    lines, rows = [], []
    try:
        for row in reader:
            if row and (len(row) > 1 or row[0].strip()):
                lines.append(reader.line_num)
                rows.append([cell.strip() for cell in row])
    except csv.Error as error:
        raise UserError(f"row {reader.line_num}", name, f"cannot be read as a table ({error})") from None
    return lines, rows


def _delimiter(text: str) -> str:
    """The separator that cuts the first rows most evenly into more than one cell; a comma where none does."""
    sample = list(itertools.islice((line for line in io.StringIO(text) if line.strip()), _SAMPLE))
    best, best_share = ",", 0.0
    for delimiter in DELIMITERS:
        widths = _widths(sample, delimiter)
        width, count = widths.most_common(1)[0] if widths else (0, 0)
        if width > 1 and count / widths.total() > best_share:
            best, best_share = delimiter, count / widths.total()
    return best


def _widths(lines: list[str], delimiter: str) -> Counter[int]:
    """How many rows have how many cells; empty where the quotes do not go with the delimiter."""
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    widths: Counter[int] = Counter()
    try:
        for row in reader:
            widths[len(row)] += 1
    except csv.Error:
        if reader.line_num < len(lines):  # else a quoted cell goes on behind the last line
            return Counter()
    return widths


def looks_like_header(rows: list[list[str]]) -> bool:
    """Whether the first row holds names: no number in it, and it stands out from the rows below.

    It stands out where a column is made of numbers below it, or where none of its cells comes again.
    """
    first, rest = rows[0], rows[1 : _SAMPLE + 1]
    numbers = as_numbers([cell.replace(",", ".") for cell in first])  # 1,5 is no name either
    if not rest or not np.isnan(numbers).all() or all(map(is_missing, first)):
        return False
    below = Table((), False, tuple(zip(*rest, strict=True)), tuple(range(len(rest))))
    if any(below.is_numeric(column) for column in range(len(first))):
        return True
    return not any(cell in cells for cell, cells in zip(first, below.columns, strict=True) if cell)
