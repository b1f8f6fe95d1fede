"""The report of a race."""

from typing import TYPE_CHECKING

from anncestry.lazy import hand_on

if TYPE_CHECKING:
    from anncestry.report.race.race import page
    from anncestry.report.race.tables import LiveTable, print_ranking

__all__ = ["LiveTable", "page", "print_ranking"]
__getattr__, __dir__ = hand_on(__name__)
