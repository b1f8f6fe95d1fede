"""The ADALINE: the delta rule, which corrects by the error of the linear output.

Paper: B. Widrow & M. Hoff, "Adaptive switching circuits", IRE WESCON Convention Record (1960).

    e = y - w · x        w += eta e x

for every example, right or wrong; the threshold is applied only when it is asked. This descends the
squared error one example at a time (LMS, least mean squares): it comes to hover around the least-squares
solution, which need not separate separable data, as the perceptron must. For classes the targets are
±1, one unit against the rest.

Differs from the perceptron: the error is measured before the threshold, so it has a size, and a gradient.

Departures from the paper: fixed small steps instead of correcting a chosen part of the error by hand; any
number of units, and real-valued targets.
"""

from dataclasses import dataclass
from typing import Annotated

import torch

from anncestry.arrays import Float, Tensor
from anncestry.layers.online import LinearConfig, OnlineLinear
from anncestry.rules import between

STABLE = between(0, 2, "where the rule is stable for standardised inputs")


@dataclass(frozen=True, kw_only=True)
class AdalineConfig(LinearConfig):
    """Sizes, and the step.

    Attributes:
        learning_rate: the step in units of its bound: eta = learning_rate / (D + 1). The rule is stable in
            the mean for 0 < eta < 2 / lambda_max, where lambda_max, the largest eigenvalue of
            E[x x^T], is at most its trace, which is D + 1 for standardised inputs (with the constant
            feature). So it must lie below 2; the excess error it hovers at is about half of it.
    """

    learning_rate: Annotated[float, STABLE] = 0.1


class Adaline(OnlineLinear):
    """Linear units under the delta rule."""

    def __init__(self, config: AdalineConfig) -> None:
        super().__init__(config)
        self.rate = config.learning_rate / self.weight.shape[1]

    def learn_block(self, x: Float[Tensor, "B D"], targets: Tensor) -> Float[Tensor, "B K"]:
        # With e_j the error that example j met, W has moved by eta sum_{j<i} e_j x_j when i comes:
        # e_i = y_i - W x_i - eta sum_{j<i} (x_i · x_j) e_j, or (I + eta L) E = Y - X W^T with L the
        # strictly lower part of the Gram matrix. The solver reads no more than that part.
        wanted = self.wanted(targets)
        gram = torch.addmm(x.new_ones(()), x, x.t())  # the 1 is the product of the constant features
        errors = torch.linalg.solve_triangular(
            self.rate * gram, wanted - self.scores(x), upper=False, unitriangular=True
        )
        self.add(self.rate * errors, x)
        return wanted - errors

    def learn_one(self, x: Float[Tensor, "1 D"], targets: Tensor) -> Float[Tensor, "1 K"]:
        outputs = self.scores(x)
        self.add(self.rate * (self.wanted(targets) - outputs), x)
        return outputs

    def wanted(self, targets: Tensor) -> Float[Tensor, "B K"]:
        """The outputs that are aimed at: the values themselves, or for a class +1 there and -1 elsewhere."""
        if self.config.task != "classification":
            return targets.to(self.weight.dtype)
        minus = self.weight.new_full((len(targets), self.weight.shape[0]), -1.0)
        return minus.scatter_(1, targets.unsqueeze(1), 1.0)

    def criterion(self, outputs: Float[Tensor, "B K"], targets: Tensor) -> Float[Tensor, ""]:
        """Squared error of the linear output, mean over the K units, summed over the examples."""
        return (outputs - self.wanted(targets)).square().mean(1).sum()

    def converged(self, num_examples: int) -> bool:
        """Never: with a constant step the weights hover around the solution."""
        return False
