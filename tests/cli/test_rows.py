"""Predictions as a file."""

import csv
import json

import pytest

from anncestry.cli.rows import write_rows
from anncestry.errors import UserError

ROWS = [
    {"input": "St. Paul, north", "class": "a", "probabilities": {"a": 0.75, "b": 0.25}},
    {"input": "line\nof two", "class": "b", "probabilities": {"a": 0.5, "b": 0.5}, "note": "cut"},
]


def test_a_table_has_a_column_for_each_name(tmp_path):
    assert write_rows(tmp_path / "p.csv", ROWS) == 2
    with (tmp_path / "p.csv").open(newline="", encoding="utf-8") as file:
        first, second = csv.DictReader(file)
    probabilities = {"probabilities: a": "0.75", "probabilities: b": "0.25"}
    assert first == {"input": "St. Paul, north", "class": "a", **probabilities, "note": ""}
    assert (second["input"], second["note"]) == ("line\nof two", "cut")


def test_a_list_is_json_in_a_table_and_lines_are_objects(tmp_path):
    rows = [{"input": "a b", "tags": ["X", "Y"]}]
    write_rows(tmp_path / "p.csv", rows)
    assert (tmp_path / "p.csv").read_text(encoding="utf-8").splitlines()[1] == 'a b,"[""X"", ""Y""]"'
    write_rows(tmp_path / "p.jsonl", rows)
    assert [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()] == rows


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"--out: got .*p.txt'; must end with one of"):
        write_rows(tmp_path / "p.txt", ROWS)
