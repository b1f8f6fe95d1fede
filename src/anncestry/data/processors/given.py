"""What a person gives to be predicted.

A `str` is an input typed out and is read as it stands, whatever files there are: it is never opened. A `Path`
is a file, and ``Path("-")`` is standard input. A list is of several inputs.
"""

import numbers
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from anncestry.data.readers.tables import Table, parse_table
from anncestry.data.readers.tagged import sentences_of
from anncestry.errors import UserError, require
from anncestry.user_files import (
    existing_file,
    read_standard_input,
    read_text,
    split_lines,
    whole_characters,
)

STANDARD_INPUT = Path("-")
Text = str | tuple[str, str]
"""A text, or a pair of texts."""
Given = Any
"""A `str`, a `Path` or a list of them; for tables also rows: see `table_of`."""


class ReadsTexts:
    """A processor whose inputs are texts, each a row of its own."""

    reads_lists = True

    def texts(self, given: Given) -> list[Text]:
        """The texts that a person gave; `given_texts`."""
        return given_texts(given)

    def is_blank(self, text: Text) -> bool:
        """Whether there is nothing to be read in a text, so that nothing is predicted for it."""
        return not "".join(text).strip()


class ReadsSentences(ReadsTexts):
    """A processor that tags the words of sentences.

    Attributes:
        tags: their names.
    """

    tags: tuple[str, ...]

    def texts(self, given: Given) -> list[Text]:
        """As for all texts; of a file with a word and its tag on each line, its sentences. A list within the
        list is the words of a sentence.

        Raises:
            UserError: a word has a blank in it.
        """
        if isinstance(given, list):
            return [
                text for one in given for text in ([_sentence(one)] if _is_words(one) else self.texts(one))
            ]
        if not isinstance(given, Path):
            return given_texts(given)
        text = content_of(given)[1]
        return list(sentences_of(text, self.tags) or split_lines(text))


def _is_words(given: Given) -> bool:
    return isinstance(given, list | tuple) and bool(given) and all(isinstance(word, str) for word in given)


def _sentence(words: Sequence[str]) -> str:
    for word in words:
        require(len(word.split()) == 1, "word", word, "of a sentence must be one word, without blanks")
    return " ".join(words)


def given_texts(given: Given) -> list[Text]:
    """The texts that a person gave, as they stand: blanks at their ends, and blank lines, are part of them.

    Args:
        given: a text (with line ends, if it has any), a pair of texts as a tuple, a `Path` to a file with a
            text on each line, or a list of all these.

    Raises:
        UserError: it is something else, or the file cannot be read.
    """
    if isinstance(given, str):
        return [whole_characters(given)]
    if isinstance(given, Path):
        return list(split_lines(content_of(given)[1]))
    if isinstance(given, tuple) and len(given) == 2 and all(isinstance(part, str) for part in given):
        return [(whole_characters(given[0]), whole_characters(given[1]))]
    if not isinstance(given, tuple) and hasattr(given, "tolist"):  # an array or a column of texts
        given = given.tolist()
    if isinstance(given, list):
        return [text for one in given for text in given_texts(one)]
    rule = "must be a text, a pair of texts as a tuple, a Path to a file of them, or a list of these"
    raise UserError("input", type(given).__name__, rule)


def label_of(text: Text) -> str:
    """How a prediction names its input."""
    return text if isinstance(text, str) else "\t".join(text)


def content_of(path: Path) -> tuple[str, str]:
    """``(name, text)`` of a file, or of standard input."""
    if path == STANDARD_INPUT:
        return "standard input", read_standard_input()
    found = existing_file(path)
    return str(found), read_text(found)


def table_of(given: Given) -> Table:
    """A table of rows that are in memory.

    Args:
        given: a dictionary of one row by the names of the columns, or of whole columns; a frame (pandas,
            polars); a list of rows, each a dictionary, a list of cells, or a `str` as in a file; a list of
            numbers and texts, which is one row; an array (rows, columns).

    Raises:
        UserError: it is none of these, or its rows have not equally many cells.
    """
    if isinstance(given, Mapping):
        columns = {str(name): _cells(value) for name, value in given.items()}
        return _table(tuple(columns), list(columns.values()), "the dictionary")
    if hasattr(given, "columns") and hasattr(given, "__getitem__"):
        names = tuple(map(str, given.columns))
        twice = next((name for name in names if names.count(name) > 1), None)
        require(twice is None, "input", twice, "every column needs a name of its own")
        return _table(names, [_cells(given[name]) for name in given.columns], "the frame")
    if hasattr(given, "tolist"):
        given = given.tolist()
    if not isinstance(given, list | tuple):
        rule = "must be a row as text, a Path to a file, rows as lists or dictionaries, an array or a frame"
        raise UserError("input", type(given).__name__, rule)
    rows = list(given)
    require(bool(rows), "input", given, "must hold at least one row")
    if all(isinstance(row, str) for row in rows):
        return parse_table("\n".join(rows), "the rows", header=False)
    if all(isinstance(row, Mapping) for row in rows):
        names = list(dict.fromkeys(str(name) for row in rows for name in row))
        by_name = [{str(name): value for name, value in row.items()} for row in rows]
        return _table(tuple(names), [[_cell(row.get(name)) for row in by_name] for name in names], "the rows")
    if not any(isinstance(row, list | tuple) or getattr(row, "ndim", 0) for row in rows):
        rows = [rows]
    width = len(_cells(rows[0]))
    cells = [_cells(row) for row in rows]
    for number, row in enumerate(cells, 1):
        rule = f"every row must have {width} cells, as the first one has"
        require(len(row) == width, f"row {number}", f"{len(row)} cells", rule)
    return _table(None, [list(column) for column in zip(*cells, strict=True)], "the rows")


def _table(names: tuple[str, ...] | None, columns: list[list[str]], what: str) -> Table:
    lengths = set(map(len, columns))
    rule = f"must have columns of one length, and at least one row ({what})"
    require(len(lengths) == 1 and 0 not in lengths, "input", sorted(lengths), rule)
    header = names is not None
    names = names if names is not None else tuple(str(position + 1) for position in range(len(columns)))
    return Table(names, header, tuple(map(tuple, columns)), range(1, len(columns[0]) + 1))


def _cells(values: Any) -> list[str]:
    """The cells of a row or a column; of a single value, one."""
    if hasattr(values, "to_list"):  # a column of a frame
        values = values.to_list()
    if hasattr(values, "tolist"):
        values = values.tolist()
    if isinstance(values, Sequence) and not isinstance(values, str):
        return list(map(_cell, values))
    return [_cell(values)]


def _cell(value: Any) -> str:
    """A value as a file would have it; nothing for None and NaN."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, list | tuple | Mapping):
        raise UserError("input", value, "is no single value; a cell is a number or a text")
    if value is None or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, numbers.Real) and not isinstance(value, bool | int):
        return repr(float(value))
    return whole_characters(str(value)).strip()
