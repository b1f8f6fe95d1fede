"""The rows of a run: JSON lines and CSV always, TensorBoard on request."""

import csv
import io
import json
from pathlib import Path
from typing import Any

from anncestry.errors import UserError
from anncestry.files import write_bytes


class History:
    """Rows ``{"step", "epoch", "seconds", "split", "loss", ...metrics}`` in the order they were noted.

    Args:
        tensorboard: a run folder whose ``tensorboard/`` gets every row too; None for none.

    Raises:
        UserError: TensorBoard is asked for and not installed.
    """

    def __init__(self, tensorboard: Path | None = None) -> None:
        self.rows: list[dict[str, Any]] = []
        self._writer = None
        if tensorboard is not None:
            try:
                from torch.utils.tensorboard.writer import SummaryWriter
            except ImportError as error:
                rule = "needs the package tensorboard (pip install 'anncestry[tensorboard]')"
                raise UserError("tensorboard", True, rule) from error
            self._writer = SummaryWriter(str(tensorboard / "tensorboard"))

    def add(self, row: dict[str, Any]) -> None:
        self.rows.append(row)
        if self._writer is not None:
            for name, value in row.items():
                if name not in ("step", "split", "epoch", "seconds"):
                    self._writer.add_scalar(f"{name}/{row['split']}", value, row["step"])

    def last(self, split: str) -> dict[str, Any]:
        """The newest row of a split; empty if there is none."""
        return next((row for row in reversed(self.rows) if row["split"] == split), {})

    def write(self, folder: Path) -> None:
        """Write ``metrics.jsonl`` and ``metrics.csv``, each complete or not at all."""
        lines = "".join(json.dumps(row) + "\n" for row in self.rows)
        write_bytes(folder / "metrics.jsonl", lines.encode())
        columns = list(dict.fromkeys(name for row in self.rows for name in row))
        table = io.StringIO()
        writer = csv.DictWriter(table, columns, restval="")
        writer.writeheader()
        writer.writerows(self.rows)
        write_bytes(folder / "metrics.csv", table.getvalue().encode())

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
