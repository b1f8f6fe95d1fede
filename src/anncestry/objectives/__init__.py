"""What training reduces and what reports show: (outputs, targets) -> sums -> metrics."""

from anncestry.objectives.objective import Objective, objective_for
from anncestry.objectives.score import evaluate, tally_split

__all__ = ["Objective", "evaluate", "objective_for", "tally_split"]
