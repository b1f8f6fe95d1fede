r"""Where a token stands, as a vector that is added to its embedding.

.. math:: PE_{p, 2i} = \sin(p / 10000^{2i/d}), \qquad PE_{p, 2i+1} = \cos(p / 10000^{2i/d})

Vaswani et al., 1706.03762, section 3.5.
"""

import math

import torch
from torch import nn

from anncestry.arrays import Float, Tensor
from anncestry.errors import require
from anncestry.layers.computed import Computed
from anncestry.layers.watching import untouched

LAYOUTS = ("interleaved", "concatenated", "tensor2tensor")


def sinusoids(
    num_positions: int, width: int, layout: str = "interleaved", first: int = 0
) -> Float[Tensor, "P D"]:
    """The vectors of the positions ``first`` and up, as float32.

    Args:
        width: D, even.
        layout: ``interleaved``: sine, cosine, sine, ...: the paper's. ``concatenated``: first all sines, then
            all cosines, of the same wavelengths (Marian). ``tensor2tensor``: concatenated, and the last
            wavelength is exactly 10000 * 2 pi: 10000^(i / (d/2 - 1)) in place of 10000^(2i / d) (the
            authors' code, fairseq, OpenNMT).
    """
    require(width >= 2 and width % 2 == 0, "width", width, "must be even: half are sines, half are cosines")
    steps = max(width // 2 - 1, 1) if layout == "tensor2tensor" else width // 2
    rates = torch.exp(torch.arange(width // 2, dtype=torch.float64) * (-math.log(10_000) / steps))
    angles = torch.arange(first, first + num_positions, dtype=torch.float64).unsqueeze(1) * rates
    waves = torch.stack([angles.sin(), angles.cos()], dim=2 if layout == "interleaved" else 1)
    return waves.flatten(1).float()


class Sinusoidal(Computed):
    """Positions without weights, as many as are asked for.

    Args:
        width: D.
        layout: as for `sinusoids`.
        first: the position of the first token: 0 in the paper, 1 in OpenNMT.
    """

    def __init__(self, width: int, layout: str = "interleaved", first: int = 0) -> None:
        super().__init__()
        require(layout in LAYOUTS, "positions", layout, "must be one of", LAYOUTS)
        self.width, self.layout, self.first, self.known = width, layout, first, 64
        self.refill()

    def compute(self) -> Float[Tensor, "P D"]:
        return sinusoids(self.known, self.width, self.layout, self.first)

    def forward(self, start: int, num_positions: int) -> Float[Tensor, "P D"]:
        """The vectors of so many tokens from the ``start``-th on."""
        if torch.compiler.is_exporting():  # of any number of positions
            return sinusoids(num_positions, self.width, self.layout, self.first + start).to(self.made)
        if start + num_positions > self.known:
            self.known = 2 * (start + num_positions)
            self.refill()
        return self.made[start : start + num_positions]

    def extra_repr(self) -> str:
        return f"{self.width}, {self.layout}, first={self.first}"


class Learned(nn.Module):
    """A vector for each position, learnt as embeddings are. Gehring et al., 1705.03122.

    Args:
        width: D.
        num_positions: how many there are; no sequence is longer.
    """

    def __init__(self, width: int, num_positions: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num_positions, width)

    def forward(self, start: int, num_positions: int) -> Float[Tensor, "P D"]:
        """The vectors of so many tokens from the ``start``-th on.

        Raises:
            UserError: there are not as many positions.
        """
        largest = self.embedding.num_embeddings
        rule = f"learnt positions end at num_positions, which is {largest}"
        require(start + num_positions <= largest, "length", start + num_positions, rule)
        if not untouched(self.embedding, nn.Embedding):
            return self.embedding(
                torch.arange(start, start + num_positions, device=self.embedding.weight.device)
            )
        return self.embedding.weight[start : start + num_positions]
