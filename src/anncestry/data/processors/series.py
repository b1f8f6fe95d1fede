"""Windows of a series: the last values before what is to be forecast."""

import re
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from anncestry.arrays import Float, Tensor
from anncestry.data.processors.common import Layout, value_name
from anncestry.data.processors.given import Given, table_of
from anncestry.data.readers.tables import Table, as_numbers, parse_table
from anncestry.data.readers.time_order import in_order_of_time
from anncestry.errors import UserError


@dataclass(frozen=True)
class SeriesProcessor:
    """Reads the end of a series, says the forecast in its unit.

    Attributes:
        layout: the columns of the training file; the target is one of the inputs.
        mean, scale: of each input column in the training split.
        window: T, rows a forecast sees.
        horizon: how many rows after the last one the forecast is for.
    """

    layout: Layout
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    window: int
    horizon: int

    kind = "series"
    reads_lists = True

    @property
    def target_input(self) -> int:
        """Which of the inputs is forecast."""
        return self.layout.inputs.index(self.layout.target)

    @property
    def target_scale(self) -> tuple[float, ...] | None:
        """The standard deviation of the series that is forecast."""
        return (self.scale[self.target_input],)

    def standardise(self, values: np.ndarray) -> np.ndarray:
        """(N, D) in units of the file -> (N, D) float32."""
        return ((values - np.array(self.mean)) / np.array(self.scale)).astype(np.float32)

    def read(self, source: Given) -> tuple[list[str], Float[Tensor, "1 T D"]]:
        """The last window of a table file (`Path`) or of rows (`table_of`); for a single series also of
        literal numbers, and of a list of numbers.

        Raises:
            UserError: there are fewer rows than the window has.
        """
        return self.read_noted(source)[:2]

    def read_noted(self, source: Given) -> tuple[list[str], Float[Tensor, "1 T D"], list[str]]:
        """As `read`, and what a person should know of the series, mostly nothing."""
        single, notes = len(self.layout.inputs) == 1, []
        if single and isinstance(source, str):
            table, positions = self._literal(source), [0]
        elif single and _is_flat(source):
            table, positions = table_of([[value] for value in source]), [0]
        else:
            table, positions = self.layout.read(source)
            table, notes = in_order_of_time(table)
        if len(table) < self.window:
            rule = f"a forecast needs the last {self.window} rows; there are {len(table)}"
            raise UserError("input", source if isinstance(source, str) else str(source), rule)
        table.check_missing(positions)
        values = np.stack([table.numbers(position) for position in positions], axis=1)[-self.window :]
        inputs = torch.from_numpy(self.standardise(values))[None]
        return [f"after row {table.lines[-1]}"], inputs, ["; ".join(notes)]

    def _literal(self, source: str) -> Table:
        """Numbers between commas, semicolons or spaces, as one column."""
        cells = [cell for cell in re.split(r"[,;\s]+", source) if cell]
        if not cells or not np.isfinite(as_numbers(cells)).all():
            raise UserError("input", source, f"must be a table file, or {self.window} numbers")
        return parse_table("\n".join(cells), "the literal numbers", header=False)

    def decode(self, outputs: Float[Tensor, "B 1"]) -> list[dict[str, Any]]:
        """``{name of the target: value in its unit}`` for each row."""
        at = self.target_input
        values = outputs.detach().double().cpu()[:, 0] * self.scale[at] + self.mean[at]
        return [{value_name(self.layout.target_name): value} for value in values.tolist()]

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "SeriesProcessor":
        made = {"layout": Layout.from_json(fields["layout"])}
        return cls(**{**fields, **made, "mean": tuple(fields["mean"]), "scale": tuple(fields["scale"])})


def _is_flat(values: Given) -> bool:
    """Whether it is a list or an array of single numbers."""
    if isinstance(values, list | tuple):
        return all(isinstance(value, int | float) for value in values)
    return getattr(values, "ndim", None) == 1
