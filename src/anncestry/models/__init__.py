"""One file per architecture; ``anncestry.timeline`` is the catalogue."""

from typing import TYPE_CHECKING

from anncestry.lazy import hand_on

if TYPE_CHECKING:
    from anncestry.models.building import build_checked
    from anncestry.models.create import architecture_of, build, configure

__all__ = ["architecture_of", "build", "build_checked", "configure"]
__getattr__, __dir__ = hand_on(__name__)
