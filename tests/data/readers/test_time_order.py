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
        (["1/2/2020 12:30 AM", "1/1/2020 11:30 PM", "1/1/2020 1:15 AM"], "falls"),
        (["Thursday, 2 January 2020", "Wednesday, 1 January 2020"], "falls"),
        (["Thu, 02 Jan 2020 10:00:00 +0000", "Wed, 01 Jan 2020 10:00:00 +0000"], "falls"),
        (["02/Jan/2020:00:00:01 +0000", "01/Jan/2020:23:59:59 +0000"], "falls"),
        (["2020Q2", "2020Q1", "2019Q4"], "falls"),
        (["Q1 2020", "Q4 2019"], "falls"),
        (["2020.01.02", "2020.01.01"], "falls"),
        (["2020M02", "2020M01"], "falls"),
        (["2020-W06", "2020-W05"], "falls"),
        (["03/01/2020 10:00:00.5", "03/01/2020 10:00:00.25"], "falls"),
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


@pytest.mark.parametrize(
    ("text", "turned"),
    [
        ("ts,n\n1600000002,1\n1600000001,2\n", True),
        ("TradeDate,n\n20200102,1\n20200101,2\n", True),
        ("day,date,n\n2,2020-02-02,1\n1,2020-02-01,2\n31,2020-01-31,3\n", True),  # the day is of a month
        ("year,month,n\n2020,1,1\n2019,12,2\n", True),
        ("holiday,n\n1,1\n0,2\n", False),
        ("update,n\n2,1\n1,2\n", False),
    ],
)
def test_other_names_of_times(text: str, turned: bool) -> None:
    table = parse_table(text, "a.csv")
    assert (in_order_of_time(table)[0] != table) is turned
