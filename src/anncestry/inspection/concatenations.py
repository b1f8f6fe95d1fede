r"""What the concatenations of a dense block take: written layer by layer, and in one buffer.

A block of L layers reads C feature maps of H x W positions, and every layer adds k. Written layer by layer,
each layer makes a new concatenation of all feature maps before it, which normalisation keeps for the backward
pass; the last one is what the block hands on:

.. math:: H W \sum_{l=0}^{L} (C + k l) = H W \left( (L + 1) C + k \frac{L (L + 1)}{2} \right)

numbers for each image, quadratic in L. In one buffer every feature map stands once: :math:`H W (C + k L)`.
Behind normalisation and ReLU the convolutions keep as much once more, where it is not computed again.

Source: Pleiss et al., "Memory-efficient implementation of DenseNets", 1707.06990.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from anncestry.models.densenet import DenseBlock, DenseLayer

BYTES = 4
"""Of a number in single precision."""


@dataclass(frozen=True, kw_only=True)
class Concatenations:
    """Of one dense block, for one image.

    Attributes:
        name: of the block in the model.
        num_layers: L.
        in_channels: C.
        growth_rate: k.
        height, width: H and W.
        layer_by_layer: numbers held where every layer has a concatenation of its own.
        one_buffer: numbers held where every feature map stands once.
    """

    name: str
    num_layers: int
    in_channels: int
    growth_rate: int
    height: int
    width: int
    layer_by_layer: int
    one_buffer: int


def concatenations(
    modules: Mapping[str, nn.Module], shapes: Mapping[str, tuple[int, ...]]
) -> tuple[Concatenations, ...]:
    """Those of every dense block that was called.

    Args:
        modules: of a model, by their names.
        shapes: of the output of each of them, (B, D, H, W) for a block.
    """
    found = []
    for name, shape in shapes.items():
        block = modules[name]
        if not isinstance(block, DenseBlock):
            continue
        _, channels, height, width = shape
        L, first = len(block), next(iter(block.values()))
        assert isinstance(first, DenseLayer)
        C = first.norm1.num_features
        k = (channels - C) // L
        found.append(
            Concatenations(
                name=name,
                num_layers=L,
                in_channels=C,
                growth_rate=k,
                height=height,
                width=width,
                layer_by_layer=height * width * ((L + 1) * C + k * L * (L + 1) // 2),
                one_buffer=height * width * channels,
            )
        )
    return tuple(found)
