"""Where a net that writes looked, word by word: whether it can look, and its weights as maps of an image."""

import math
from typing import Any

import torch
from torch import nn

from anncestry.arrays import Float, Tensor
from anncestry.protocols import EncoderDecoder
from anncestry.signature import Signature


@torch.no_grad()
def can_look(model: nn.Module, signature: Signature) -> bool:
    """Whether a model looks at its source while it writes; one with a fixed context does not.

    Args:
        model: in evaluation mode.
    """
    if not isinstance(model, EncoderDecoder):
        return False
    state: Any = model.encode(signature.example(1)[0])
    return model.alignment(state) is not None


def grid_of(num_places: int, height: int, width: int) -> tuple[int, int]:
    """The rows and columns of a map of so many places: those nearest in shape to the image."""
    pairs = [(rows, num_places // rows) for rows in range(1, num_places + 1) if num_places % rows == 0]
    return min(pairs, key=lambda pair: abs(math.log(pair[0] / pair[1] * width / height)))


def attended(weights: Float[Tensor, "T S"], height: int, width: int) -> Float[Tensor, "T H W"]:
    """Weights over the places of a feature map, row by row, as maps of its image.

    Between the centres of the places they are interpolated. Each map is scaled by its own largest value.
    """
    maps = weights.view(-1, 1, *grid_of(weights.shape[1], height, width)).float()
    maps = nn.functional.interpolate(maps, (height, width), mode="bilinear", align_corners=False)[:, 0]
    return maps / maps.amax((1, 2), keepdim=True).clamp(min=1e-12)
