"""What processors share: standardisation, the names of classes, and finding columns in a new file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from anncestry.arrays import Float, Tensor
from anncestry.data.processors.given import Given, content_of, table_of
from anncestry.data.readers.tables import Table, as_number, parse_table
from anncestry.errors import UserError, require


def mean_and_scale(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each column of (N, D) float64; the deviation of a constant column is 1.

    Columns are brought to [-1, 1] first, so that the squares of very large or small values stay finite.
    """
    peak = np.abs(values).max(axis=0)
    peak[peak == 0] = 1
    mean, scale = (values / peak).mean(axis=0), (values / peak).std(axis=0)
    constant = scale < 1e-12  # what rounding makes of a constant
    scale = scale * peak
    return mean * peak, np.where(constant | (scale == 0), 1.0, scale)  # 0: too small a number for any other


def decode_classes(outputs: Float[Tensor, "B K"], classes: Sequence[str]) -> list[dict[str, Any]]:
    """``{"class": name of the largest output, "scores": {name: output}}`` for each row.

    The scores are the outputs as they are given: logits, or probabilities if the caller made them so.
    """
    rows = outputs.detach().float().cpu()
    best = rows.argmax(dim=1).tolist()
    scores = [dict(zip(classes, row, strict=True)) for row in rows.tolist()]
    return [{"class": classes[index], "scores": row} for index, row in zip(best, scores, strict=True)]


def decode_labels(outputs: Float[Tensor, "B K"], labels: Sequence[str]) -> list[dict[str, Any]]:
    """``{"labels": names with a probability above a half, "scores": {name: probability}}`` for each row.

    Args:
        outputs: probabilities.
    """
    rows = outputs.detach().float().cpu().tolist()
    scores = [dict(zip(labels, row, strict=True)) for row in rows]
    return [{"labels": [name for name in row if row[name] > 0.5], "scores": row} for row in scores]


TAKEN = ("input", "note", "labels", "answer", "tags", "masks", "next", "previous", "vectors")
"""What the parts of predictions are called: no value is called so."""


def value_name(target: str) -> str:
    """How a prediction names the value of a target."""
    return f"predicted {target}" if target in TAKEN else target


P = TypeVar("P")


def expect(processor: object, kind: type[P], name: str) -> P:
    """The processor, or a `UserError` where it is not of the kind that reads the data called ``name``."""
    if not isinstance(processor, kind):
        rule = f"holds other inputs than the model was trained on, which its {type(processor).__name__} reads"
        raise UserError("data", name, rule)
    return processor


def relabel(names: Sequence[str], classes: Sequence[str], field: str) -> np.ndarray:
    """The position of each name in ``classes``, int64 (len(names),).

    A name that is no class but the same number as just one, ``1.0`` for ``1``, is that one.

    Raises:
        UserError: a name is none of the classes.
    """
    index = {name: label for label, name in enumerate(classes)}
    for name in dict.fromkeys(names):
        if name not in index:
            value = as_number(name)
            same = [known for known in classes if as_number(known) == value]
            if len(same) != 1:
                raise UserError(field, name, "is no class the model was trained on", classes)
            index[name] = index[same[0]]
    return np.array([index[name] for name in names])


