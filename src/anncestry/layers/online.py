"""One layer of linear units that learns online: every example meets the weights the one before it left.

The perceptrons and the ADALINE share what is here; they differ in what an example does to the weights.

Presenting examples one at a time costs a product with all weights each. A block of B examples costs two
large ones, with exactly the same outcome, because the weights an example meets are those before the block
plus multiples of the block's earlier examples:

- ``scores(x) = X W^T`` (B, K) is what the weights before the block say;
- an earlier example j of the block, once added to a unit, moves the score of example i by ``x_i · x_j``;
- ``add(changes, x)``, ``W += A^T X``, applies all corrections of the block at once.

What is left for the rule of each model is to find the multiples A (B, K).

Inputs are flattened. The bias is the last column of the weights, the weight of a constant feature 1
(``x -> [x, 1]``); the products add it without ever building the extended inputs.
"""

from dataclasses import dataclass
from typing import Annotated, Any

import torch
from torch import nn

from anncestry.arrays import Float, Tensor
from anncestry.errors import require
from anncestry.rules import Checked, Rule, Size, one_of
from anncestry.signature import EVERY_STEP, InputKind, Signature, Task

BLOCK_SIZE = 64
"""Examples in a block: the more, the larger the products, but the more pairs of examples to multiply."""

AT_ONCE = Rule(lambda task, _: task not in EVERY_STEP, "a linear unit has no order in time")


@dataclass(frozen=True, kw_only=True)
class LinearConfig(Checked):
    """Sizes of one linear layer, all of them given by the data.

    Attributes:
        task: what is asked.
        inputs: ``vector``, ``image`` or ``series``; every input is flattened.
        input_shape: the shape of one input.
        output_size: K, classes or target values.
    """

    task: Annotated[Task, AT_ONCE] = "classification"
    inputs: Annotated[InputKind, one_of(("vector", "image", "series"), "a linear unit reads")] = "vector"
    input_shape: tuple[Size, ...]
    output_size: Size

    @classmethod
    def for_signature(cls, signature: Signature, *, width: int | None = None, **overrides: Any):
        """The config for a data set. There is no width: without hidden units the data set every size."""
        require(width is None, "width", width, "this model has no hidden units, its size is that of the data")
        fields = {
            "task": signature.task,
            "inputs": signature.inputs,
            "input_shape": signature.shape,
            "output_size": signature.output_size,
        }
        return cls(**{**fields, **overrides})

    @property
    def signature(self) -> Signature:
        """The learning problem this config is made for."""
        return Signature(self.task, self.inputs, self.input_shape, self.output_size)


class OnlineLinear(nn.Module):
    """K linear units, ``weight`` (K, D + 1) with the bias last; no gradient, the weights start at zero.

    A child says what a block does (``learn_block``) and, as the specification that it must equal, what a
    single example does (``learn_one``).
    """

    def __init__(self, config: LinearConfig) -> None:
        super().__init__()
        self.config = config
        size = config.signature.num_features + 1
        self.weight = nn.Parameter(torch.zeros(config.output_size, size), requires_grad=False)

    def forward(self, x: Float[Tensor, "B ..."]) -> Float[Tensor, "B K"]:
        """The outputs of each class before any rule is applied: (B, ...) -> (B, K); the largest one wins."""
        return self.scores(self.flatten(x)).contiguous()

    def flatten(self, x: Float[Tensor, "B ..."]) -> Float[Tensor, "B D"]:
        return x.flatten(1).to(self.weight.dtype)

    def scores(self, x: Float[Tensor, "B D"]) -> Float[Tensor, "B K"]:
        """``w_k · [x, 1]`` for every unit. In memory it lies unit by unit, the way learning reads it."""
        weight = self.weight
        return torch.addmm(weight[:, -1:], weight[:, :-1], x.t()).t()

    def add(self, changes: Float[Tensor, "B K"], x: Float[Tensor, "B D"]) -> None:
        """``w_k += sum_i changes[i, k] [x_i, 1]``."""
        weight = self.weight
        weight[:, :-1].addmm_(changes.t(), x)
        weight[:, -1].add_(changes.sum(0))

    @torch.no_grad()
    def learn(self, inputs: Float[Tensor, "B ..."], targets: Tensor) -> Float[Tensor, "B K"]:
        """Present the examples in order, block by block, and change the weights.

        The outcome is that of presenting them one at a time, up to rounding, however they are cut into
        calls and blocks.

        Returns:
            The outputs that each example got before it changed anything.
        """
        x = self.flatten(inputs)
        with torch.autocast(x.device.type, enabled=False):  # corrections are smaller than bf16 resolves
            blocks = zip(x.split(BLOCK_SIZE), targets.split(BLOCK_SIZE), strict=True)
            return torch.cat([self.learn_block(*block) for block in blocks])

    @torch.no_grad()
    def learn_naive(self, inputs: Float[Tensor, "B ..."], targets: Tensor) -> Float[Tensor, "B K"]:
        """The specification of `learn`: one example after another."""
        x = self.flatten(inputs)
        return torch.cat([self.learn_one(x[i : i + 1], targets[i : i + 1]) for i in range(len(x))])

    def learn_block(self, x: Float[Tensor, "B D"], targets: Tensor) -> Float[Tensor, "B K"]:
        raise NotImplementedError

    def learn_one(self, x: Float[Tensor, "1 D"], targets: Tensor) -> Float[Tensor, "1 K"]:
        raise NotImplementedError

    def extra_repr(self) -> str:
        return f"{self.weight.shape[1] - 1}, {self.weight.shape[0]}"
