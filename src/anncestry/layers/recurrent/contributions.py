"""What the steps of a loop contribute to one gradient, noted until it can be computed as a whole."""

import torch

from anncestry.arrays import Tensor


class Contributions:
    """The tensors that each step has noted in the backward pass that is under way."""

    def __init__(self) -> None:
        self.task, self.noted = -1, []

    def add(self, *tensors: Tensor) -> None:
        # A pass that did not ask for the gradient leaves its contributions behind.
        task = torch._C._current_graph_task_id()
        if task != self.task:
            self.task, self.noted = task, []
        self.noted.append(tensors)

    def take(self) -> list[tuple[Tensor, ...]]:
        """All of this pass, which are forgotten; empty where there are none."""
        noted = self.noted if self.task == torch._C._current_graph_task_id() else []
        self.task, self.noted = -1, []
        return noted
