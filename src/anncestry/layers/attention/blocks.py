"""The layers of a Transformer: sub-layers with a residual connection around each.

Vaswani et al., 1706.03762, sections 3.1 to 3.3. Shapes: x (B, T, D); masks as in
`anncestry.layers.attention.attention`.
"""

from collections.abc import Callable

from torch import nn

from anncestry.arrays import Float, Tensor
from anncestry.engine.native.add_norm import add_norm
from anncestry.engine.weight_cache import is_caching_weights
from anncestry.layers.attention.attention import Attention, CrossAttention, SelfAttention
from anncestry.layers.attention.key_value_cache import KeyValueCache
from anncestry.layers.attention.packing import Visible
from anncestry.layers.dropout import Dropout, add_dropped
from anncestry.layers.linear import Linear
from anncestry.layers.watching import untouched

SubLayer = Callable[[Tensor], Tensor]


class PostNorm(nn.Module):
    """LN(x + Drop(f(x))): the paper's.

    Args:
        width: D.
        dropout: probability of zeroing a feature of f(x).
        eps: added to the variance.
    """

    def __init__(self, width: int, dropout: float = 0.0, eps: float = 1e-6) -> None:
        super().__init__()
        self.norm, self.dropout = nn.LayerNorm(width, eps), Dropout(dropout)

    def forward(self, x: Float[Tensor, "*B D"], sublayer: SubLayer) -> Float[Tensor, "*B D"]:
        norm = self.norm
        drops = self.dropout.training or not untouched(self.dropout, Dropout)
        if is_caching_weights() and untouched(norm, nn.LayerNorm) and not drops:
            return add_norm(x, sublayer(x), norm.weight, norm.bias, norm.eps)
        return norm(add_dropped(x, sublayer(x), self.dropout))


class PreNorm(PostNorm):
    """x + Drop(f(LN(x))): tensor2tensor's from its second version on, with one more norm behind the stack."""

    def forward(self, x, sublayer):
        return add_dropped(x, sublayer(self.norm(x)), self.dropout)


class FeedForward(nn.Module):
    """f(x W1 + b1) W2 + b2 at every position, with the same weights.

    Args:
        width: D.
        inner_size: F, hidden units.
        activation: f, a key of `anncestry.engine.native.activations.LINEAR_ACTIVATIONS`.
        dropout: probability of zeroing a hidden unit (the paper has none).
    """

    def __init__(self, width: int, inner_size: int, activation: str = "relu", dropout: float = 0.0) -> None:
        super().__init__()
        self.inner, self.out = Linear(width, inner_size), Linear(inner_size, width)
        self.activation, self.dropout = activation, Dropout(dropout)

    def forward(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B D"]:
        return self.out(self.dropout(self.inner(x, self.activation)))


class Block(nn.Module):
    """Self-attention, then a feed-forward net: a layer of an encoder, and of a language model.

    Args:
        attention, feed_forward: the sub-layers.
        residual: makes the connection around a sub-layer: `PostNorm` or `PreNorm` with their sizes.
    """

    def __init__(
        self, attention: Attention, feed_forward: nn.Module, residual: Callable[[], PostNorm]
    ) -> None:
        super().__init__()
        self.attention, self.around_attention = attention, residual()
        self.feed_forward, self.around_feed_forward = feed_forward, residual()

    def forward(
        self,
        x: Float[Tensor, "B T D"],
        visible: Visible = None,
        causal: bool = False,
        cache: KeyValueCache | None = None,
        layer: int = 0,
    ) -> Float[Tensor, "B T D"]:
        """
        Args:
            visible, causal, cache, layer: as for `SelfAttention`.
        """
        x = self.around_attention(x, lambda x: self.attention(x, visible, causal, cache, layer))
        return self.around_feed_forward(x, self.feed_forward)


class DecoderBlock(Block):
    """A block that also attends to a memory, between its two sub-layers.

    Args:
        cross_attention: the third sub-layer.
    """

    def __init__(
        self,
        attention: SelfAttention,
        cross_attention: CrossAttention,
        feed_forward: FeedForward,
        residual: Callable[[], PostNorm],
    ) -> None:
        super().__init__(attention, feed_forward, residual)
        self.cross_attention, self.around_cross_attention = cross_attention, residual()

    def forward(self, x, keys, values, visible=None, cache=None, layer=0):  # pyright: ignore[reportIncompatibleMethodOverride]
        """Target positions, each of which sees those before it.

        Args:
            keys, values: of the memory, from `CrossAttention.look_up`.
            visible: (B, 1, 1, S) the positions of the memory.
            cache, layer: as for `SelfAttention`: x are the newest positions alone.

        Returns:
            ``(x, asked)``, both (B, T, D): the output, and what the cross-attention's queries were made of,
            for `cross_attention_weights`.
        """
        asked = self.around_attention(x, lambda x: self.attention(x, None, True, cache, layer))
        x = self.around_cross_attention(asked, lambda x: self.cross_attention(x, keys, values, visible))
        return self.around_feed_forward(x, self.feed_forward), asked

    def look_up(self, memory: Float[Tensor, "B S D"]) -> tuple[Tensor, Tensor]:
        """Keys and values of the memory, which serve all positions of a target."""
        return self.cross_attention.look_up(memory)

    def cross_attention_weights(
        self, asked: Float[Tensor, "B T D"], keys, visible=None
    ) -> Float[Tensor, "B h T S"]:
        """The weights of each head of the cross-attention over the positions of the memory."""
        around = self.around_cross_attention
        asked = around.norm(asked) if isinstance(around, PreNorm) else asked
        return self.cross_attention.weights(asked, keys, visible=visible)
