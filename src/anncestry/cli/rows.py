"""Predictions as a file: a table for spreadsheets, one JSON object per line, or an array of vectors."""

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from anncestry.errors import require
from anncestry.files import write_bytes, write_text

FORMATS = (".csv", ".jsonl")


def check_rows_file(path: Path, field: str) -> None:
    """Raise a `UserError` unless the file's name ends with one of the formats."""
    require(path.suffix.lower() in FORMATS, field, str(path), "must end with one of the formats", FORMATS)


def write_rows(path: Path, rows: Iterable[dict[str, Any]], field: str = "--out") -> int:
    """Write a row for each prediction, and return how many there are.

    In a table what is kept by name has a column for each name (``probabilities: setosa``), and a list is
    written as JSON.

    Raises:
        UserError: the file cannot be written, or its name ends otherwise.
    """
    check_rows_file(path, field)
    found = list(rows)
    if path.suffix.lower() == ".jsonl":
        write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in found), field)
        return len(found)
    flat = [_flat(row) for row in found]
    columns = list(dict.fromkeys(name for row in flat for name in row))
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, columns, restval="")
    table.writeheader()
    table.writerows(flat)
    write_text(path, text.getvalue(), field)
    return len(found)


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            cells |= {f"{name}: {key}": part for key, part in value.items()}
        else:
            plain = isinstance(value, str | int | float) or value is None
            cells[name] = value if plain else json.dumps(value, ensure_ascii=False)
    return cells


def check_vectors_file(path: Path, field: str) -> None:
    """Raise a `UserError` unless the file's name ends with NumPy's."""
    rule = "vectors are written to a NumPy file; its name ends with .npy"
    require(path.suffix == ".npy", field, str(path), rule)


def write_vectors(path: Path, vectors: Any, field: str = "--out") -> None:
    """Write vectors (N, D), an array of NumPy.

    Raises:
        UserError: the file cannot be written, or its name ends otherwise.
    """
    import numpy as np

    check_vectors_file(path, field)
    array = io.BytesIO()
    np.save(array, vectors)
    write_bytes(path, array.getvalue(), field)
