"""Pages, tables and plots. They take plain data, so that they render without any model."""

from typing import TYPE_CHECKING

from anncestry.lazy import hand_on

if TYPE_CHECKING:
    from anncestry.report.abilities import abilities_page
    from anncestry.report.claims import claims_page
    from anncestry.report.page import section, shell

__all__ = ["abilities_page", "claims_page", "section", "shell"]
__getattr__, __dir__ = hand_on(__name__)
