"""The rows of a table file: the one reader of values with commas, semicolons, tabs or bars between them.

Every source and every prediction that reads such a file reads it here.
"""

import csv
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from anncestry.data.readers.watching import report_progress
from anncestry.errors import UserError
from anncestry.user_files import each_line, split_lines

DELIMITERS = "\t;,|"  # in the order of preference: a comma may also be a decimal comma
CHUNK = 2**14  # rows that are kept together
_NO_LIMIT = 2**31 - 1  # characters of a cell: more than a file that is read may have
_STAND_INS = map(chr, range(0xE000, 0xF900))  # for private use
_SAID = re.compile(r"sep=(.)\n", re.IGNORECASE)
"""A first line which says to Excel what stands between the cells."""
_BLANK = re.compile(r"[^\S\n]")


class Cells(Sequence[str]):
    """The cells of a column, kept as few long texts: a short one takes a tenth of the memory of a `str`."""

    def __init__(self, cells: Sequence[str] = ()) -> None:
        self._texts: list[str] = []
        self._ends: list[np.ndarray] = []
        self._rows = range(0)  # those of all that were put away which count
        for first in range(0, len(cells), CHUNK):
            self.append(cells[first : first + CHUNK])

    def append(self, cells: Sequence[str]) -> None:
        """Add a chunk; every one but the last has `CHUNK` cells."""
        assert self._rows.stop % CHUNK == 0
        self._texts.append("".join(cells))
        kind = np.int32 if len(self._texts[-1]) < 2**31 else np.int64
        self._ends.append(np.fromiter(map(len, cells), np.int64, len(cells)).cumsum().astype(kind))
        self._rows = range(self._rows.start, self._rows.stop + len(cells))

    def without_first(self) -> "Cells":
        """All but the first cell; the same texts, not a copy."""
        rest = Cells()
        rest._texts, rest._ends, rest._rows = self._texts, self._ends, self._rows[1:]
        return rest

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, row):  # pyright: ignore[reportIncompatibleMethodOverride]
        if isinstance(row, slice):
            return tuple(self[number] for number in range(*row.indices(len(self))))
        chunk, position = divmod(self._rows[row], CHUNK)
        ends = self._ends[chunk]
        return self._texts[chunk][ends[position - 1] if position else 0 : ends[position]]

    def __iter__(self) -> Iterator[str]:
        for chunk in self.chunks():
            yield from chunk

    def chunks(self) -> Iterator[list[str]]:
        """The cells, chunk after chunk."""
        skipped = self._rows.start
        for text, ends in zip(self._texts, self._ends, strict=True):
            bounds = [0, *ends.tolist()][skipped:]
            yield [text[a:b] for a, b in itertools.pairwise(bounds)]
            skipped = 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __repr__(self) -> str:
        return f"Cells({list(itertools.islice(self, 10))}{', ...' if len(self) > 10 else ''})"


@dataclass(frozen=True)
class Rows:
    """The rows of a file, by column.

    Attributes:
        first: the rows it begins with, at most `CHUNK`.
        columns: all rows.
        lines: the line in the file that each row ends on.
        notes: what was left out.
    """

    first: list[list[str]]
    columns: list[Cells]
    lines: Sequence[int]
    notes: tuple[str, ...]


def read_rows(text: str, name: str, *, strip: bool = True, ragged: bool = False) -> Rows:
    """The rows of a text whose cells have commas, semicolons, tabs or vertical bars between them.

    A cell in quotation marks may hold any of these and line ends. Where tabs are between cells, a mark is a
    mark, and not the beginning of a quoted cell, unless every cell that begins with one also ends there.
    Rows without a value in any cell are left out with a note.

    Args:
        text: with LF or CRLF at line ends.
        name: of the file, for messages.
        strip: whether blanks round cells are left out.
        ragged: whether rows between whose cells are tabs may have more cells than the first one, which are
            left out with a note.

    Raises:
        UserError: rows of different length, broken quotes, no row at all.
    """
    text, stand_in = _one_line_end(text, name)
    with _cells_of_any_length():
        said = _SAID.match(text)
        text = text if said is None else text[said.end() - 1 :]  # a blank line, which counts
        delimiter, quoted = _delimiter(text) if said is None else (said[1], True)
        reader = _Reader(text, delimiter, quoted)
        found = _collect(
            reader, name, strip and _BLANK.search(text) is not None, ragged and not quoted, said is not None
        )
    if stand_in is not None:
        back = [[cell.replace(stand_in, "\r") for cell in column] for column in found.columns]
        return Rows(list(map(list, itertools.islice(zip(*back, strict=True), CHUNK))), list(map(Cells, back)),
                    found.lines, found.notes)  # fmt: skip
    return found


def loose_rows(text: str, name: str) -> tuple[str, list[tuple[int, list[str]]]]:
    """The mark between the cells of a text, and its rows of any width, each with the line it begins on.

    Raises:
        UserError: a quotation mark closes badly: what is behind it would be taken in.
    """
    text, stand_in = _one_line_end(text, name)

    def back(cell: str) -> str:
        return cell if stand_in is None else cell.replace(stand_in, "\r")

    with _cells_of_any_length():
        delimiter, quoted = _delimiter(text)
        reader, rows, begins = _Reader(text, delimiter, quoted), [], 1
        lines = split_lines(text)
        try:
            for row in reader:
                if begins == reader.line and '"' not in lines[begins - 1]:
                    row = lines[begins - 1].split(delimiter)  # with the blanks behind its commas
                if any(map(str.strip, row)):
                    rows.append((begins, list(map(back, row))))
                begins = reader.line + 1
        except csv.Error as error:
            hint = 'A cell that begins with a quotation mark ends with one, and has "" for those within.'
            raise UserError("file", name, f"line {begins} cannot be read ({error})", hint=hint) from None
    return delimiter, rows


