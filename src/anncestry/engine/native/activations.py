"""What may follow a product, number by number."""

from collections.abc import Callable

import torch

from anncestry.arrays import Tensor
from anncestry.engine.native.gelu import gelu_tanh

LINEAR_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.nn.functional.relu,
    "gelu": torch.nn.functional.gelu,
    "gelu-tanh": gelu_tanh,
    "silu": torch.nn.functional.silu,
}
"""What may follow a product."""

CODES = {name: code for code, name in enumerate(("none", *LINEAR_ACTIVATIONS))}
"""The numbers by which the native kernels know them: `Activation` in native/activations.h."""


def activated(product: Tensor, activation: str) -> Tensor:
    """f of a product: ``none`` or a key of `LINEAR_ACTIVATIONS`."""
    return product if activation == "none" else LINEAR_ACTIVATIONS[activation](product)
