"""A drawing of an architecture, made from its modules as they run.

Where its arrows start and end is found by running the model without weights
(`anncestry.inspection.data_flow`).
"""

import os
from pathlib import Path
from typing import Any

from anncestry.errors import UserError, require
from anncestry.inspection.data_flow import data_flow
from anncestry.report.diagram import drawing
from anncestry.studies.module_boxes import box_tree
from anncestry.timeline import Architecture


def write_diagram(architecture: Architecture, config: Any, path: Path) -> None:
    """Write the drawing; a reader sees the old file or the new one, never a part.

    Raises:
        UserError: the file is no ``.svg``, its folder is missing or cannot be written, or the model cannot
            be run without weights.
    """
    path = Path(path)
    require(path.suffix.lower() == ".svg", "--diagram", str(path), "must end in .svg")
    require(path.parent.is_dir(), "--diagram", str(path), f"there is no folder {path.parent}")
    require(not path.is_dir(), "--diagram", str(path), "is a folder")
    text = diagram(architecture, config)
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_text(text, encoding="utf-8", newline="\n")
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise UserError("--diagram", str(path), f"cannot be written: {error.strerror}") from error


def diagram(architecture: Architecture, config: Any) -> str:
    """The drawing as SVG: the same text for the same config.

    Raises:
        UserError: the model cannot be run without weights.
    """
    return drawing(architecture, box_tree(data_flow(config)))
