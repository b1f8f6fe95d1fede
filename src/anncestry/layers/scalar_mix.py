"""A mixture of layers, with weights that a task learns."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from anncestry.arrays import Bool, Float, Tensor

EPS = 1e-12


class ScalarMix(nn.Module):
    r"""One vector of several: ``gamma`` times their mean with the weights softmax(s).

    .. math:: \mathrm{ELMo}_k = \gamma \sum_j \mathrm{softmax}(s)_j\, h_{k,j}

    The authors' code takes softmax(s + 1/L), which is the same. s starts at 0 and gamma at 1.

    Source: Peters et al., 1802.05365, equation 1.

    Args:
        num_layers: L.
        norm: whether each layer is normalised first, by one mean and one variance over all features of all
            words of the batch; a text's vectors then depend on what else is in the batch.
        l2: lambda of the penalty lambda |s|^2, which draws towards the plain mean. It is in the gradient
            of s alone, once for each backward pass; losses do not show it.
    """

    def __init__(self, num_layers: int, norm: bool = False, l2: float = 0.0) -> None:
        super().__init__()
        self.norm, self.l2 = norm, l2
        self.s = nn.Parameter(torch.zeros(num_layers))
        self.gamma = nn.Parameter(torch.ones(()))

    def weights(self) -> Float[Tensor, "L"]:
        """The share of each layer."""
        return _Penalised.apply(self.s, self.l2).softmax(0)  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]

    def forward(
        self, layers: Sequence[Float[Tensor, "B T D"]], visible: Bool[Tensor, "B T"] | None = None
    ) -> Float[Tensor, "B T D"]:
        """Mix.

        Args:
            layers: the lowest first.
            visible: where there is a word; None where everywhere.
        """
        if self.norm:
            layers = [normalise(layer, visible) for layer in layers]
        mixed = self.gamma * sum(share * layer for share, layer in zip(self.weights(), layers, strict=True))
        return mixed if visible is None else mixed.masked_fill(~visible.unsqueeze(2), 0)


def normalise(x: Float[Tensor, "B T D"], visible: Bool[Tensor, "B T"] | None = None) -> Tensor:
    """Mean 0 and variance 1 over all features of all visible words together."""
    seen = x if visible is None else x[visible]
    return (x - seen.mean()) / (seen.var(correction=0) + EPS).sqrt()


class _Penalised(torch.autograd.Function):
    """s as it is; its gradient is joined by that of l2 |s|^2."""

    @staticmethod
    def forward(ctx: Any, s: Tensor, l2: float) -> Tensor:
        ctx.save_for_backward(s)
        ctx.l2 = l2
        return s.view_as(s)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor):  # pyright: ignore[reportIncompatibleMethodOverride]
        (s,) = ctx.saved_tensors
        return gradient + 2 * ctx.l2 * s, None
