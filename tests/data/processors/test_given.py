"""What a person gives: a string is an input and never a file, and rows may come as people hold them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from anncestry.data.processors import PlainProcessor, SeriesProcessor, TableProcessor, TextProcessor
from anncestry.data.processors.common import Layout
from anncestry.data.processors.given import given_texts, table_of
from anncestry.data.processors.table import Column
from anncestry.errors import UserError

TABLE = TableProcessor(
    Layout(("age", "town", "price"), True, 2, (0, 1)),
    (Column(mean=40.0, scale=10.0), Column(values=("Bonn", "St. Paul, north"))),
)
SERIES = SeriesProcessor(Layout(("a", "b"), True, 1, (0, 1)), (0.0, 0.0), (1.0, 1.0), window=2, horizon=1)


class Frame:
    """What pandas and polars have in common, as far as it is asked for."""

    def __init__(self, columns: dict) -> None:
        self._columns, self.columns = columns, list(columns)

    def __getitem__(self, name: str):
        return np.array(self._columns[name], dtype=object)


def test_a_string_is_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("no secret\n")
    monkeypatch.chdir(tmp_path)
    assert given_texts("a") == ["a"]
    assert given_texts(str(tmp_path / "a")) == [str(tmp_path / "a")]
    text = TextProcessor("\n acenorst")
    assert text.decode_tokens(text.read("a")[1][0]) == "a"
    with pytest.raises(UserError, match="the number of columns is 1"):
        TABLE.read("a")
    assert given_texts("-") == ["-"]


def test_texts_come_one_by_one_in_lists_and_in_files(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(" one \r\n\ntwo\u2028three\n", newline="")
    assert given_texts(path) == [" one ", "", "two\u2028three"]
    assert given_texts([path, "x\ny ", ("a", "b")]) == [" one ", "", "two\u2028three", "x\ny ", ("a", "b")]
    assert given_texts(np.array(["a", "b\ud83d"])) == ["a", "b\ufffd"]
    with pytest.raises(UserError, match="input: got 'dict'; must be a text, a pair of texts as a tuple"):
        given_texts({"text": "a"})
    with pytest.raises(UserError, match="there is no such file"):
        given_texts(tmp_path / "b.txt")


@pytest.mark.parametrize(
    "rows",
    [
        '55,"St. Paul, north"',
        {"town": "St. Paul, north", "age": 55, "more": None},
        {"age": [55], "town": ["St. Paul, north"]},
        [{"age": np.float32(55), "town": "St. Paul, north"}],
        [55, "St. Paul, north"],
        [[55.0, "St. Paul, north"]],
        [(55, "St. Paul, north", 3.5)],
        np.array([[55, "St. Paul, north"]], dtype=object),
        Frame({"x": [1], "town": ["St. Paul, north"], "age": [55]}),
        ['55,"St. Paul, north"'],
    ],
    ids=lambda rows: f"{type(rows).__name__} {rows}"[:30],
)
def test_a_row_may_come_in_any_form(rows) -> None:
    assert TABLE.read(rows)[1].tolist() == [[1.5, 0.0, 1.0]]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (7, "input: got 'int'; must be a row as text, a Path to a file"),
        ([], "must hold at least one row"),
        ([[1, 2], [1]], "row 2: got '1 cells'; every row must have 2 cells"),
        ({"age": [1, 2], "town": ["Bonn"]}, "must have columns of one length"),
        ({"age": 1}, "the header must also name 'town'"),
        ([{"age": 1, "town": "Bonn"}, {"town": "Bonn"}], "row 2, column 'age': got ''; every cell needs"),
        ([[1, [2]]], "is no single value"),
        ([[float("nan"), "Bonn"]], "row 1, column 1: got ''; every cell needs a value"),
    ],
)
def test_rows_that_are_none_are_refused(rows, message: str) -> None:
    with pytest.raises(UserError) as error:
        TABLE.read(rows)
    assert message in str(error.value)


def test_names_are_no_good_where_the_file_had_none() -> None:
    bare = TableProcessor(Layout(("1", "2"), False, 1, (0,)), (Column(),))
    with pytest.raises(UserError, match="must be rows without names"):
        bare.read({"age": 1})
    assert bare.read([3.0])[1].tolist() == [[3.0]]
    assert table_of(torch.ones(2, 3)).columns == (("1.0", "1.0"),) * 3


def test_a_series_may_come_as_numbers() -> None:
    rows = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    expected = [[[3.0, 4.0], [5.0, 6.0]]]
    for given in (rows, np.array(rows), {"b": [2, 4, 6], "a": [1, 3, 5]}):
        assert SERIES.read(given)[1].tolist() == expected
    single = SeriesProcessor(Layout(("a",), True, 0, (0,)), (0.0,), (1.0,), window=2, horizon=1)
    for given in ([1, 2, 3.0], np.array([1.0, 2.0, 3.0]), "1 2 3", [[1], [2], [3]]):
        assert single.read(given)[1].tolist() == [[[2.0], [3.0]]]
    plain = PlainProcessor("digits", 0)
    assert plain.read([1, 2, 3])[1].tolist() == plain.read("1 2,3")[1].tolist() == [[1, 2, 3]]
    with pytest.raises(UserError, match="must be the numbers of digits"):
        plain.read(["a"])
