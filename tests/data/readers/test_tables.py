"""Tables as people have them: delimiters, headers and quotes are found out, bad cells are named."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anncestry.data.readers import rows as rows_module
from anncestry.data.readers.tables import Table, parse_table
from anncestry.data.readers.watching import watched
from anncestry.errors import UserError


def parse(text: str, header: bool | None = None) -> Table:
    return parse_table(text, "file.csv", header)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(delimiter: str) -> None:
    table = parse("a,b,c\n1,2.5,x\n3,4.5,y\n".replace(",", delimiter))
    assert table.names == ("a", "b", "c")
    assert table.columns == (("1", "3"), ("2.5", "4.5"), ("x", "y"))


def test_a_decimal_comma_does_not_pass_for_a_delimiter() -> None:
    table = parse("1,5;2,5\n3,5;4,5\n")
    assert table.columns == (("1,5", "3,5"), ("2,5", "4,5"))
    with pytest.raises(
        UserError, match=r"row 1, column 2: got '2,5'; must be a number\. Write decimals with a point"
    ):
        table.numbers(1)


def test_a_delimiter_within_quotes_is_none() -> None:
    assert parse('"a;b","c;d"\n"e;f","g;h"\n', header=False).columns[0] == ("a;b", "e;f")
    assert parse('"","; "\n', header=False).columns == (("",), (";",))
    long = "\n".join(["1;2;x"] * 99 + ['3;4;"a text', "of two, or", 'three lines"'])
    assert len(parse(long).columns) == 3


def test_quoted_cells_may_hold_anything() -> None:
    table = parse('name, note\n"Smith, J.","said ""no""\nand left"\n"Roe",  "x"\nDoe,y\n', header=True)
    assert table.columns[0] == ("Smith, J.", "Roe", "Doe")
    assert table.columns[1][0] == 'said "no"\nand left'
    assert tuple(table.lines) == (3, 4, 5)  # where each row ends


def test_blank_lines_are_skipped_and_still_counted() -> None:
    table = parse("\n\na,b\n\n1,2\n\n3,x\n\n")
    assert tuple(table.lines) == (5, 7)
    assert table.notes == ("left out 4 rows without any value",)  # not the one at the end
    assert parse("a,b\n1,2\n,\n3,4\n").notes == ("left out 1 rows without any value",)
    with pytest.raises(UserError, match="row 7, column 'b': got 'x'; must be a number"):
        table.numbers(1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5.1,3.5,setosa\n4.9,3.0,virginica\n", False),
        ("length,width,kind\n5.1,3.5,setosa\n4.9,3.0,virginica\n", True),
        (",a,b\n0,1,2\n1,3,4\n", True),  # as pandas writes its index
        ("red,round\nblue,square\nred,square\nblue,round\n", False),  # cells of the first row come again
        ("colour,form\nblue,square\nred,square\nred,round\n", True),
        ("value\n1\n2\n", True),
        ("1\n2\n", False),
        ("a,b\n?,2\n3,?\n", True),
        ("a,2019\nb,2020\n", False),
        ("0,1,2,kind\n5.1,3.5,1.4,setosa\n4.9,3.0,1.3,setosa\n", True),  # as pandas names columns
        ("0,1,2\n5,3,1\n4,9,1\n", True),
        ("0,1,2\n1,2,3\n2,3,4\n", False),  # windows of a series
        ("0,1,red\n5,3,blue\n4,9,red\n", False),
        ("0,2,kind\n5,3,a\n4,9,a\n", False),
        ("x,1\n", False),
        ("?,NA\n1,2\n", False),
    ],
)
def test_a_header_is_found(text: str, expected: bool) -> None:
    assert parse(text).has_header is expected


def test_a_first_line_says_the_delimiter() -> None:
    table = parse("sep=;\na;b\n1,5;2\n1,5;x\n")
    assert table.names == ("a", "b")
    assert table.columns == (("1,5", "1,5"), ("2", "x"))
    assert list(table.lines) == [3, 4]
    assert not [note for note in table.notes if "left out" in note]


def test_a_number_that_is_a_name_may_be_a_value() -> None:
    known = ("0", "1", "2", "kind")
    assert not parse_table("1,2,0\n2,0,1\n", "a.csv", known=known).has_header
    assert parse_table("0,1,2\n2,0,1\n", "a.csv", known=known).has_header
    assert parse_table("1,kind\n1,a\n", "a.csv", known=known).has_header


def test_a_header_can_be_given() -> None:
    assert parse("2019,2020\n1,2\n", header=True).names == ("2019", "2020")
    assert parse("a,b\n1,2\n", header=False).columns[0] == ("a", "1")
    assert parse("a,,c\n1,2,3\n").names == ("a", "column 2", "c")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n1,2,3\n4,5\n", "row 3: got '3 cells'; every row must have 2 cells, as the first one has"),
        (
            "a,b\n1,2\n\n1\n",
            r"row 4: got '1 cells'; every row must have 2 cells, as the first one has \(file.csv\)",
        ),
        ('a,b\n1,"2\n3,4\n', r"row 3: got 'file.csv'; cannot be read as a table \(unexpected end of data\)"),
        ("a,a\n1,2\n", r"header: got 'a'; every column needs a name of its own \(file.csv\)"),
        ('""\n', "must hold rows of values; there are none"),
    ],
)
def test_bad_tables_are_refused(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse(text)


def test_a_header_alone_is_refused() -> None:
    with pytest.raises(UserError, match="must hold rows of values; it holds a header alone"):
        parse("a,b\n", header=True)


@pytest.mark.parametrize("gap", ["", " ", "?", "NA", "n/a", "NaN", "nan", "NULL"])
def test_cells_without_a_value_are_counted_and_the_first_is_named(gap: str) -> None:
    table = parse(f"a,b,c\n1,2,3\n4,{gap},6\n{gap},8,9\n")
    with pytest.raises(UserError) as error:
        table.check_missing([0, 1, 2])
    assert str(error.value) == (
        f"row 3, column 'b': got {gap.strip()!r}; every cell needs a value; 2 have none "
        "(column 'a', column 'b'). Fill in such cells or delete their rows; "
        "empty, ?, NA, NaN and null count as no value."
    )
    table.check_missing([2])


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("x", "row 2, column 1: got 'x'; must be a number."),
        ("1_000", "row 2, column 1: got '1_000'; must be a number."),
        ("inf", "row 2, column 1: got 'inf'; must be a finite number."),
        ("-1e999", "row 2, column 1: got '-1e999'; must be a finite number."),
    ],
)
def test_a_cell_that_is_no_number_is_named(cell: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        parse(f"1,2\n{cell},3\n5,6\n").numbers(0)
    assert str(error.value) == message


def test_a_missing_column_lists_the_columns() -> None:
    table = parse("age,size,kind\n1,2,a\n3,4,b\n")
    assert (table.find("size"), table.find("3"), table.find("age")) == (1, 2, 0)
    rule = "names none of the 3 columns and is no position from 1 to 3. Choices: age, size, kind"
    for wanted in ("weight", "0", "4", "-1", ""):
        with pytest.raises(UserError, match=f"target: got '{wanted}'; {rule}"):
            table.find(wanted)


def test_numbers_and_texts_are_distinguished() -> None:
    table = parse("1,a,1,?\n2,b,x,?\n3,c,2,\n")
    assert [table.is_numeric(column) for column in range(4)] == [True, False, True, False]
    assert [table.is_empty(column) for column in range(4)] == [False, False, False, True]


CELLS = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=8).map(str.strip)


@settings(deadline=None)
@given(
    rows=st.integers(2, 4).flatmap(
        lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=6)
    )
)
def test_what_the_csv_module_writes_is_read_back(rows: list[list[str]]) -> None:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([["a"] * len(rows[0]), *rows])
    table = parse(text.getvalue(), header=False)
    assert [list(row) for row in zip(*table.columns, strict=True)][1:] == [row for row in rows if any(row)]


def test_the_delimiter_is_that_of_all_rows() -> None:
    for first in ("Slow; dull; too long.", "Slow\tdull, too long."):
        table = parse("".join(f'"{text}","a"\n' for text in (first, *("fine film",) * 9)), header=False)
        assert table.columns[0][0] == first
    late = "a,b\n" + "1,2\n" * 150 + '"1;2;3","4"\n' * 3
    assert parse(late).columns[1][-1] == "4"


def test_cells_have_no_greatest_length() -> None:
    limit = csv.field_size_limit()
    assert len(parse(f"text,n\n{'word ' * 50_000},1\nb,2\n").columns[0][0]) == 249_999
    assert csv.field_size_limit() == limit  # which is the process's, not ours


def test_marks_between_tabs_are_marks_unless_they_close() -> None:
    assert parse('"he said\t1\nso" they\t2\nx\t3\n', False).columns[0] == ('"he said', 'so" they', "x")
    assert parse('"a ""b"""\t1\n"c"\t2\n', False).columns[0] == ('a "b"', "c")
    assert parse('"a\nb"\t1\n"c"\t2\n', False).columns[0] == ("a\nb", "c")