@dataclass(frozen=True)
class Layout:
    """The columns of the file that was trained on, to find them again in another one.

    Attributes:
        names: all of them in order, those that are not used included.
        has_header: whether they are names, or positions only.
        target: index of the column that is predicted and may be absent.
        inputs: indices of the columns that are read.
        more_targets: indices of further columns that are predicted, of labels.
    """

    names: tuple[str, ...]
    has_header: bool
    target: int
    inputs: tuple[int, ...]
    more_targets: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.names)
        for column in (self.target, *self.inputs, *self.more_targets):
            require(0 <= column < count, "column", column, f"must be below {count}, the number of columns")

    @property
    def input_names(self) -> list[str]:
        return [self.names[column] for column in self.inputs]

    @property
    def target_name(self) -> str:
        return self.names[self.target] if self.has_header else f"column {self.names[self.target]}"

    def read(self, source: Given) -> tuple[Table, list[int]]:
        """A table from a file (`Path`), from the literal text of its rows, or from rows (`table_of`).

        Returns:
            The table and, for each input, its column there: found by name where the table has a header,
            by position where it has none. Without a header it may have all columns, all but the target,
            or the inputs alone.
        """
        if isinstance(source, Path):
            name, text = content_of(source)
            table = self.parse(text, name)
        elif not isinstance(source, str):
            table = table_of(source)
            if table.has_header and not self.has_header:
                rule = "must be rows without names, as the file that was trained on has none"
                raise UserError("input", ", ".join(table.names), rule)
        elif not source.strip():
            raise UserError("input", source, self._rule())
        else:
            table = parse_table(source, "the literal row", header=False)
        return table, self.find_inputs(table, source)

    def parse(self, text: str, name: str) -> Table:
        """A table from text; a first row with one of the names is its header."""
        return parse_table(text, name, known=self.names if self.has_header else ())

    def check_columns(self, field: str, wanted: str) -> None:
        """Raise a `UserError` where columns that are given for other data are not as the model's are.

        Args:
            field: ``target``, which must be the model's, or ``drop``, which must not be its inputs.
            wanted: names or positions, with commas between them.
        """
        given = [wanted] if wanted in self.names else [name.strip() for name in wanted.split(",")]
        if field == "drop":
            positions = [str(column + 1) for column in self.inputs]
            read = [name for name in given if name in self.input_names or name in positions]
            require(not read, field, wanted, "leaves out an input of the model", read)
            return
        named = {self.names[target] for target in self.targets}
        positions = {str(target + 1) for target in self.targets}
        require(
            set(given) in (named, positions), field, wanted, "is not what the model predicts", sorted(named)
        )

    def find_inputs(self, table: Table, source: Given) -> list[int]:
        """Where each input is in a table; `read` says how."""
        by_name = self.has_header and table.has_header
        return self._by_name(table) if by_name else self._by_position(table, source)

    @property
    def targets(self) -> tuple[int, ...]:
        """The columns that are predicted: one, or those of several labels."""
        return (self.target, *self.more_targets)

    def find_targets(self, table: Table) -> list[int]:
        """Where the targets are in a table.

        Raises:
            UserError: one is not there.
        """
        if self.has_header and table.has_header:
            missing = [self.names[target] for target in self.targets if self.names[target] not in table.names]
            if not missing:
                return [table.names.index(self.names[target]) for target in self.targets]
        elif len(table.names) == len(self.names):
            return list(self.targets)
        else:
            missing = [self.target_name]
        raise UserError("columns", ", ".join(table.names), f"the target is missing, {missing[0]}")

    def has_targets(self, table: Table) -> bool:
        """Whether `find_targets` finds them."""
        try:
            self.find_targets(table)
        except UserError:
            return False
        return True

    def _by_name(self, table: Table) -> list[int]:
        missing = [name for name in self.input_names if name not in table.names]
        if missing:
            rule = f"the header must also name {', '.join(map(repr, missing))}"
            raise UserError("input", ", ".join(table.names), rule)
        return [table.names.index(name) for name in self.input_names]

    def _by_position(self, table: Table, source: Given) -> list[int]:
        width = len(table.names)
        if width == len(self.names):
            return list(self.inputs)
        if width == len(self.names) - len(self.targets) and self.target not in self.inputs:
            return [column - sum(column > target for target in self.targets) for column in self.inputs]
        if width == len(self.inputs):
            return list(range(width))
        shown = source if isinstance(source, str) else str(source)
        raise UserError("input", shown, f"{self._rule()}; the number of columns is {width}")

    def _rule(self) -> str:
        rule = f"must be a table file, or a row of the {len(self.inputs)} inputs"
        if not self.has_header:
            return rule
        return f"{rule} ({', '.join(self.input_names[:10])}{', ...' if len(self.inputs) > 10 else ''})"

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Layout":
        names, inputs = tuple(fields["names"]), tuple(fields["inputs"])
        return cls(
            names, fields["has_header"], fields["target"], inputs, tuple(fields.get("more_targets", ()))
        )
