"""Dates as people write them, and whether they rise."""

import pytest

from anncestry.data.readers.tables import parse_table
from anncestry.data.readers.time_order import in_order_of_time, order_of_dates


@pytest.mark.parametrize(
    ("cells", "order"),
    [
        (["2020-01-02", "2020-01-03", "2020-02-01"], "rises"),
        (["2020-01-02T10:00:00Z", "2020-01-02T09:00:00+00:00"], "falls"),
        (["02.01.2020", "01.01.2020", "31.12.2019"], "falls"),
        (["12/31/2019", "01/01/2020"], "rises"),
        (["01/02/2020", "02/01/2020", "01/03/2020"], "mixed"),
        (["03/01/2020", "02/02/2020", "01/03/2020"], "rises"),  # with days first; else it falls
        (["Mar 3, 2020", "Feb 28, 2020"], "falls"),
        (["2020-01", "2020-02"], "rises"),
        (["5 Jan 2020 10:30", "5 Jan 2020 10:45"], "rises"),
        (["2020-01-01", "2020-01-01"], ""),
        (["2020-01-01", "soon"], ""),
        (["a", "b"], ""),
    ],
)
def test_dates_are_read_and_compared(cells: list[str], order: str) -> None:
    assert order_of_dates(cells) == order


def test_numbers_count_where_they_are_called_a_time() -> None:
    table = parse_table("year,n\n2020,1\n2019,2\n2018,3\n", "a.csv")
    turned, notes = in_order_of_time(table)
    assert turned.columns[1] == ("3", "2", "1")
    assert list(turned.lines) == [4, 3, 2]
    assert notes == ["the rows began with the newest (column 'year' falls); they are read in reverse"]
    other = parse_table("left,n\n2020,1\n2019,2\n", "a.csv")
    assert in_order_of_time(other) == (other, [])