def _one_line_end(text: str, name: str) -> tuple[str, str | None]:
    """A text in which LF alone ends lines, and what stands in it for a carriage return, which the csv module
    takes for a line end."""
    if "\r" not in text:
        return text, None
    if "\n" not in text:
        hint = "Save it again with LF or CRLF at the ends of lines."
        raise UserError("file", name, "has carriage returns alone at the ends of its lines", hint=hint)
    text = text.replace("\r\n", "\n")
    if "\r" not in text:
        return text, None
    stand_in = next(mark for mark in _STAND_INS if mark not in text)
    return text.replace("\r", stand_in), stand_in


class _Reader:
    """Gives the cells of each row; ``line`` is the one that the last row ended on."""

    def __init__(self, text: str, delimiter: str, quoted: bool) -> None:
        self.line = 0
        self._delimiter = delimiter
        self.text = text
        self._csv = _csv(text, delimiter) if quoted else None

    def __iter__(self) -> Iterator[list[str]]:
        if self._csv is None:
            for line in each_line(self.text):
                self.line += 1
                yield line.removesuffix("\n").split(self._delimiter)
            return
        for row in self._csv:
            self.line = self._csv.line_num
            yield row

    @property
    def reached(self) -> int:
        """The line that was read last, which a row that cannot be read ends on."""
        return self.line if self._csv is None else self._csv.line_num


def _collect(reader: _Reader, name: str, strip: bool, ragged: bool, begins_blank: bool) -> Rows:
    """All rows, of one width; the first line may be blank for no row."""
    total = reader.text.count("\n") + 1
    first: list[list[str]] = []
    chunk: list[list[str]] = []
    columns: list[Cells] = []
    lines: list[int] = []
    empty = longer = 0  # rows without a value, rows of more cells
    blank = -1 if begins_blank else 0  # lines since the last row

    def put_away() -> None:
        if not columns:
            first.extend(chunk)
            columns.extend(Cells() for _ in chunk[0])
        for column, cells in zip(columns, zip(*chunk, strict=True), strict=True):
            column.append(cells)
        chunk.clear()

    width = 0
    try:
        for row in reader:
            if strip:
                row = [cell.strip() for cell in row]
            if not (row and row[0].strip()) and not any(map(str.strip, row)):
                empty, blank = (empty + 1, blank) if len(row) > 1 else (empty, blank + 1)
                continue
            empty, blank = empty + blank, 0  # blank lines at the end of a file are no rows
            width = width or len(row)
            if len(row) != width:
                if len(row) < width or not ragged:
                    rule = f"every row must have {width} cells, as the first one has ({name})"
                    raise UserError(f"row {reader.line}", f"{len(row)} cells", rule)
                row, longer = row[:width], longer + 1
            lines.append(reader.line)
            chunk.append(row)
            if len(chunk) == CHUNK:
                put_away()
                report_progress("rows", len(lines), total)
    except csv.Error as error:
        raise UserError(f"row {reader.reached}", name, f"cannot be read as a table ({error})") from None
    if chunk:
        put_away()
    report_progress("rows", total, total)
    if not lines:
        raise UserError("file", name, "must hold rows of values; there are none")
    notes = [f"left out {empty} rows without any value"] if empty else []
    if longer:
        notes.append(
            f"left out the cells behind cell {width}, which {longer} rows have and the first has not"
        )
    consecutive = range(lines[0], lines[-1] + 1)
    return Rows(first, columns, consecutive if len(consecutive) == len(lines) else lines, tuple(notes))


def _delimiter(text: str) -> tuple[str, bool]:
    """The separator that cuts most rows into equally many cells, and whether cells may be quoted."""
    present = [mark for mark in DELIMITERS if mark in text]
    best, best_share = (",", True), 0.0
    if present == [","]:
        return best
    for delimiter in present:
        quoted = delimiter != "\t" or _tabs_and_quotes(text)
        widths = _widths(text, delimiter, quoted)
        if not quoted and len(widths) > 1 and len(within := _widths(text, delimiter, True)) == 1:
            quoted, widths = True, within  # cells of several lines
        width, count = widths.most_common(1)[0] if widths else (0, 0)
        if width > 1 and count / widths.total() > best_share:
            best, best_share = (delimiter, quoted), count / widths.total()
    return best


def _widths(text: str, delimiter: str, quoted: bool) -> Counter[int]:
    """How many rows have how many cells; empty where the quotes do not go with the delimiter."""
    if not quoted:
        return Counter(line.count(delimiter) + 1 for line in each_line(text) if line.strip())
    reader = _csv(text, delimiter)
    try:
        return Counter(len(row) for row in reader if row and (len(row) > 1 or row[0].strip()))
    except csv.Error:
        return Counter()


def _tabs_and_quotes(text: str) -> bool:
    """Whether quotation marks in a text with tabs stand round cells."""
    if '"' not in text:
        return False
    starting = [
        cell for line in split_lines(text) for cell in map(str.strip, line.split("\t")) if cell[:1] == '"'
    ]
    return bool(starting) and all(
        len(cell) > 1 and cell.endswith('"') and '"' not in cell[1:-1].replace('""', "") for cell in starting
    )


def _csv(text: str, delimiter: str):
    return csv.reader(each_line(text), delimiter=delimiter, skipinitialspace=True, strict=True)


@contextmanager
def _cells_of_any_length() -> Iterator[None]:
    before = csv.field_size_limit(_NO_LIMIT)
    try:
        yield
    finally:
        csv.field_size_limit(before)