def test_a_carriage_return_alone_ends_no_row() -> None:
    assert parse('a,b\r\nx\ry,1\r\n"p\rq",2\r\n').columns[0] == ("x\ry", "p\rq")
    with pytest.raises(UserError, match="has carriage returns alone at the ends of its lines"):
        parse("a,b\r1,2\r")


def test_more_cells_than_the_first_row_has() -> None:
    text = "x\t1\ny\t2\tmore\nz\t3\n"
    with pytest.raises(UserError, match="row 2: got '3 cells'"):
        parse(text)
    note = "left out the cells behind cell 2, which 1 rows have and the first has not"
    assert parse_table(text, "file.tsv", ragged=True).notes == (note,)


def test_columns_are_kept_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "CHUNK", 4)
    table = parse("n,t\n" + "".join(f"{n},é{n}\n" for n in range(11)))
    assert list(table.columns[0]) == [str(n) for n in range(11)]
    assert table.columns[1][-1] == table.columns[1][10] == "é10"
    assert table.columns[1][2:5] == ("é2", "é3", "é4")
    assert table.values(0).tolist() == list(range(11))
    seen: list[tuple[str, int, int]] = []
    with watched(lambda *step: seen.append(step)):
        parse("n,t\n" + "".join(f"{n},é{n}\n" for n in range(11)))
    assert seen == [("rows", 4, 13), ("rows", 8, 13), ("rows", 12, 13), ("rows", 13, 13)]
    assert len(table) == 11
