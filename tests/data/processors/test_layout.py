"""New tables are matched to the columns of the training file."""

from pathlib import Path

import pytest

from anncestry.data.processors.common import Layout
from anncestry.errors import UserError

NAMED = Layout(names=("id", "age", "size", "kind"), has_header=True, target=3, inputs=(1, 2))
BARE = Layout(names=("1", "2", "3", "4"), has_header=False, target=0, inputs=(1, 3))


def write(folder: Path, text: str) -> Path:
    (folder / "new.csv").write_text(text)
    return folder / "new.csv"


@pytest.mark.parametrize(
    "text",
    [
        "id,age,size,kind\n1,30,2.5,a\n",
        "size,age\n2.5,30\n",  # by name, in any order, without target and others
        "other;size;age\nx;2.5;30\n",
        "1,30,2.5,a\n",  # by position: all columns
        "1,30,2.5\n",  # all but the target
        "30,2.5\n",  # the inputs alone
    ],
)
def test_columns_are_found(tmp_path: Path, text: str) -> None:
    table, positions = NAMED.read(write(tmp_path, text))
    assert [table.columns[position] for position in positions] == [("30",), ("2.5",)]


@pytest.mark.parametrize("text", ["t,2,3,4\n", "2,3,4\n", "2,4\n"])
def test_positions_before_and_after_the_target_are_found(text: str) -> None:
    table, positions = BARE.read(text)
    assert [table.columns[position] for position in positions] == [("2",), ("4",)]


def test_a_file_with_a_header_serves_a_model_trained_without(tmp_path: Path) -> None:
    table, positions = BARE.read(write(tmp_path, "t,a,b,c\n0,2,3,4\n"))
    assert [table.columns[position] for position in positions] == [("2",), ("4",)]


def test_missing_columns_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        NAMED.read(write(tmp_path, "id,sizes,kind\n1,2.5,a\n2,3.5,b\n"))
    assert str(error.value) == "input: got 'id, sizes, kind'; the header must also name 'age', 'size'."


def test_a_wrong_number_of_columns_says_what_is_accepted() -> None:
    with pytest.raises(UserError) as error:
        NAMED.read("30")
    assert str(error.value) == (
        "input: got '30'; must be a table file, or a row of the 2 inputs (age, size); "
        "the number of columns is 1."
    )
    with pytest.raises(UserError, match="or a row of the 2 inputs"):
        NAMED.read("  ")
