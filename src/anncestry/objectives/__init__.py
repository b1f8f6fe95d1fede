"""What training reduces and what reports show: (outputs, targets) -> sums -> metrics."""

from anncestry.objectives.objective import Objective, objective_for

__all__ = ["Objective", "objective_for"]
