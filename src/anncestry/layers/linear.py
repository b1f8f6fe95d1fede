"""Linear layers that read their weights as the processor likes them, once these no longer change."""

import torch
from torch import nn

from anncestry.arrays import Float, Tensor
from anncestry.engine.native.activations import LINEAR_ACTIVATIONS
from anncestry.engine.packed import linear

__all__ = ["LINEAR_ACTIVATIONS", "Linear", "TiedReadout"]


class Linear(nn.Linear):
    """``f(x W^T + b)``: what ``torch.nn.Linear`` computes, and what follows it.

    Within `anncestry.engine.prediction.inference` the weight is laid out once for all calls.
    """

    def forward(self, input: Float[Tensor, "*B D"], activation: str = "none") -> Float[Tensor, "*B K"]:
        """
        Args:
            activation: f: ``none`` or a key of `LINEAR_ACTIVATIONS`.
        """
        return linear(input, self.weight, self.bias, activation)


class TiedReadout(nn.Module):
    """The logits of words by the table that embeds them: ``x E^T``, and a bias if wanted.

    Source: Press & Wolf, 1608.05859.

    Args:
        num_words: V.
        bias: whether each word has a number of its own that is added.
    """

    def __init__(self, num_words: int, bias: bool = False) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(num_words)) if bias else None

    def forward(self, x: Float[Tensor, "*B D"], table: Float[Tensor, "V D"]) -> Float[Tensor, "*B V"]:
        return linear(x, table, self.bias)
