"""In which order the rows of a table stand, where a column holds dates."""

import dataclasses
import itertools
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

import numpy as np

from anncestry.data.readers.tables import Table

Order = Literal["rises", "falls", "mixed", ""]
_ORDERS: tuple[Order, ...] = ("rises", "falls", "mixed", "")
SAMPLE = 200  # rows whose dates are looked at
_DAYS = (
    *("%Y/%m/%d", "%d.%m.%Y", "%d.%m.%y", "%m/%d/%Y", "%d/%m/%Y", "%m/%d/%y", "%d/%m/%y", "%d-%m-%Y"),
    *("%Y.%m.%d", "%d. %m. %Y", "%d/%b/%Y", "%d-%B-%Y"),
    *("%d-%b-%Y", "%d-%b-%y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%d %b %Y", "%d %B %Y", "%d. %B %Y"),
    *("%Y-%m", "%Y/%m", "%m/%Y", "%b %Y", "%B %Y", "%b-%y", "%b-%Y", "%Y-%b", "%YM%m"),
)
_TIMES = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%H:%M:%S %z", "%I:%M %p", "%I:%M:%S %p")
_FORMATS = tuple(day + time for day in _DAYS for time in ("", *(f" {time}" for time in _TIMES)))
_DAY_OF_WEEK = re.compile(r"(mon|tues?|wed(nes)?|thu(rs)?|fri|sat(ur)?|sun)(day)?,? ", re.IGNORECASE)
_QUARTER = re.compile(r"(?:(\d{4})[- ]?Q([1-4])|Q([1-4])[- /]?(\d{4}))", re.IGNORECASE)
_TIME = re.compile(
    r"(^|[\W_])(date|datetime|time|timestamp|year|day|ts|ds|epoch|unix)([\W_]|$)"
    r"|(?-i:(?<=[a-z])(Date|Time|Year|Day)$)",
    re.IGNORECASE,
)


def in_order_of_time(table: Table) -> tuple[Table, list[str]]:
    """A table whose rows go forward in time, and a note where they did not, or where nobody can say.

    The first column of dates decides, or of numbers that is called date, time, timestamp or year.
    """
    mixed, order = None, ""
    for column in range(len(table.names)):
        order = _order(table, column)
        if order == "falls":
            backward = tuple(tuple(reversed(tuple(cells))) for cells in table.columns)
            turned = dataclasses.replace(table, columns=backward, lines=table.lines[::-1])
            note = f"the rows began with the newest ({table.label(column)} falls); they are read in reverse"
            return turned, [note]
        if order == "mixed":
            mixed = column if mixed is None else mixed
            if table.is_numeric(column):
                continue  # the day of a month, say
        if order:
            break
    if mixed is None or order == "rises":
        return table, []
    note = f"{table.label(mixed)} neither rises nor falls; rows are read in the order of the file"
    return table, [note]


def _order(table: Table, column: int) -> Order:
    """Whether the dates of a column rise from row to row; nothing where it holds none."""
    if table.is_numeric(column):
        values = table.values(column)
        named = table.has_header and _TIME.search(table.names[column]) is not None
        return _direction(values.tolist()) if named and np.isfinite(values).all() else ""
    rows = sorted({int(position) for position in np.linspace(0, len(table) - 1, SAMPLE)})
    cells = table.columns[column]
    return order_of_dates([cells[row].strip() for row in rows])


def order_of_dates(cells: Sequence[str]) -> Order:
    """Whether dates rise, fall or do neither; nothing where a cell is no date, or where all are one.

    Where days and months may be read in two ways, that counts in which there is an order.
    """
    read = (_dates(cells, how) for how in (None, *_FORMATS))
    orders: list[Order] = [_direction(dates) for dates in read if dates is not None]
    return min(orders, key=_ORDERS.index) if orders else ""


def _direction(values: Sequence) -> Order:
    pairs = list(itertools.pairwise(values))
    if not pairs or all(a == b for a, b in pairs):
        return ""
    if all(a <= b for a, b in pairs):
        return "rises"
    return "falls" if all(a >= b for a, b in pairs) else "mixed"


def _dates(cells: Sequence[str], how: str | None) -> list[datetime] | None:
    """The dates of cells in one format, ISO 8601 for None; None where a cell is none."""
    found = []
    try:
        for cell in map(_plain, cells):
            date = datetime.fromisoformat(cell) if how is None else datetime.strptime(cell, how)
            found.append(date.astimezone(UTC).replace(tzinfo=None) if date.tzinfo else date)
    except (ValueError, OverflowError):
        return None
    return found


def _plain(cell: str) -> str:
    """A date without its day of the week, with a blank between day and time, and a quarter as its first
    month."""
    quarter = _QUARTER.fullmatch(cell)
    if quarter is not None:
        year, number = quarter[1] or quarter[4], int(quarter[2] or quarter[3])
        return f"{year}-{3 * number - 2:02d}"
    cell = _DAY_OF_WEEK.sub("", cell, count=1) if cell[:1].isalpha() else cell
    return re.sub(r"(?<=\d{4}):(?=\d)", " ", cell)
