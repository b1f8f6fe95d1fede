"""What sets two models apart: what is declared, how they are built, what they cost and what they compute."""

from typing import TYPE_CHECKING

from anncestry.lazy import hand_on

if TYPE_CHECKING:
    from anncestry.inspection.differences.behaviour import Behaviour
    from anncestry.inspection.differences.cost import Cost
    from anncestry.inspection.differences.declared import Declared
    from anncestry.inspection.differences.diff import Diff, differences
    from anncestry.inspection.differences.side import Side
    from anncestry.inspection.differences.structure import Change, Structure

__all__ = ["Behaviour", "Change", "Cost", "Declared", "Diff", "Side", "Structure", "differences"]
__getattr__, __dir__ = hand_on(__name__)
