"""What training reduces and what reports show: (outputs, targets) -> sums -> metrics."""

from typing import TYPE_CHECKING

from anncestry.lazy import hand_on

if TYPE_CHECKING:
    from anncestry.objectives.base import Objective
    from anncestry.objectives.objective import objective_for, objective_of
    from anncestry.objectives.scoring import evaluate, score, tally_split

__all__ = ["Objective", "evaluate", "objective_for", "objective_of", "score", "tally_split"]
__getattr__, __dir__ = hand_on(__name__)
