r"""Attention of several heads.

.. math:: \mathrm{Att}(Q, K, V) = \mathrm{softmax}(Q K^T / \sqrt{d_k}) V, \qquad
    \mathrm{MH} = [\mathrm{Att}_1; \ldots; \mathrm{Att}_h] W_o

Vaswani et al., 1706.03762, sections 3.2.1 and 3.2.2.

Shapes: B sequences of T queries and S keys, width D, h heads of d features: x (B, T, D), queries
(B, h, T, d), keys and values (B, h, S, d), masks (B, 1, #T, S), True where a key can be seen. Each query sees
at least one key.
"""

import math
from typing import Any

import torch
from torch import nn

from anncestry.arrays import Bool, Float, Tensor
from anncestry.engine.native.cache_attention import cache_attention
from anncestry.engine.native.cache_attention import fits as fits_the_kernel
from anncestry.engine.native.dropout import is_seeded
from anncestry.engine.native.packed_attention import attention_kernel, packed_attention
from anncestry.engine.native.training_attention import can_train, plain_attention, training_attention
from anncestry.engine.weight_cache import is_caching_weights
from anncestry.layers.attention.key_value_cache import KeyValueCache
from anncestry.layers.attention.packing import Packing, Visible
from anncestry.layers.linear import Linear

FEW = 8  # queries of a text, up to which the kernel that takes one by one is faster
SHORT = 2**16  # queries times keys, up to which products over all heads and sequences are faster on a CPU


