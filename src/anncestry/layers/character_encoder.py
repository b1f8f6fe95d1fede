"""Words from their characters: convolutions of several widths, highway layers, a projection.

Sources: Kim et al., 1508.06615, and Jozefowicz et al., 1602.02410, for the whole; Srivastava, Greff &
Schmidhuber, 1505.00387, for highways. Character ids are those of `anncestry.signature`.
"""

from collections.abc import Sequence

import torch
from torch import nn

from anncestry.arrays import Float, Int, Tensor
from anncestry.errors import require
from anncestry.layers.linear import Linear
from anncestry.signature import NUM_CHARACTERS

CONVOLUTION_ACTIVATIONS = {"relu": torch.relu, "tanh": torch.tanh}
CARRY_BIAS = -2.0
"""With which gates of highways start: a layer begins by passing its input on."""


class HighwayLayer(nn.Module):
    r"""A layer that says for each feature how much of it is new.

    .. math:: g = \sigma(W_g x + b_g), \qquad y = g * \mathrm{ReLU}(W x + b) + (1 - g) * x

    Source: Srivastava, Greff & Schmidhuber, 1505.00387, equation 3, with C = 1 - T. Highways of recurrent
    nets are in `anncestry.layers.recurrent.highway`.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.gate, self.transform = Linear(size, size), Linear(size, size)
        for layer, bias in ((self.gate, CARRY_BIAS), (self.transform, 0.0)):
            nn.init.normal_(layer.weight, std=size**-0.5)
            nn.init.constant_(layer.bias, bias)

    def forward(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B D"]:
        g = self.gate(x).sigmoid()
        return g * self.transform(x).relu() + (1 - g) * x


class CharacterEncoder(nn.Module):
    r"""Vectors of words that depend on their characters alone, so that no word is unknown.

    .. math::
        c_k = \mathrm{ReLU}(\max_t (W_k * E)_t + b_k), \qquad x = W_p\, \mathrm{Highways}([c_1; \ldots; c_n])

    Characters that fill a word up are characters like others: they are convolved, and the largest value may
    be theirs. Only id 0, where there is no word, has a vector of zeros that learns nothing.

    `encode` is the specification. The forward pass computes the same for each distinct word of a batch once,
    and leaves out windows in which nothing changes any more; the tests hold the two equal.

    Args:
        embed_dim: of a character.
        widths, counts: of the filters, one of each for every convolution.
        num_highways: layers.
        output_size: E, of a word's vector.
        activation: of the convolutions: ``relu`` or ``tanh``.
    """

    def __init__(
        self,
        embed_dim: int,
        widths: Sequence[int],
        counts: Sequence[int],
        num_highways: int,
        output_size: int,
        activation: str = "relu",
    ) -> None:
        super().__init__()
        require(
            activation in CONVOLUTION_ACTIVATIONS,
            "activation",
            activation,
            "must be one of",
            CONVOLUTION_ACTIVATIONS,
        )
        self.activation = CONVOLUTION_ACTIVATIONS[activation]
        self.embedding = nn.Parameter(torch.empty(NUM_CHARACTERS - 1, embed_dim).uniform_(-1, 1))
        sizes = zip(widths, counts, strict=True)
        convolutions = [nn.Conv1d(embed_dim, count, width) for width, count in sizes]
        for convolution in convolutions:
            nn.init.uniform_(convolution.weight, -0.05, 0.05)
            nn.init.zeros_(convolution.bias)  # pyright: ignore[reportArgumentType]
        self.convolutions = nn.ModuleList(convolutions)
        self.widest, features = max(widths), sum(counts)
        self.highways = nn.Sequential(*(HighwayLayer(features) for _ in range(num_highways)))
        self.projection = Linear(features, output_size)
        nn.init.normal_(self.projection.weight, std=features**-0.5)
        nn.init.zeros_(self.projection.bias)

    def encode(self, characters: Int[Tensor, "M characters"]) -> Float[Tensor, "M E"]:
        """The vectors of words, each computed in full."""
        table = nn.functional.pad(self.embedding, (0, 0, 1, 0))  # id 0: zeros
        embedded = nn.functional.embedding(characters, table).transpose(1, 2)  # (M, features, characters)
        found = [self.activation(convolve(embedded).amax(2)) for convolve in self.convolutions]
        return self.projection(self.highways(torch.cat(found, dim=1)))

    def forward(self, characters: Int[Tensor, "*B characters"]) -> Float[Tensor, "*B E"]:
        rows = characters.flatten(0, -2)
        # where nothing is known of the words yet, all of them count
        if rows.device.type == "meta" or torch.compiler.is_compiling():
            return self.encode(rows).unflatten(0, characters.shape[:-1])
        distinct, places = rows.unique(dim=0, return_inverse=True)
        words = self.encode(self._without_tail(distinct))
        return nn.functional.embedding(places, words).unflatten(0, characters.shape[:-1])

    def _without_tail(self, words: Int[Tensor, "M characters"]) -> Int[Tensor, "M fewer"]:
        """The words up to where each only repeats its last character, and one window of that: what is cut off
        holds the same windows again, which change no maximum."""
        changes = (words != words[:, -1:]).any(0).nonzero()
        last = int(changes[-1]) + 1 if len(changes) else 0
        return words[:, : last + self.widest]
