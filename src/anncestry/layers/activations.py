"""Activations and initialisations: what stands between two weight layers, and what weights start from."""

import math
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

INITIALISATIONS = ("lecun", "glorot", "he", "heuristic")


def activation(name: str) -> nn.Module:
    """A new module of that name, or a `UserError` that lists the names."""
    if name not in ACTIVATIONS:
        raise UserError("activation", name, "is not known", nearest(name, list(ACTIVATIONS)))
    return ACTIVATIONS[name]()


def initialise(weight: Tensor, scheme: str, negative_slope: float = 0.0) -> None:
    """Fill ``weight`` (fan_out, fan_in, *kernel) uniformly with the variance of the scheme.

    ========== ============================ ===========================================
    scheme     variance                     source
    ========== ============================ ===========================================
    lecun      1 / fan_in                   LeCun et al. 1998
    glorot     2 / (fan_in + fan_out)       Glorot & Bengio 2010, equation 16
    he         2 / ((1 + a^2) fan_in)       He et al. 2015 (1502.01852), equation 15
    heuristic  1 / (3 fan_in)               what Glorot & Bengio argue against, and
                                            what ``torch.nn.Linear`` does
    ========== ============================ ===========================================
    """
    receptive = math.prod(weight.shape[2:])
    fan_out, fan_in = weight.shape[0] * receptive, weight.shape[1] * receptive
    variances = {
        "lecun": 1 / fan_in,
        "glorot": 2 / (fan_in + fan_out),
        "he": 2 / ((1 + negative_slope**2) * fan_in),
        "heuristic": 1 / (3 * fan_in),
    }
    if scheme not in variances:
        raise UserError("init", scheme, "is not known", INITIALISATIONS)
    bound = math.sqrt(3 * variances[scheme])
    nn.init.uniform_(weight, -bound, bound)
