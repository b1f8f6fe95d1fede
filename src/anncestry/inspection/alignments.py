"""Alignments: whether an encoder-decoder attends to its source, and its attention weights over an image."""

import math
from typing import Any

import torch
from torch import nn

from anncestry.arrays import Float, Tensor
from anncestry.protocols import EncoderDecoder
from anncestry.signature import Signature


@torch.no_grad()
def attends_to_source(model: nn.Module, signature: Signature) -> bool:
    """Whether a model attends to its source while it generates; one with a fixed context does not.

    Args:
        model: in evaluation mode.
    """
    if not isinstance(model, EncoderDecoder):
        return False
    state: Any = model.encode(signature.example(1)[0])
    return model.alignment(state) is not None


def grid_of(num_positions: int, height: int, width: int) -> tuple[int, int]:
    """The rows and columns of a feature map of so many positions: those nearest in shape to the image."""
    pairs = [
        (rows, num_positions // rows) for rows in range(1, num_positions + 1) if num_positions % rows == 0
    ]
    return min(pairs, key=lambda pair: abs(math.log(pair[0] / pair[1] * width / height)))


def attention_over_image(weights: Float[Tensor, "T S"], height: int, width: int) -> Float[Tensor, "T H W"]:
    """Attention weights over the positions of a feature map, row by row, as maps of its image.

    Between the centres of the positions they are interpolated. Each map is scaled by its own largest value.
    """
    maps = weights.view(-1, 1, *grid_of(weights.shape[1], height, width)).float()
    maps = nn.functional.interpolate(maps, (height, width), mode="bilinear", align_corners=False)[:, 0]
    return maps / maps.amax((1, 2), keepdim=True).clamp(min=1e-12)
