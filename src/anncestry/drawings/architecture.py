"""A drawing of an architecture, made from its modules as they run.

Where its arrows start and end is found by running the model without weights
(`anncestry.inspection.data_flow`).
"""

from pathlib import Path
from typing import Any

from anncestry.drawings.diagram import drawing
from anncestry.drawings.files import check_drawing
from anncestry.drawings.module_boxes import box_tree
from anncestry.files import write_text
from anncestry.inspection.data_flow import data_flow
from anncestry.timeline import Architecture


def write_diagram(architecture: Architecture, config: Any, path: Path) -> None:
    """Write the drawing; a reader sees the old file or the new one, never a part.

    Raises:
        UserError: the file is no ``.svg``, its folder is missing or cannot be written, or the model cannot
            be run without weights.
    """
    check_drawing(path, "diagram")
    write_text(path, diagram(architecture, config), "diagram")


def diagram(architecture: Architecture, config: Any) -> str:
    """The drawing as SVG: the same text for the same config.

    Raises:
        UserError: the model cannot be run without weights.
    """
    return drawing(architecture, box_tree(data_flow(config)))
