"""Dropout with one mask for all steps of a sequence."""

from torch import nn

from anncestry.arrays import Float, Tensor
from anncestry.engine.native.dropout import dropout
from anncestry.layers.dropout import Dropout


class VariationalDropout(Dropout):
    """Dropout that zeroes the same features of a sequence at every step, in training alone.

    A single step (B, D) gets a mask of its own. Source: Gal & Ghahramani, 1512.05287, section 4.2.
    """

    def forward(self, input: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        if not self.training or self.p == 0 or input.dim() < 3:
            return super().forward(input)
        mask = dropout(input.new_ones(input.shape[0], 1, input.shape[2]), self.p)
        return input * mask


def share_masks(module: nn.Module) -> None:
    """Put variational dropout in the place of every plain one inside ``module``."""
    for name, child in module.named_children():
        if isinstance(child, nn.Dropout) and type(child) in (nn.Dropout, Dropout):
            setattr(module, name, VariationalDropout(child.p))
        else:
            share_masks(child)
