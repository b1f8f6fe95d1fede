"""What training reduces and what reports show: (outputs, targets) -> sums -> metrics."""

from anncestry.objectives.base import Objective
from anncestry.objectives.objective import objective_for, objective_of
from anncestry.objectives.score import evaluate, score, tally_split

__all__ = ["Objective", "evaluate", "objective_for", "objective_of", "score", "tally_split"]
