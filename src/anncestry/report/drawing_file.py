"""A drawing in a file of its own."""

import os
from pathlib import Path

from anncestry.errors import UserError, require


def check_drawing(path: Path, option: str) -> None:
    """Refuse what can be no drawing's file, before anything is drawn.

    Args:
        option: what a person named it with.

    Raises:
        UserError: the file is no ``.svg``, is a folder, or lies in none.
    """
    require(path.suffix.lower() == ".svg", option, str(path), "must end in .svg")
    require(path.parent.is_dir(), option, str(path), f"there is no folder {path.parent}")
    require(not path.is_dir(), option, str(path), "is a folder")


def write_drawing(path: Path, text: str, option: str) -> None:
    """Write it; a reader sees the old file or the new one, never a part.

    Raises:
        UserError: the file cannot be written.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_text(text, encoding="utf-8", newline="\n")
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise UserError(option, str(path), f"cannot be written: {error.strerror}") from error
