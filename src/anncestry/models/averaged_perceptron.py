"""The averaged perceptron: learning is the perceptron's, prediction is by the mean of all its weights.

Paper: Y. Freund & R. Schapire, "Large margin classification using the perceptron algorithm", Machine
Learning 37 (1999); the average of section 2 (the paper's own preference is to vote).

With w_i the weights after example i, the prediction is argmax_k of mean_i(w_i)_k · x. The mean is over
examples, not over mistakes, and takes in the bias.

Differs from the perceptron: the weights that it predicts with. Learning is the same.

Departures from the paper: the multiclass rule of `anncestry.models.perceptron`, no kernel; the weights
before the first example (zero) count as one of those averaged, which only rescales the mean.
"""

from dataclasses import dataclass

import torch

from anncestry.arrays import Float, Tensor
from anncestry.models.perceptron import Perceptron, PerceptronConfig


@dataclass(frozen=True, kw_only=True)
class AveragedPerceptronConfig(PerceptronConfig):
    """Sizes alone."""


class AveragedPerceptron(Perceptron):
    """A perceptron with the running average of its weights.

    Adding all weights up after every example would cost K D each. It is enough to remember ``late`` u,
    where every correction is multiplied by c, the number of examples seen before it plus one: the
    average after n examples is w - u / (n + 1).
    """

    def __init__(self, config: AveragedPerceptronConfig) -> None:
        super().__init__(config)
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))
        # c grows with the data; in single precision the small, late corrections would drown.
        self.register_buffer("late", torch.zeros(self.weight.shape, dtype=torch.float64))
        self.seen: Tensor
        self.late: Tensor

    def correct(self, x, changes, mistaken):
        super().correct(x, changes, mistaken)
        count = torch.arange(1, len(x) + 1, device=x.device) + self.seen
        late = changes * count.to(x.dtype).unsqueeze(1)
        self.late[:, :-1] += late.t() @ x
        self.late[:, -1] += late.sum(0)
        self.seen.add_(len(x))

    def average(self) -> Float[Tensor, "K D1"]:
        """The mean of the weights before the first and after every example."""
        return (self.weight - self.late / (self.seen + 1)).to(self.weight.dtype)

    def forward(self, x: Float[Tensor, "B ..."]) -> Float[Tensor, "B K"]:
        """The outputs under the averaged weights: (B, ...) -> (B, K)."""
        average = self.average()
        return torch.nn.functional.linear(self.flatten(x), average[:, :-1], average[:, -1])