class Attention(nn.Module):
    """What self- and cross-attention share.

    Args:
        width: D.
        num_heads: h.
        head_size: d; D / h where it is 0.
        bias: whether the projections have biases (the paper's have none).
        dropout: probability of zeroing a weight of the softmax (the paper has none).
    """

    def __init__(
        self, width: int, num_heads: int, head_size: int = 0, bias: bool = False, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.num_heads, self.head_size = num_heads, head_size or width // num_heads
        self.width, self.dropout = width, dropout
        self.inner = self.num_heads * self.head_size
        self.out = Linear(self.inner, width, bias)

    def heads(self, projected: Float[Tensor, "B T inner"]) -> Float[Tensor, "B h T d"]:
        """The features of each head by themselves."""
        return projected.unflatten(-1, (self.num_heads, self.head_size)).transpose(1, 2)

    def attend(
        self,
        queries: Float[Tensor, "B h T d"],
        keys: Float[Tensor, "B h S d"],
        values: Float[Tensor, "B h S d"],
        visible: Visible = None,
        causal: bool = False,
    ) -> Float[Tensor, "B T D"]:
        """The values each query sees, weighted, and brought back to the width.

        Args:
            causal: whether a query sees the keys up to its own position alone.
        """
        dropout = self.dropout if self.training else 0.0
        seen = scaled_dot_product(queries, keys, values, visible, causal, dropout)
        return self.out(seen.transpose(1, 2).flatten(2))

    def weights(self, *arguments: Any, **named: Any) -> Float[Tensor, "B h T S"]:
        """The weights with which `forward` makes its output of the same arguments."""
        raise NotImplementedError

    def reset_parameters(self) -> None:
        """Each projection's matrix as Glorot & Bengio (2010) start it."""
        for module in self.children():
            if isinstance(module, nn.Linear) and module is not self.out:
                for part in module.weight.data.split(self.inner):
                    nn.init.xavier_uniform_(part)

    def extra_repr(self) -> str:
        return f"num_heads={self.num_heads}, head_size={self.head_size}"


class SelfAttention(Attention):
    """Attention of a sequence to itself; queries, keys and values are projected together."""

    def __init__(
        self, width: int, num_heads: int, head_size: int = 0, bias: bool = False, dropout: float = 0.0
    ) -> None:
        super().__init__(width, num_heads, head_size, bias, dropout)
        self.qkv = Linear(width, 3 * self.inner, bias)

    def project(self, x: Float[Tensor, "B T D"]) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values (B, h, T, d)."""
        return self.split(self.qkv(x))

    def split(self, projected: Float[Tensor, "B T qkv"]) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values (B, h, T, d)."""
        queries, keys, values = projected.chunk(3, dim=-1)
        return self.heads(queries), self.heads(keys), self.heads(values)

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
            visible, causal: as for `attend`.
            cache: in place of them: x are the newest positions, which see all that the cache holds of this
                ``layer``; theirs is written there. It has already been extended by them. Where several
                hypotheses follow a sequence, T is their number; else it is that of new tokens.
        """
        projected = self.qkv(x)
        if cache is not None and cache.begins_with(x.shape[1]):
            queries, keys, values = self.split(projected)
            cache.write(layer, keys, values)
            return self.attend(queries, keys, values, causal=x.shape[1] > 1)
        if cache is not None:
            return self.out(self._look_back(projected, cache, layer))
        return self.attend(*self.split(projected), visible, causal)

    def _look_back(
        self, projected: Float[Tensor, "N T qkv"], cache: KeyValueCache, layer: int
    ) -> Float[Tensor, "N T inner"]:
        """What the newest positions see of all that the cache holds, where theirs is written."""
        visible, held = cache.mask(projected.shape[1]), cache.layer(layer)
        marks = None if visible is None else visible.squeeze(1)
        if fits_the_kernel(projected, *held, marks):
            return cache_attention(projected, *held, marks)
        queries, keys, values = self.split(projected)
        keys, values = (part.to(queries.dtype) for part in cache.write(layer, keys, values))
        return scaled_dot_product(queries, keys, values, visible).transpose(1, 2).flatten(2)

    def weights(
        self,
        x: Float[Tensor, "B T D"],
        visible: Bool[Tensor, "B 1 #T T"] | None = None,
        causal: bool = False,
        cache: KeyValueCache | None = None,
        layer: int = 0,
    ) -> Float[Tensor, "B h T T"]:
        """The attention weights of the same arguments; a cache holds nothing but x yet."""
        queries, keys, _ = self.project(x)
        return attention_weights(queries, keys, visible, causal or cache is not None)


class CrossAttention(Attention):
    """Attention of one sequence to another: to the ``memory`` that an encoder made."""

    def __init__(
        self, width: int, num_heads: int, head_size: int = 0, bias: bool = False, dropout: float = 0.0
    ) -> None:
        super().__init__(width, num_heads, head_size, bias, dropout)
        self.query = Linear(width, self.inner, bias)
        self.keys_values = Linear(width, 2 * self.inner, bias)

    def look_up(self, memory: Float[Tensor, "B S D"]) -> tuple[Tensor, Tensor]:
        """Keys and values (B, h, S, d) of the memory, which serve all queries."""
        keys, values = self.keys_values(memory).chunk(2, dim=-1)
        return self.heads(keys).contiguous(), self.heads(values).contiguous()  # read at every step

    def forward(
        self,
        x: Float[Tensor, "B T D"],
        keys: Float[Tensor, "B h S d"],
        values: Float[Tensor, "B h S d"],
        visible: Bool[Tensor, "B 1 1 S"] | None = None,
    ) -> Float[Tensor, "B T D"]:
        queries = self.query(x)
        marks = None if visible is None else visible.squeeze(1)
        if x.shape[1] <= FEW and fits_the_kernel(queries, keys, values, marks):  # those of a beam
            return self.out(cache_attention(queries, keys, values, marks))
        return self.attend(self.heads(queries), keys, values, visible)

    def weights(
        self,
        x: Float[Tensor, "B T D"],
        keys: Float[Tensor, "B h S d"],
        values: Float[Tensor, "B h S d"] | None = None,
        visible: Bool[Tensor, "B 1 1 S"] | None = None,
    ) -> Float[Tensor, "B h T S"]:
        """The attention weights of the same arguments: computed for whoever wants to see them."""
        return attention_weights(self.heads(self.query(x)), keys, visible)


def scaled_dot_product(
    queries: Float[Tensor, "B h T d"],
    keys: Float[Tensor, "B h S d"],
    values: Float[Tensor, "B h S d"],
    visible: Visible = None,
    causal: bool = False,
    dropout: float = 0.0,
) -> Float[Tensor, "B h T d"]:
    """Drop(softmax(Q K^T / sqrt(d))) V.

    On a CPU PyTorch's fused kernel handles one head of one sequence after the other, which takes 2 to 20
    times as long as three products over all of them where these are short, and knows no dropout.
    """
    if isinstance(visible, Packing):
        return _packed(queries, keys, values, visible.offsets, causal)
    num_queries, num_keys = queries.shape[2], keys.shape[2]
    predicts = is_caching_weights() and not dropout
    if visible is None and num_queries == num_keys and predicts and attention_kernel(queries):
        offsets = torch.arange(0, len(queries) * num_keys + 1, num_keys)
        return _packed(queries, keys, values, offsets, causal)
    if queries.device.type == "cpu" and can_train(queries, keys, values):
        return training_attention(queries, keys, values, visible, causal, dropout)
    if causal and visible is not None:  # the others take one of the two
        order = torch.ones(num_queries, num_keys, dtype=torch.bool, device=queries.device).tril()
        visible, causal = visible & order, False
    masked = dropout > 0 and is_seeded(queries)
    if queries.device.type != "cpu" or (num_queries * num_keys > SHORT and not masked):
        return nn.functional.scaled_dot_product_attention(queries, keys, values, visible, dropout, causal)
    return plain_attention(queries, keys, values, visible, causal, dropout)


def _packed(queries: Tensor, keys: Tensor, values: Tensor, offsets: Tensor, causal: bool) -> Tensor:
    """(B, h, T, d), of texts one behind the other in all rows of the batch."""
    of_queries, of_keys, of_values = (part.transpose(1, 2).flatten(0, 1) for part in (queries, keys, values))
    seen = packed_attention(of_queries, of_keys, of_values, offsets, causal)
    return seen.unflatten(0, (queries.shape[0], queries.shape[2])).transpose(1, 2)


def attention_weights(
    queries: Float[Tensor, "B h T d"],
    keys: Float[Tensor, "B h S d"],
    visible: Bool[Tensor, "B 1 #T S"] | None = None,
    causal: bool = False,
) -> Float[Tensor, "B h T S"]:
    """softmax(Q K^T / sqrt(d)) over the keys that can be seen: what the fast kernels never form.

    Args:
        causal: as for `Attention.attend`.
    """
    scores = queries @ keys.transpose(2, 3) / math.sqrt(queries.shape[-1])
    if visible is not None:
        scores = scores.masked_fill(~visible, -math.inf)
    if causal:
        num_queries, num_keys = scores.shape[2:]
        order = torch.ones(num_queries, num_keys, dtype=torch.bool, device=scores.device).tril()
        scores = scores.masked_fill(~order, -math.inf)
    return scores.softmax(-1)
