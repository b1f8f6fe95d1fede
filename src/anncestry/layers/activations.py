"""Activations: what stands between two layers of weights."""

from collections.abc import Callable

import torch
from torch import nn

from anncestry.arrays import Float, Tensor
from anncestry.errors import UserError, nearest


class Step(nn.Module):
    """1 where x > 0, else 0: the threshold unit. Its gradient is zero everywhere it exists."""

    def forward(self, x: Float[Tensor, "*B"]) -> Float[Tensor, "*B"]:
        return (x > 0).to(x.dtype) + 0 * x  # keeps the graph, with a gradient of zero


class ScaledTanh(nn.Module):
    """1.7159 tanh(2x/3): f(±1) = ±1, unit variance stays. LeCun et al., "Efficient BackProp" (1998)."""

    def forward(self, x: Float[Tensor, "*B"]) -> Float[Tensor, "*B"]:
        return 1.7159 * torch.tanh(x * (2 / 3))


class Maxout(nn.Module):
    """The larger of each pair of neighbours: (..., 2F) -> (..., F). Goodfellow et al., 1302.4389."""

    def forward(self, x: Float[Tensor, "*B D2"]) -> Float[Tensor, "*B D"]:
        return x.unflatten(-1, (-1, 2)).amax(-1)


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "identity": nn.Identity,
    "step": Step,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "scaled-tanh": ScaledTanh,
    "relu": nn.ReLU,
    "leaky-relu": nn.LeakyReLU,
    "prelu": nn.PReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "softplus": nn.Softplus,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "maxout": Maxout,
}


def activation(name: str) -> nn.Module:
    """A new module of that name, or a `UserError` that lists the names."""
    if name not in ACTIVATIONS:
        raise UserError("activation", name, "is not known", nearest(name, list(ACTIVATIONS)))
    return ACTIVATIONS[name]()
