"""Labels of which an example may have any number: in a column of their names, or in a column of 0 and 1
each."""

import ast
from collections.abc import Sequence

import torch

from anncestry.arrays import Float, Tensor
from anncestry.data.readers.tables import Table, is_missing
from anncestry.errors import UserError

JOINT = "\x1f"
"""Between labels that came as a list: the unit separator of ASCII, which is in no name."""
SEPARATORS = (JOINT, "|", ";", ",")
_LIST = "[]"
"""The separator of cells that are lists as Python and JSON write them: ``['a', 'b']``."""
_BITS = {
    "1": True,
    "1.0": True,
    "true": True,
    "yes": True,
    "0": False,
    "0.0": False,
    "false": False,
    "no": False,
}


def separator_of(cells: Sequence[str]) -> str:
    """What stands between labels in the cells of a column: the first of the separators that any holds.

    Empty where none does: then every cell is one label. Where every cell is a list in brackets, it is these.
    """
    filled = [cell.strip() for cell in cells if not is_missing(cell)]
    if filled and all(cell[0] + cell[-1] == _LIST for cell in filled):
        return _LIST
    return next((mark for mark in SEPARATORS if any(mark in cell for cell in cells)), "")


def label_sets(table: Table, columns: Sequence[int], names: Sequence[str], separator: str) -> list[list[str]]:
    """The labels of every row of a table.

    Args:
        columns: one column with the names of labels; or several, each of which says whether its label is
            there.
        names: of the labels, where there are several columns.
        separator: between names in one column.

    Raises:
        UserError: a cell of several columns is neither 0 nor 1 (nor true, false, yes or no).
    """
    if len(columns) == 1:
        cells = table.columns[columns[0]]
        if separator == _LIST:
            return [_in_brackets(table, row, columns[0]) for row in range(len(table))]
        split = (cell.split(separator) if separator else [cell] for cell in cells)
        return [[name.strip() for name in row if name.strip() and not is_missing(name)] for row in split]
    sets: list[list[str]] = [[] for _ in range(len(table))]
    for column, name in zip(columns, names, strict=True):
        for row, cell in enumerate(table.columns[column]):
            if cell.strip().lower() not in _BITS:
                rule = "must be 0 or 1: whether the label is there (several targets are labels, multi-label)"
                raise UserError(table.location(row, column), cell, rule)
            if _BITS[cell.strip().lower()]:
                sets[row].append(name)
    return sets


def _in_brackets(table: Table, row: int, column: int) -> list[str]:
    """The labels of a cell that is a list, or is empty."""
    cell = table.columns[column][row]
    if is_missing(cell):
        return []
    try:
        found = ast.literal_eval(cell.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        found = None
    if not isinstance(found, list) or not all(isinstance(label, str | int) for label in found):
        rule = "must be a list of labels like ['a', 'b'], as the other cells are"
        raise UserError(table.location(row, column), cell, rule)
    return [str(label).strip() for label in found if str(label).strip()]


def learn_labels(sets: Sequence[Sequence[str]], field: str) -> tuple[str, ...]:
    """The labels that occur, in the order of the alphabet.

    Raises:
        UserError: there is none.
    """
    labels = sorted({label for row in sets for label in row})
    if not labels:
        raise UserError(field, "no label", "must hold the names of labels: every row of it is empty")
    return tuple(labels)


def encode_labels(sets: Sequence[Sequence[str]], labels: Sequence[str], field: str) -> Float[Tensor, "N K"]:
    """1 where a row has the label, else 0.

    Raises:
        UserError: a label is none of these.
    """
    index = {label: position for position, label in enumerate(labels)}
    encoded = torch.zeros(len(sets), len(labels))
    for row, names in enumerate(sets):
        for name in names:
            if name not in index:
                raise UserError(field, name, "is no label the model was trained on", labels)
            encoded[row, index[name]] = 1
    return encoded


def label_notes(train: Float[Tensor, "N K"], labels: Sequence[str]) -> list[str]:
    """What a person should know: the labels that no training example has, or every one."""
    counts = train.sum(0).tolist()
    never = [repr(label) for label, count in zip(labels, counts, strict=True) if count == 0]
    always = [repr(label) for label, count in zip(labels, counts, strict=True) if count == len(train)]
    notes = [f"no training example has the labels {', '.join(never)}"] if never else []
    return notes + ([f"every training example has the labels {', '.join(always)}"] if always else [])


def find_targets(table: Table, wanted: str, task: str | None) -> list[int]:
    """The columns of a target: one, or several with commas between them, which hold labels.

    Raises:
        UserError: there is no such column, one is named twice, or another task is asked for.
    """
    if wanted in table.names or "," not in wanted:
        return [table.find(wanted)]
    found = [table.find(name.strip()) for name in wanted.split(",") if name.strip()]
    if len(set(found)) < len(found):
        raise UserError("target", wanted, "names a column twice")
    if task not in (None, "multi-label"):
        raise UserError("target", wanted, f"is several columns, which are labels; {task} has one target")
    return found


def several_labels_note(table: Table, target: int, task: str) -> list[str]:
    """A note where the cells of a class look like several labels each."""
    cells = set(table.columns[target])
    mark = next((mark for mark in ("|", ";") if sum(mark in cell for cell in cells) > len(cells) / 4), None)
    mark = "[ ]" if separator_of(tuple(cells)) == "[]" else mark
    if task != "classification" or mark is None:
        return []
    label = table.label(target)
    return [f"{label} holds {mark} in its cells, each a class here; --task multi-label reads several labels"]
