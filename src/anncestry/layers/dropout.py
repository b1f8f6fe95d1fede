"""Dropout: Srivastava et al., JMLR 15 (2014)."""

from torch import nn

from anncestry.arrays import Float, Tensor
from anncestry.engine.native.dropout import dropout
from anncestry.layers.watching import untouched


class Dropout(nn.Dropout):
    """``torch.nn.Dropout``, several times as fast on a CPU (`anncestry.engine.native.dropout`).

    The same in what it is for and in its statistics; other numbers for the same seed.
    """

    def forward(self, input: Float[Tensor, "*B"]) -> Float[Tensor, "*B"]:
        return dropout(input, self.p if self.training else 0.0)


def add_dropped(x: Float[Tensor, "*B"], y: Float[Tensor, "*B"], module: nn.Module) -> Float[Tensor, "*B"]:
    """x + Drop(y), a residual connection: in one pass, where the dropout is ours and nobody watches it."""
    if untouched(module, Dropout):
        assert isinstance(module, Dropout)
        return dropout(y, module.p if module.training else 0.0, x)
    return x + module(y)
