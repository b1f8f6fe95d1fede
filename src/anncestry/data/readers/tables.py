"""Tables: their columns, as texts and as numbers, with or without a header.

A row is named by its line in the file, the header counted, which is also its number in a spreadsheet.
"""

import math
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from anncestry.data.readers.rows import Cells, read_rows
from anncestry.errors import UserError, nearest

MISSING = frozenset(("", "?", "na", "n/a", "nan", "null"))
MAX_INTEGER_CLASSES = 20  # a target of whole numbers with more different ones is a quantity, not a class
_SAMPLE = 100  # rows looked at to find the header


_DRESSED = re.compile(
    r"[$€£¥]?\s?[+-]?[$€£¥]?(\d{1,3}([,.' \u00a0\u202f]\d{3})+|\d+)([.,]\d+)?\s?[$€£¥%]?", re.ASCII
)
PLAIN = "Write numbers plainly: a point before decimals, no marks between thousands, no % and no money."


def is_dressed(cell: str) -> bool:
    """Whether a cell that is no number would be one without a percent sign, a sign of money, marks between
    thousands, or a comma for a point."""
    return math.isnan(as_number(cell)) and _DRESSED.fullmatch(cell.strip()) is not None


def is_missing(cell: str) -> bool:
    """Whether a cell stands for "no value"."""
    return cell.strip().lower() in MISSING


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
    if isinstance(cells, Cells):
        parts = [as_numbers(chunk) for chunk in cells.chunks()]
        return np.concatenate(parts) if parts else np.empty(0)
    if "_" not in "".join(cells):
        try:
            return np.array(list(map(float, cells)))
        except ValueError:
            pass
    known = {cell: as_number(cell) for cell in set(cells)}  # of texts there are few different ones
    return np.array([known[cell] for cell in cells])


@dataclass(frozen=True)
class Table:
    """The cells of a table, by column, as stripped text.

    Attributes:
        names: of the columns; their positions (from 1) where there is no header.
        has_header: whether the first row held the names.
        columns: (num_columns, num_rows).
        lines: the line each row is on.
        notes: what was left out while it was read.
        unnamed: the columns that the header has no name for.
    """

    names: tuple[str, ...]
    has_header: bool
    columns: tuple[Sequence[str], ...]
    lines: Sequence[int]
    notes: tuple[str, ...] = ()
    unnamed: tuple[int, ...] = ()
    _values: dict[int, np.ndarray] = field(default_factory=dict, init=False, repr=False, compare=False)
    _gaps: dict[int, list[int]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.lines)

    def values(self, column: int) -> np.ndarray:
        """A column as numbers, float64 (num_rows,); NaN where a cell holds none."""
        if column not in self._values:
            self._values[column] = as_numbers(self.columns[column])
        return self._values[column]

    def label(self, column: int) -> str:
        """How messages name a column: ``column 'age'``, or ``column 5``."""
        return f"column {self.names[column]!r}" if self.has_header else f"column {self.names[column]}"

    def location(self, row: int, column: int) -> str:
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
        if column not in self._gaps:
            without_number = np.isnan(self.values(column))
            missing: set[str] = set()
            if without_number.any():
                missing = set(filter(is_missing, set(self.columns[column])))
            cells = enumerate(self.columns[column]) if missing else ()
            self._gaps[column] = [row for row, cell in cells if cell in missing]
        return self._gaps[column]

    def is_empty(self, column: int) -> bool:
        """Whether a column has no value at all."""
        return len(self.gaps(column)) == len(self)

    def is_numeric(self, column: int) -> bool:
        """Whether at least half of the cells of a column that have a value hold numbers."""
        num_present = len(self) - len(self.gaps(column))
        return num_present > 0 and 2 * np.isfinite(self.values(column)).sum() >= num_present

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
        raise UserError(self.location(row, column), self.columns[column][row], rule, hint=hint)

    def numbers(self, column: int) -> np.ndarray:
        """A column as float64 (num_rows,).

        Raises:
            UserError: a cell holds no number, or an infinite one; it is named.
        """
        values = self.values(column)
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            row = int(bad[0])
            cell = self.columns[column][row]
            rule = "must be a number" if math.isnan(values[row]) else "must be a finite number"
            comma = math.isfinite(as_number(cell.replace(",", ".")))
            hint = "Write decimals with a point." if comma else PLAIN if is_dressed(cell) else None
            raise UserError(self.location(row, column), cell, rule, hint=hint)
        return values


