"""Every cell by its name on the command line, so that "a dilated CIFG" is a word and not a class."""

from typing import Annotated

from anncestry.errors import UserError, nearest
from anncestry.layers.recurrent.cell_variants import SEARCH_SPACE, LSTM1997Cell, ResetFirstGRUCell
from anncestry.layers.recurrent.cells import Cell, ElmanCell, GRUCell, LSTMCell
from anncestry.layers.recurrent.highway import RHNCell
from anncestry.layers.recurrent.jordan import JordanCell
from anncestry.layers.recurrent.projection import LSTMPCell
from anncestry.layers.recurrent.residual import ResidualLSTMCell
from anncestry.rules import accepted_by

CELLS: dict[str, type[Cell]] = {
    "jordan": JordanCell,
    "elman": ElmanCell,
    "lstm-1997": LSTM1997Cell,
    "lstm": LSTMCell,
    **{f"lstm-{name}": cell for name, cell in SEARCH_SPACE.items()},
    "lstmp": LSTMPCell,
    "residual-lstm": ResidualLSTMCell,
    "gru": GRUCell,
    "gru-reset-first": ResetFirstGRUCell,
    "rhn": RHNCell,
}
"""Cells that are made from two sizes alone: ``cell(input_size, hidden_size)``."""


def find_cell(name: str) -> type[Cell]:
    """The class of the cell of that name; an underscore is read as a hyphen.

    Raises:
        UserError: there is no such cell; the nearest names are given.
    """
    wanted = name.strip().lower().replace("_", "-")
    if wanted not in CELLS:
        raise UserError("cell", name, "is no cell", nearest(wanted, list(CELLS)))
    return CELLS[wanted]


CellName = Annotated[str, accepted_by(find_cell)]
"""A field that names a cell."""


def make_cell(name: str, input_size: int, hidden_size: int) -> Cell:
    """A new cell of that name."""
    return find_cell(name)(input_size, hidden_size)
