"""What goes into an encoder: a token, where it stands, and which of two texts it belongs to.

Devlin et al., 1810.04805, section 3 and figure 2. Shapes: tokens (B, T), output (B, T, D).
"""

import torch
from torch import nn

from anncestry.arrays import Float, Int, Tensor
from anncestry.errors import require
from anncestry.layers.attention.positions import Learned
from anncestry.layers.dropout import Dropout
from anncestry.layers.linear import Linear


def segments_of(tokens: Int[Tensor, "B T"], separator: int | None, num_segments: int) -> Int[Tensor, "B T"]:
    """Which text each token belongs to: 0 up to the first separator and with it, 1 behind it.

    Args:
        separator: the token that ends a text; None where inputs are one text.
        num_segments: texts behind the last of these belong to it.
    """
    if separator is None or num_segments < 2:
        return torch.zeros_like(tokens)
    ends = (tokens == separator).long()
    return (ends.cumsum(1) - ends).clamp_(max=num_segments - 1)


class TokenEmbeddings(nn.Module):
    """Drop(LN(E_word[token] + E_segment[segment] + E_position[position])).

    Args:
        num_words: V.
        width: D.
        num_positions: the longest text.
        num_segments: rows of E_segment; 0 for none.
        separator: as for `segments_of`.
        embed_dim: E, features of the tables; where it is not D, a linear layer brings them to the width
            (Lan et al., 1909.11942, section 3.1).
        first_position: the row of the first token's position.
        dropout: probability of zeroing a feature.
        eps: of the normalisation.
    """

    def __init__(
        self,
        num_words: int,
        width: int,
        num_positions: int,
        num_segments: int = 2,
        separator: int | None = None,
        embed_dim: int = 0,
        first_position: int = 0,
        dropout: float = 0.1,
        eps: float = 1e-12,
    ) -> None:
        super().__init__()
        embed_dim = embed_dim or width
        self.separator, self.num_segments = separator, num_segments
        self.first_position = first_position
        self.words = nn.Embedding(num_words, embed_dim)
        self.positions = Learned(embed_dim, num_positions)
        self.segments = nn.Embedding(num_segments, embed_dim) if num_segments else None
        self.norm, self.dropout = nn.LayerNorm(embed_dim, eps), Dropout(dropout)
        self.widen = Linear(embed_dim, width) if embed_dim != width else None

    def forward(
        self, tokens: Int[Tensor, "B T"], segments: Int[Tensor, "B T"] | None = None
    ) -> Float[Tensor, "B T D"]:
        """
        Args:
            segments: which text each token belongs to; default: found by the separators.

        Raises:
            UserError: a text is longer than there are positions.
        """
        x = self.features(tokens, segments)
        return x if self.widen is None else self.widen(x)

    def features(
        self, tokens: Int[Tensor, "B T"], segments: Int[Tensor, "B T"] | None = None
    ) -> Float[Tensor, "B T E"]:
        """What the tables say of each token, before it is brought to the width."""
        longest = self.positions.embedding.num_embeddings - self.first_position
        rule = f"learnt positions end at num_positions, which is {longest}"
        require(tokens.shape[1] <= longest, "length", tokens.shape[1], rule)
        x = self.words(tokens) + self.positions(self.first_position, tokens.shape[1])
        if self.segments is not None:
            if segments is None:
                segments = segments_of(tokens, self.separator, self.num_segments)
            x = x + self.segments(segments)
        return self.dropout(self.norm(x))