def parse_table(
    text: str,
    name: str,
    header: bool | None = None,
    known: Collection[str] = (),
    *,
    strip: bool = True,
    ragged: bool = False,
) -> Table:
    """A table from text; `read_rows` says what its rows are.

    Args:
        text: with LF or CRLF at line ends.
        name: of the file, for messages.
        header: whether the first row holds the names of the columns; None finds out.
        known: names that make the first row a header wherever one of them is in it.
        strip, ragged: as for `read_rows`.

    Raises:
        UserError: rows of different length, broken quotes, a header alone, two columns of one name.
    """
    rows = read_rows(text, name, strip=strip, ragged=ragged)
    first, notes = [cell.strip() for cell in rows.first[0]], list(rows.notes)
    if header is None:
        named = [cell for cell in first if cell in known]
        # A number that is also a name may be a value: only a whole row of names in their order is none.
        texts = any(math.isnan(as_number(cell)) for cell in named)
        header = texts or (named == first and named == [name for name in known if name in named])
        if not header and (sign := sign_of_header(rows.first[: _SAMPLE + 1])):
            header = True
            if sign != "numbers":
                shown = ", ".join(first[:5]) + (", ..." if len(first) > 5 else "")
                reason = "none comes again below" if sign == "alone" else "they count the columns"
                notes.append(f"the first row is read as the names of the columns ({shown}): {reason}")
    names, lines = tuple(str(position + 1) for position in range(len(first))), rows.lines
    if not header:
        return Table(names, False, tuple(rows.columns), lines, tuple(notes))
    names = tuple(cell or f"column {position + 1}" for position, cell in enumerate(first))
    twice = [column for column, count in Counter(names).items() if count > 1]
    if twice:
        raise UserError("header", twice[0], f"every column needs a name of its own ({name})")
    if len(lines) == 1:
        raise UserError("file", name, "must hold rows of values; it holds a header alone")
    unnamed = tuple(position for position, cell in enumerate(first) if not cell)
    return Table(
        names,
        True,
        tuple(column.without_first() for column in rows.columns),
        lines[1:],
        tuple(notes),
        unnamed,
    )


def sign_of_header(rows: Sequence[Sequence[str]]) -> Literal["", "numbers", "alone", "counting"]:
    """What shows that the first row holds names, if something does: no cell of it is a number, or the numbers
    in it are ``counting`` the columns as pandas does, and it stands out from the rows below.

    It stands out where a column is made of ``numbers`` below it, or where none of its cells comes again, and
    it is ``alone``.
    """
    first, rest = [cell.strip() for cell in rows[0]], rows[1:]
    numbers = as_numbers([cell.replace(",", ".") for cell in first])  # 1,5 is no name either
    if not rest or all(map(is_missing, first)):
        return ""
    if not np.isnan(numbers).all():
        return "counting" if _counts_columns(first, rest) else ""
    below = Table((), False, tuple(zip(*rest, strict=True)), range(len(rest)))
    if any(below.is_numeric(column) for column in range(len(first))):
        return "numbers"
    comes_again = any(
        cell in map(str.strip, cells) for cell, cells in zip(first, below.columns, strict=True) if cell
    )
    return "" if comes_again else "alone"


def _counts_columns(first: Sequence[str], rest: Sequence[Sequence[str]]) -> bool:
    """Whether the numbers in a first row are the 0, 1, 2, ... by which pandas names columns.

    Names beside them do not come again below. Where there are numbers alone, there are three at least, and
    the row below does not go on as the first one does.
    """
    numbers = [cell for cell in first if not math.isnan(as_number(cell))]
    if len(numbers) < 2 or numbers != [str(position) for position in range(len(numbers))]:
        return False
    names = [position for position, cell in enumerate(first) if cell and cell not in numbers]
    if names:
        return all(first[position] not in (row[position].strip() for row in rest) for position in names)
    below = as_numbers([cell.strip() for cell in rest[0]])
    return len(numbers) > 2 and not (np.diff(below) == 1).all()
