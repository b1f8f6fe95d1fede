"""A batch of one row in front of a batch normalisation: one value for each channel has no deviation.

The last batch of a pass may be such a one, and so may a part of a batch. There, and only where a channel has
but one value, a normalisation takes the statistics that it has seen so far, as it does in predictions.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from anncestry.arrays import Tensor


@contextmanager
def seen_statistics_for(rows: int, model: nn.Module) -> Iterator[None]:
    """While a batch of so many rows is learnt: normalisations of lone values use their running statistics."""
    if rows != 1:
        yield
        return
    switched: list[nn.Module] = []

    def look(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if norm.training and inputs[0].numel() == inputs[0].shape[1]:
            norm.eval()
            switched.append(norm)

    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    hooks = [norm.register_forward_pre_hook(look) for norm in norms]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
        for norm in switched:
            norm.train()
