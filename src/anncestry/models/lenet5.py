"""LeNet-5 as it was published: partial connections, trainable subsampling, distances to codes.

Paper: Y. LeCun, L. Bottou, Y. Bengio & P. Haffner, "Gradient-based learning applied to document
recognition", Proceedings of the IEEE 86 (1998), section II.B.

    C1  CONV5-6                      28 x 28            156 parameters
    S2  subsampling                  14 x 14             12      f(w (sum of 2 x 2) + b) for each map
    C3  CONV5-16, table I            10 x 10          1,516      a map reads 3, 4 or all 6 maps
    S4  subsampling                   5 x 5              32
    C5  CONV5-120                     1 x 1          48,120
    F6  FC-84                                        10,164
    RBF y_i = sum_j (x_j - w_ij)^2                        -      fixed codes w_ij of -1 and 1: equation 7

    f(a) = 1.7159 tanh(2a/3), weights uniform in plus or minus 2.4 / fan-in

Differs from the CNN of 1989: subsampling in place of strides, codes instead of one unit for each class.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn

from anncestry.arrays import Bool, Float, Tensor
from anncestry.errors import require
from anncestry.layers.activations import ScaledTanh
from anncestry.layers.computed import Computed
from anncestry.layers.images.config import ImageConfig, problem
from anncestry.signature import Signature

SIDE = 32  # of the paper's images
CODE = 84  # the paper's 7 x 12 drawings of characters
TABLE = (  # table I: which maps of S2 each map of C3 reads
    (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5),
    (0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5),
    (0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5),
    (0, 1, 2, 3, 4, 5),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class LeNet5Config(ImageConfig):
    """LeNet-5 has one size; images below 32 x 32 are continued at their edges, larger ones widen C5."""

    tasks: ClassVar[tuple[str, ...]] = ("classification",)  # its codes stand for classes

    @classmethod
    def for_signature(cls, signature: Signature, *, width: int | None = None, **overrides: Any):
        """The config for a data set."""
        require(width is None, "width", width, "LeNet-5 has one size")
        return cls(**{**problem(signature), **overrides})


class Subsampling(nn.Module):
    """``f(w (sum of 2 x 2) + b)`` with one w and one b for each map."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))
        self.squash = ScaledTanh()
        nn.init.uniform_(self.weight, -2.4 / 4, 2.4 / 4)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H2 W2"]:
        return self.squash(4 * self.weight * nn.functional.avg_pool2d(x, 2) + self.bias)


class PartialConvolution(Computed):
    """5x5 kernels from the maps that `TABLE` names; the others are no parameters at all."""

    def __init__(self) -> None:
        super().__init__()
        self.refill()
        self.weight = nn.Parameter(torch.empty(sum(map(len, TABLE)), 25))
        self.bias = nn.Parameter(torch.zeros(len(TABLE)))
        for rows, read in zip(self.weight.split([len(read) for read in TABLE]), TABLE, strict=True):
            bound = 2.4 / (25 * len(read))
            nn.init.uniform_(rows, -bound, bound)

    def compute(self) -> Bool[Tensor, "16 6 5 5"]:
        """True where a map of S2 is read."""
        mask = torch.zeros(len(TABLE), 6, 1, 1, dtype=torch.bool)
        for k, read in enumerate(TABLE):
            mask[k, list(read)] = True
        return mask.repeat(1, 1, 5, 5)

    def forward(self, x: Float[Tensor, "B 6 H W"]) -> Float[Tensor, "B 16 H2 W2"]:
        kernels = x.new_zeros(self.made.shape).masked_scatter(self.made, self.weight)
        return nn.functional.conv2d(x, kernels, self.bias)


class LeNet5(nn.Module):
    """Seven layers; the logits are the negative distances, so that the nearest code has the largest."""

    def __init__(self, config: LeNet5Config) -> None:
        super().__init__()
        self.config = config
        colours, height, width = config.input_shape
        self.missing = (max(0, SIDE - height), max(0, SIDE - width))
        rows, columns = (((max(SIDE, side) - 4) // 2 - 4) // 2 for side in (height, width))
        self.c1 = nn.Conv2d(colours, 6, 5)
        self.s2 = Subsampling(6)
        self.c3 = PartialConvolution()
        self.s4 = Subsampling(16)
        self.c5 = nn.Conv2d(16, 120, (rows, columns))
        self.f6 = nn.Linear(120, CODE)
        self.squash = ScaledTanh()
        for module in (self.c1, self.c5, self.f6):
            bound = 2.4 / module.weight[0].numel()
            nn.init.uniform_(module.weight, -bound, bound)
            assert module.bias is not None
            nn.init.zeros_(module.bias)
        # The same codes in every run and every process: they are part of the net, not of its start.
        random = torch.Generator().manual_seed(1998)
        codes = torch.randint(0, 2, (config.output_size, CODE), generator=random, device="cpu") * 2.0 - 1.0
        self.register_buffer("codes", codes.to(self.f6.weight.device))
        self.codes: Tensor

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        """The logits of each image: (B, C, H, W) -> (B, K); of regression the values."""
        if any(self.missing):
            rows, columns = self.missing
            around = (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)
            x = nn.functional.pad(x, around, mode="replicate")
        h = self.s2(self.squash(self.c1(x)))
        h = self.s4(self.squash(self.c3(h)))
        h = self.squash(self.c5(h)).flatten(1)
        h = self.squash(self.f6(h))
        return -(h.unsqueeze(1) - self.codes).square().sum(2)
