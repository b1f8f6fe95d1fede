"""Layers of Transformers: attention, its cache, positions, embeddings, blocks."""

from typing import TYPE_CHECKING

from anncestry.lazy import hand_on

if TYPE_CHECKING:
    from anncestry.layers.attention.attention import (
        Attention,
        CrossAttention,
        SelfAttention,
        attention_weights,
        scaled_dot_product,
    )
    from anncestry.layers.attention.blocks import Block, DecoderBlock, FeedForward, PostNorm, PreNorm
    from anncestry.layers.attention.key_value_cache import KeyValueCache
    from anncestry.layers.attention.positions import Learned, Sinusoidal
    from anncestry.layers.attention.relative_attention import Distances, RelativeAttention
    from anncestry.layers.attention.token_embeddings import TokenEmbeddings

__all__ = [
    "Attention",
    "Block",
    "CrossAttention",
    "DecoderBlock",
    "Distances",
    "FeedForward",
    "KeyValueCache",
    "Learned",
    "PostNorm",
    "PreNorm",
    "RelativeAttention",
    "SelfAttention",
    "Sinusoidal",
    "TokenEmbeddings",
    "attention_weights",
    "scaled_dot_product",
]
__getattr__, __dir__ = hand_on(__name__)
