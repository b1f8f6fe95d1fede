"""A linear layer in training whose weight's gradient lies as the weight does.

PyTorch's own is the transpose of another product, which it then copies for every weight and step.
"""

from typing import Any

import torch

from anncestry.arrays import Float, Tensor
from anncestry.engine.native.dropout import is_plain


def trained_linear(
    x: Float[Tensor, "*B D"], weight: Float[Tensor, "K D"], bias: Float[Tensor, "K"] | None
) -> Float[Tensor, "*B K"]:
    """``x weight^T + bias``, what ``torch.nn.functional.linear`` computes, and its gradients."""
    wanted = torch.is_grad_enabled() and weight.requires_grad and x.dtype == weight.dtype == torch.float32
    if not wanted or not is_plain(x) or not is_plain(weight) or torch.is_autocast_enabled("cpu"):
        return torch.nn.functional.linear(x, weight, bias)
    return _Linear.apply(x, weight, bias)  # pyright: ignore[reportReturnType]


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return torch.nn.functional.linear(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, above: Tensor):  # pyright: ignore[reportIncompatibleMethodOverride]
        x, weight = ctx.saved_tensors
        of_x, of_weight, of_bias = ctx.needs_input_grad
        flat = above.reshape(-1, weight.shape[0])
        return (
            (flat @ weight).view(x.shape) if of_x else None,
            flat.t() @ x.reshape(-1, weight.shape[1]) if of_weight else None,
            flat.sum(0) if of_bias else None,
        )
