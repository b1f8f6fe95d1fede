"""Drawings that are computed from models and the timeline: diagrams of architectures, the family tree, the
log's graph."""

from typing import TYPE_CHECKING

from anncestry.lazy import hand_on

if TYPE_CHECKING:
    from anncestry.drawings.architecture import write_diagram
    from anncestry.drawings.history import Log, log

__all__ = ["Log", "log", "write_diagram"]
__getattr__, __dir__ = hand_on(__name__)
