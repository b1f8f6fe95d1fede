"""Sequences that are numbers already: generated problems and frames of music."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from anncestry.arrays import Tensor
from anncestry.data.processors.given import Given, content_of
from anncestry.errors import UserError


@dataclass(frozen=True)
class PlainProcessor:
    """Passes numbers through.

    Attributes:
        what: what the inputs are, in words.
        width: features per step; 0 where an input is one row of tokens.
    """

    what: str
    width: int

    kind = "plain"
    reads_lists = True

    @property
    def target_scale(self) -> tuple[float, ...] | None:
        """None: targets are in their own unit."""
        return None

    def read(self, source: Given) -> tuple[list[str], Tensor]:
        """One sequence, its numbers between blanks or commas, from a text or a file (`Path`), or as a list or
        an array: steps times features."""
        if isinstance(source, Path):
            source = content_of(source)[1]
        try:
            if isinstance(source, str):
                numbers = [float(cell) for cell in source.replace(",", " ").split()]
            else:
                numbers = np.asarray(source, dtype=np.float64).ravel().tolist()
        except (ValueError, TypeError):
            numbers = []
        if not numbers or len(numbers) % max(1, self.width):
            rule = f"must be the numbers of {self.what}, {max(1, self.width)} for each step"
            raise UserError("input", source if isinstance(source, str) else str(source), rule)
        if not self.width:
            return ["sequence"], torch.tensor([numbers]).long()
        return ["sequence"], torch.tensor(numbers).view(1, -1, self.width)

    def decode(self, outputs: Tensor) -> list[dict[str, Any]]:
        """``{"values": [...]}``, or for every step the most probable class, or the bits that are on."""
        if outputs.dim() == 2:
            return [{"values": row} for row in outputs.tolist()]
        if self.width:
            on = [[bits.nonzero().flatten().tolist() for bits in row] for row in (outputs > 0)]
            return [{"on": row} for row in on]
        return [{"tags": [str(tag) for tag in row]} for row in outputs.argmax(-1).tolist()]

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "what": self.what, "width": self.width}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "PlainProcessor":
        return cls(**fields)


def stack_padded(rows: Sequence[Tensor], filler: float) -> tuple[Tensor, Tensor]:
    """``(padded, lengths)`` of tensors (T, D) with T of their own."""
    lengths = torch.tensor([len(row) for row in rows])
    return torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True, padding_value=filler), lengths
