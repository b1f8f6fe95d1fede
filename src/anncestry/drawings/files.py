"""A drawing in a file of its own."""

from pathlib import Path

from anncestry.errors import require
from anncestry.files import check_writable


def check_drawing(path: Path, option: str) -> None:
    """Refuse what can be no drawing's file, before anything is drawn.

    Args:
        option: what a person named it with.

    Raises:
        UserError: the file is no ``.svg``, is a folder, or lies in none.
    """
    require(path.suffix.lower() == ".svg", option, str(path), "must end in .svg")
    check_writable(path, option)
