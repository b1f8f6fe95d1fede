r"""Attention that knows how far apart two positions are, and not where either stands.

.. math:: A_{ij} = (q_i + u) k_j + (q_i + v) W_r R_{i-j} + (q_i + s) g_{[\text{same text}?]}, \qquad
    \mathrm{softmax}(A / \sqrt{d_k}) V

The first two parts: Dai et al., 1901.02860, section 3.3. The third: Yang et al., 1906.08237, section 2.5.

Shapes: B sequences of T queries, and S = M + T keys: those of M positions of a memory, then those of the
sequence; h heads of d features; masks (B, 1, #T, S), True where a key can be seen. A query may see nothing:
it then takes nothing in.
"""

import math

import torch
from torch import nn

from anncestry.arrays import Bool, Float, Int, Tensor
from anncestry.engine.native.dropout import dropout
from anncestry.layers.attention.attention import Attention
from anncestry.layers.attention.positions import sinusoids
from anncestry.layers.computed import Computed
from anncestry.layers.linear import Linear


class Distances(Computed):
    """Sinusoids of the distances i - j, from the farthest key behind a query to the farthest ahead.

    Args:
        width: D, even.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width, self.farthest = width, 64
        self.refill()

    def compute(self) -> Float[Tensor, "P D"]:
        """Of the distances ``farthest`` down to ``1 - farthest``."""
        return sinusoids(2 * self.farthest, self.width, "concatenated", 1 - self.farthest).flip(0)

    def forward(self, num_queries: int, num_keys: int) -> Float[Tensor, "P D"]:
        """P = S + T vectors, of the distances S, ..., 1 - T."""
        if torch.compiler.is_exporting():  # of any number of positions
            found = sinusoids(num_keys + num_queries, self.width, "concatenated", 1 - num_queries)
            return found.flip(0).to(self.made)
        if num_keys > self.farthest:
            self.farthest = 2 * num_keys
            self.refill()
        return self.made[self.farthest - num_keys : self.farthest + num_queries]


def shifted_naive(scores: Float[Tensor, "B h T P"], num_keys: int) -> Float[Tensor, "B h T S"]:
    """The specification of `shifted`: the score of each key's distance is looked up."""
    num_queries = scores.shape[2]
    queries = torch.arange(num_queries, device=scores.device)[:, None]
    distances = num_keys - num_queries + queries - torch.arange(num_keys, device=scores.device)
    return scores.gather(3, (num_keys - distances).expand(*scores.shape[:2], -1, -1))


def shifted(scores: Float[Tensor, "B h T P"], num_keys: int) -> Float[Tensor, "B h T S"]:
    """From scores by distance, S, ..., 1 - T, to scores by key, without a look-up.

    A row's scores stand one position further to the left than those of the row before; read with rows of one
    position less, they stand below each other. Dai et al., 1901.02860, appendix B.
    """
    num_queries, num_distances = scores.shape[2:]
    flat = scores.flatten(2)[..., num_queries:]
    flat = flat.unflatten(2, (num_queries, num_distances - 1))
    return flat[..., :num_keys]


class RelativeAttention(Attention):
    """Attention of a sequence, or of questions about its positions, to itself and to a memory.

    Args:
        width: D.
        num_heads: h.
        segments: whether a head also asks if two positions are of the same text.
        dropout: probability of zeroing a weight of the softmax.
    """

    def __init__(self, width: int, num_heads: int, segments: bool = True, dropout: float = 0.0) -> None:
        super().__init__(width, num_heads, dropout=dropout)
        self.query, self.keys_values = Linear(width, self.inner, False), Linear(width, 2 * self.inner, False)
        self.distance = Linear(width, self.inner, False)
        self.content_bias = nn.Parameter(torch.zeros(num_heads, self.head_size))  # u
        self.distance_bias = nn.Parameter(torch.zeros(num_heads, self.head_size))  # v
        if segments:
            self.segment_bias = nn.Parameter(torch.zeros(num_heads, self.head_size))  # s
            self.segments = nn.Parameter(torch.zeros(2, num_heads, self.head_size))  # of the same, of another

    def look_up(self, memory: Float[Tensor, "B S D"]) -> tuple[Tensor, Tensor]:
        """Keys and values (B, h, S, d), which serve all queries."""
        keys, values = self.keys_values(memory).chunk(2, dim=-1)
        return self.heads(keys), self.heads(values)

    def forward(
        self,
        x: Float[Tensor, "B T D"],
        keys: Float[Tensor, "B h S d"],
        values: Float[Tensor, "B h S d"],
        distances: Float[Tensor, "P D"],
        visible: Bool[Tensor, "B 1 #T S"] | None = None,
        other_text: Int[Tensor, "B T S"] | None = None,
    ) -> Float[Tensor, "B T D"]:
        """
        Args:
            distances: from `Distances`.
            other_text: 1 where query and key are of two texts; None where all are of one, whose common score
                changes nothing.
        """
        weights = self.weights(x, keys, values, distances, visible, other_text)
        weights = dropout(weights, self.dropout if self.training else 0.0)
        return self.out((weights @ values).transpose(1, 2).flatten(2))

    def weights(
        self,
        x: Float[Tensor, "B T D"],
        keys: Float[Tensor, "B h S d"],
        values: Float[Tensor, "B h S d"],
        distances: Float[Tensor, "P D"],
        visible: Bool[Tensor, "B 1 #T S"] | None = None,
        other_text: Int[Tensor, "B T S"] | None = None,
    ) -> Float[Tensor, "B h T S"]:
        """The attention weights of the same arguments."""
        queries, num_keys = self.heads(self.query(x)), keys.shape[2]
        of_distances = self.heads(self.distance(distances)[None])  # (1, h, P, d)
        by_distance = (queries + self.distance_bias[:, None]) @ of_distances.transpose(2, 3)
        scores = (queries + self.content_bias[:, None]) @ keys.transpose(2, 3)
        scores = scores + shifted(by_distance, num_keys)
        if other_text is not None:
            asked = torch.einsum("nhtk,shk->nhts", queries + self.segment_bias[:, None], self.segments)
            scores = scores + torch.where(other_text[:, None] > 0, asked[..., 1:], asked[..., :1])
        scores = scores / math.sqrt(self.head_size)
        if visible is not None:
            scores = scores.masked_fill(~visible, torch.finfo(scores.dtype).min)
        weights = scores.softmax(-1)
        if visible is None:
            return weights
        return weights.masked_fill(~visible, 0.0)  # a query that sees nothing has spread its weights
