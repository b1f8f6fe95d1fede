"""The perceptron: a threshold unit that learns from its own mistakes.

Paper: F. Rosenblatt, "The perceptron: a probabilistic model for information storage and organization in
the brain", Psychological Review 65 (1958). Convergence: A. Novikoff (1962).

    class = argmax_k w_k · x         after a mistake: w_right += x,  w_wrong -= x

where "wrong" is the best of the other classes. The bias is the weight of a constant feature 1. With two
classes w_1 = -w_0 always, and this is Rosenblatt's rule: after a mistake, w += y x with y = ±1. On
separable data the mistakes end, after at most (R / gamma)^2 of them for two classes (with R and gamma
those of the extended inputs [x, 1]), and 2 R^2 / gamma^2 for more.

Differs from the unit of McCulloch and Pitts: the weights are learnt.

Departures from the paper: no random association layer in front of the trained unit; more than two
classes compete in one rule. The step size is 1, which is no restriction: from zero weights it only
rescales them.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch

from anncestry.arrays import Float, Int, Tensor
from anncestry.layers.online import LinearConfig, OnlineLinear
from anncestry.rules import one_of
from anncestry.signature import Task

A_CLASS = one_of(("classification",), "a perceptron decides between classes; the adaline learns real values")


@dataclass(frozen=True, kw_only=True)
class PerceptronConfig(LinearConfig):
    """Sizes alone."""

    task: Annotated[Task, A_CLASS] = "classification"


class Perceptron(OnlineLinear):
    """Linear threshold units under Rosenblatt's rule.

    Beside the weights, a checkpoint holds two counts: ``mistakes`` made since the start, and how many
    examples have been seen since the last one (``clean``).
    """

    def __init__(self, config: PerceptronConfig) -> None:
        super().__init__(config)
        self.register_buffer("mistakes", torch.zeros((), dtype=torch.int64))
        self.register_buffer("clean", torch.zeros((), dtype=torch.int64))
        self.mistakes: Tensor
        self.clean: Tensor

    def criterion(self, outputs: Float[Tensor, "B K"], targets: Int[Tensor, "B"]) -> Float[Tensor, ""]:
        """The perceptron loss, max(0, best rival's score - own score), summed."""
        own = outputs.gather(1, targets.unsqueeze(1))
        rival = outputs.scatter(1, targets.unsqueeze(1), -torch.inf).amax(1, keepdim=True)
        return (rival - own).clamp(min=0).sum()

    def converged(self, num_examples: int) -> bool:
        """Whether the last ``num_examples`` were seen without a mistake: at the end of a pass over as
        many, whether that pass changed nothing and so no later one would."""
        return int(self.clean) >= num_examples

    def learn_block(self, x: Float[Tensor, "B D"], targets: Int[Tensor, "B"]) -> Float[Tensor, "B K"]:
        # Thousands of products with a few dozen numbers: numpy's overhead is smaller than torch's.
        scores = self.scores(x).t().cpu().numpy()  # (K, B)
        changes, mistaken = walk_mistakes(scores, x.cpu().numpy(), targets.cpu().numpy())
        self.correct(x, torch.from_numpy(changes).to(x.device), mistaken)
        return torch.from_numpy(scores).to(x.device).t()

    def learn_one(self, x: Float[Tensor, "1 D"], targets: Int[Tensor, "1"]) -> Float[Tensor, "1 K"]:
        outputs = self.scores(x)
        right = int(targets)
        rivals = outputs[0].clone()
        rivals[right] = -torch.inf
        wrong = int(rivals.argmax())
        mistaken = bool(outputs[0, right] <= rivals[wrong])  # at zero weights all logits are equal
        changes = torch.zeros_like(outputs)
        if mistaken:
            changes[0, right], changes[0, wrong] = 1, -1
        self.correct(x, changes, [0] if mistaken else [])
        return outputs

    def correct(self, x: Float[Tensor, "B D"], changes: Float[Tensor, "B K"], mistaken: list[int]) -> None:
        """Apply the corrections of a block.

        Args:
            x: the examples of the block.
            changes: in multiples of each example, what it adds to the units: where it was a mistake 1 to
                the right unit and -1 to the wrong one, else 0.
            mistaken: the places of the mistakes, in order.
        """
        self.add(changes, x)
        self.mistakes.add_(len(mistaken))
        if mistaken:
            self.clean.fill_(len(x) - 1 - mistaken[-1])
        else:
            self.clean.add_(len(x))


def walk_mistakes(scores: np.ndarray, x: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """Find the mistakes of a block in order, each one by the scores that the earlier ones have changed.

    Args:
        scores: (K, B) by the weights before the block. On return: by the weights that each example met.
        x: (B, D) the examples.
        targets: (B,) the right classes.

    Returns:
        ``(changes, mistaken)``: see `Perceptron.correct`.
    """
    num_classes, num_examples = scores.shape
    columns = np.arange(num_examples)
    own = scores[targets, columns]
    scores[targets, columns] = -np.inf  # now the largest of a column is the best rival
    is_own = np.zeros_like(scores)
    is_own[targets, columns] = 1
    changes = np.zeros((num_examples, num_classes), scores.dtype)
    mistaken = []
    here = 0
    while here < num_examples:
        lost = np.maximum.reduce(scores[:, here:]) >= own[here:]
        ahead = int(lost.argmax())
        if not lost[ahead]:
            break
        here += ahead
        right, wrong = targets[here], scores[:, here].argmax()
        changes[here, right], changes[here, wrong] = 1, -1
        mistaken.append(here)
        here += 1
        moved = x[here:] @ x[here - 1] + 1  # by how much this example, added to a unit, moves later scores
        gained, dropped = scores[right, here:], scores[wrong, here:]
        gained += moved
        dropped -= moved
        own[here:] += moved * (is_own[right, here:] - is_own[wrong, here:])
    scores[targets, columns] = own
    return changes, mistaken
