"""Rows of a table as vectors: numbers standardised, texts as one-hot vectors."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from anncestry.arrays import Float, Tensor
from anncestry.data.processors.common import Layout, decode_classes, decode_labels, relabel, value_name
from anncestry.data.processors.given import Given
from anncestry.data.readers.labels import encode_labels, label_sets
from anncestry.data.readers.tables import Table
from anncestry.signature import Task


@dataclass(frozen=True)
class Column:
    """How one input column becomes numbers.

    Attributes:
        mean, scale: of a column of numbers, from the training split.
        values: the texts of a column of texts, one output each; empty for numbers.
    """

    mean: float = 0.0
    scale: float = 1.0
    values: tuple[str, ...] = ()

    def encode(self, table: Table, column: int) -> np.ndarray:
        """(N, 1) standardised, or (N, number of values) one-hot; float64."""
        if not self.values:
            return ((table.numbers(column) - self.mean) / self.scale)[:, None]
        index = {value: position for position, value in enumerate(self.values)}
        encoded = np.zeros((len(table), len(self.values)))
        for row, cell in enumerate(table.columns[column]):
            if cell in index:
                encoded[row, index[cell]] = 1
        return encoded

    def unseen(self, table: Table, column: int) -> list[int]:
        """The rows with a text that training had not; they are encoded as none of those that it had."""
        known = set(self.values)
        if not known or known >= set(table.columns[column]):
            return []
        return [row for row, cell in enumerate(table.columns[column]) if cell not in known]


@dataclass(frozen=True)
class TableProcessor:
    """Reads rows, says class names or values in their unit.

    Attributes:
        layout: the columns of the training file.
        columns: one for each input of the layout.
        classes: names, for classification or multi-label; empty for regression.
        multi_label: whether a row may have any number of them.
        separator: what stands between their names in a cell; see `anncestry.data.readers.labels`.
        target_mean, target_deviation: of the target in the training split, for regression.
    """

    layout: Layout
    columns: tuple[Column, ...]
    classes: tuple[str, ...] = ()
    target_mean: float = 0.0
    target_deviation: float = 1.0
    multi_label: bool = False
    separator: str = ""

    kind = "table"
    reads_lists = True

    @property
    def width(self) -> int:
        """D, the size of an input vector."""
        return sum(len(column.values) or 1 for column in self.columns)

    @property
    def target_scale(self) -> tuple[float, ...] | None:
        """The standard deviation of the target, for regression."""
        return None if self.classes else (self.target_deviation,)

    def encode(self, table: Table, positions: list[int]) -> Float[Tensor, "N D"]:
        """The inputs of every row of a table; ``positions`` says where the input columns are in it."""
        table.check_missing(positions)
        pairs = zip(self.columns, positions, strict=True)
        encoded = np.concatenate([column.encode(table, position) for column, position in pairs], axis=1)
        return torch.from_numpy(encoded.astype(np.float32))

    def unseen(self, table: Table, positions: list[int]) -> list[tuple[int, int]]:
        """The cells, as (row, column) of a table, whose texts were not seen in training."""
        pairs = zip(self.columns, positions, strict=True)
        return [(row, position) for column, position in pairs for row in column.unseen(table, position)]

    @property
    def task(self) -> Task:
        """What it is asked for."""
        if self.multi_label:
            return "multi-label"
        return "classification" if self.classes else "regression"

    def encode_targets(self, table: Table, columns: Sequence[int]) -> Tensor:
        """The targets of every row of a table: (N,) int64 classes, standardised values (N, 1) float32, or
        (N, K) float32, 1 for each label that is there.

        Raises:
            UserError: a cell has no value, is no number, or is not one of the classes.
        """
        if self.multi_label:
            names = [self.layout.names[target] for target in self.layout.targets]
            sets = label_sets(table, columns, names, self.separator)
            return encode_labels(sets, self.classes, table.label(columns[0]))
        (column,) = columns
        table.check_missing([column])
        if self.classes:
            return torch.from_numpy(relabel(table.columns[column], self.classes, table.label(column)))
        values = (table.numbers(column) - self.target_mean) / self.target_deviation
        return torch.from_numpy(values.astype(np.float32))[:, None]

    def read(self, source: Given) -> tuple[list[str], Float[Tensor, "N D"]]:
        """Rows from a table file, a literal row such as ``5.1,3.5,1.4,0.2``, or rows; see `Layout.read`."""
        return self.read_noted(source)[:2]

    def read_noted(self, source: Given) -> tuple[list[str], Float[Tensor, "N D"], list[str]]:
        """As `read`, and for each row what a person should know of it; mostly nothing."""
        table, positions = self.layout.read(source)
        notes = [""] * len(table)
        for row, column in self.unseen(table, positions):
            note = f"{table.label(column)}: {table.columns[column][row]!r} was not seen in training"
            notes[row] = f"{notes[row]}; {note}" if notes[row] else note
        return [f"row {line}" for line in table.lines], self.encode(table, positions), notes

    def decode(self, outputs: Float[Tensor, "B K"]) -> list[dict[str, Any]]:
        """Classes or labels with their scores (`decode_classes`, `decode_labels`), or values in their unit.

        Values are ``{name of the target: value}``.
        """
        if self.multi_label:
            return decode_labels(outputs, self.classes)
        if self.classes:
            return decode_classes(outputs, self.classes)
        values = outputs.detach().double().cpu()[:, 0] * self.target_deviation + self.target_mean
        return [{value_name(self.layout.target_name): value} for value in values.tolist()]

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "TableProcessor":
        columns = (Column(**{**column, "values": tuple(column["values"])}) for column in fields["columns"])
        made = {"layout": Layout.from_json(fields["layout"]), "columns": tuple(columns)}
        return cls(**{**fields, **made, "classes": tuple(fields["classes"])})
