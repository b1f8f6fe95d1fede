"""The one product that cannot leave the loop over time: what the state of a moment ago is multiplied by."""

import torch

from anncestry.arrays import Float, Tensor


def recur(
    h: Float[Tensor, "B H"], weight: Float[Tensor, "G H"], added: Float[Tensor, "B G"] | None = None
) -> Float[Tensor, "B G"]:
    """``added + h weight^T``: every cell's recurrent product goes through here."""
    return h @ weight.t() if added is None else torch.addmm(added, h, weight.t())
