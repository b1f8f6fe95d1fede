"""Readouts of decoders: from a state, the last word and a context to the logits of the next word."""

from torch import nn

from anncestry.arrays import Float, Tensor
from anncestry.layers.activations import Maxout
from anncestry.layers.dropout import Dropout


class MaxoutReadout(nn.Module):
    """t~ = U s + V e(y) + C c, then the larger of each pair, then the logits: a "deep output".

    The context's share ``C c`` is asked for by itself, as it can be computed once for a source: the share of
    a weighted sum is the weighted sum of the shares.

    Sources: Cho et al., 1406.1078, appendix A.1.2; Bahdanau et al., 1409.0473, appendix A.2.2.

    Args:
        state_size: of s.
        embed_dim: of e(y).
        context_size: of c.
        maxout_size: F, pairs.
        output_size: V, words.
        rank: features between the pairs and the logits, which makes their matrix one of two factors; 0 has
            one matrix.
    """

    def __init__(
        self,
        state_size: int,
        embed_dim: int,
        context_size: int,
        maxout_size: int,
        output_size: int,
        rank: int = 0,
    ) -> None:
        super().__init__()
        self.of_state = nn.Linear(state_size, 2 * maxout_size)
        self.of_word = nn.Linear(embed_dim, 2 * maxout_size, bias=False)
        self.of_context = nn.Linear(context_size, 2 * maxout_size, bias=False)
        self.maxout = Maxout()
        self.factor = nn.Linear(maxout_size, rank, bias=False) if rank else None
        self.scores = nn.Linear(rank or maxout_size, output_size)

    def share_of_context(self, context: Float[Tensor, "... D"]) -> Float[Tensor, "... F2"]:
        """``C c``."""
        return self.of_context(context)

    def forward(
        self,
        state: Float[Tensor, "*B H"],
        embedded: Float[Tensor, "*B E"],
        share_of_context: Float[Tensor, "*#B F2"],
    ) -> Float[Tensor, "*B V"]:
        pairs = self.of_state(state) + self.of_word(embedded) + share_of_context
        features = self.maxout(pairs)
        return self.scores(features if self.factor is None else self.factor(features))


class DeepReadout(nn.Module):
    """L_o (e(y) + L_h h + L_z z), and the logits. Xu et al., 1502.03044, equation 7.

    Args:
        state_size: of h.
        embed_dim: of e(y), to which the others are brought.
        context_size: of z.
        output_size: V, words.
        dropout: probability of zeroing a feature of the sum.
    """

    def __init__(
        self, state_size: int, embed_dim: int, context_size: int, output_size: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.of_state = nn.Linear(state_size, embed_dim)
        self.of_context = nn.Linear(context_size, embed_dim, bias=False)
        self.dropout = Dropout(dropout)
        self.scores = nn.Linear(embed_dim, output_size)

    def share_of_context(self, context: Float[Tensor, "... D"]) -> Float[Tensor, "... E"]:
        """``L_z z``."""
        return self.of_context(context)

    def forward(self, state: Tensor, embedded: Tensor, share_of_context: Tensor) -> Float[Tensor, "*B V"]:
        return self.scores(self.dropout(embedded + self.of_state(state) + share_of_context))
