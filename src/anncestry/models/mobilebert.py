r"""MobileBERT: as deep as BERT-large, and in every block a quarter as wide.

Paper: Z. Sun, H. Yu, X. Song, R. Liu, Y. Yang & D. Zhou, "MobileBERT: a compact task-agnostic BERT for
resource-limited devices", 2004.02984 (2020).

    x = N(W [E_word[next]; E_word[token]; E_word[before]] + E_segment[segment] + E_position[position])
    24 times:   b = N(W_in x),  s = N(W_s x)                              from D = 512 to 128 features
                a = N(b + MH(Q = K = s, V = x))
                4 times:  a = N(a + W_2 relu(W_1 a + b_1) + b_2)
                x = N(x + W_out a)                                        and back
    N(x) = g x + b, feature by feature                                    (equation 2: NoNorm)
    masked tokens: softmax(LN(relu(W_t x + b_t)) [E_word, E_rest]^T + b)

Differs from BERT: the bottleneck, four feed-forward nets to keep their balance with attention, a narrow
table with three words side by side, no statistics in the blocks, relu. A task's head reads x_0 as it
is. The paper learns it layer by layer from a large teacher; here it is trained as BERT is.

Departures from the paper: see the ledger of its entry on the timeline.
"""

from dataclasses import dataclass
from typing import Annotated, Any

import torch
from torch import nn

from anncestry.arrays import Bool, Float, Int, Tensor
from anncestry.layers.attention.attention import Attention, attention_weights
from anncestry.layers.attention.blocks import FeedForward, PostNorm
from anncestry.layers.attention.packing import Visible, over_tokens
from anncestry.layers.attention.positions import Learned
from anncestry.layers.attention.token_embeddings import segments_of
from anncestry.layers.dropout import Dropout
from anncestry.layers.linear import Linear
from anncestry.layers.seq2seq.encoder_decoder import visible_positions, where_ragged
from anncestry.models.bert import NO_POOLER, Bert, BertConfig, MaskedLMHead
from anncestry.protocols import MaskedLMOutput
from anncestry.rules import Size, below, multiple_of
from anncestry.signature import Signature


@dataclass(frozen=True, kw_only=True)
class MobileBertConfig(BertConfig):
    """Sizes and parts: those of `anncestry.models.bert.BertConfig`, with MobileBERT's values.

    Attributes:
        bottleneck_size: features within a block.
        num_feed_forwards: feed-forward nets of a block, one after the other.
        inner_size: F of each; 4 B where it is 0.
        embed_dim: E, features of the table of words.
        pooler: whether a task's head reads tanh(W x_0 + b) (default: x_0 as it is).
    """

    hidden_size: int = 512
    num_layers: int = 24
    num_heads: int = 4
    embed_dim: Annotated[Size, below("hidden_size")] = 128
    bottleneck_size: Annotated[Size, multiple_of("num_heads")] = 128
    num_feed_forwards: Size = 4
    pooler: bool = False
    dropout: float = 0.0
    activation: str = "relu"
    pooling: Annotated[str, NO_POOLER] = "mean"

    @classmethod
    def for_signature(cls, signature: Signature, *, width: int | None = None, **overrides: Any):
        """As BERT's; blocks and table have half the width (a quarter would be too thin for small ones)."""
        width = width or 128
        heads = overrides.pop("num_heads", max(1, width // 32))
        half = -(-width // (2 * heads)) * heads
        usual = {"num_heads": heads, "hidden_size": 2 * half, "bottleneck_size": half, "embed_dim": half}
        return super().for_signature(signature, width=2 * half, **{**usual, **overrides})


class NoNorm(nn.Module):
    """g x + b: what is left of a normalisation without its statistics. Section 3.2.2."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))

    def forward(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B D"]:
        return x * self.weight + self.bias


class NoNormResidual(PostNorm):
    """g (x + Drop(f(x))) + b."""

    def __init__(self, width: int, dropout: float = 0.0) -> None:
        super().__init__(width, dropout)
        self.norm = NoNorm(width)


class Narrowed(nn.Module):
    """N(W x + b): from the width to the bottleneck."""

    def __init__(self, width: int, bottleneck: int) -> None:
        super().__init__()
        self.linear, self.norm = Linear(width, bottleneck), NoNorm(bottleneck)

    def forward(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "B T inner"]:
        return self.norm(self.linear(x))


class BottleneckAttention(Attention):
    """Attention within the bottleneck, whose values are of the full width. Section 3.1.

    Args:
        width: D of the values; ``bottleneck``: B of queries, keys and what comes out.
    """

    def __init__(self, width: int, bottleneck: int, num_heads: int, dropout: float = 0.0) -> None:
        super().__init__(bottleneck, num_heads, bias=True, dropout=dropout)
        self.queries_keys, self.values = Linear(bottleneck, 2 * bottleneck), Linear(width, bottleneck)

    def forward(
        self, shared: Float[Tensor, "B T inner"], x: Float[Tensor, "B T D"], visible: Visible = None
    ) -> Float[Tensor, "B T inner"]:
        queries, keys = self.queries_keys(shared).chunk(2, dim=-1)
        return self.attend(self.heads(queries), self.heads(keys), self.heads(self.values(x)), visible)

    def weights(
        self, shared: Float[Tensor, "B T inner"], x: Float[Tensor, "B T D"], visible: Tensor | None = None
    ) -> Float[Tensor, "B h T T"]:
        """The attention weights of the same arguments."""
        queries, keys = self.queries_keys(shared).chunk(2, dim=-1)
        return attention_weights(self.heads(queries), self.heads(keys), visible)


class BottleneckBlock(nn.Module):
    """Into the bottleneck, attention and several feed-forward nets there, and out again."""

    def __init__(self, config: MobileBertConfig) -> None:
        super().__init__()
        width, narrow = config.hidden_size, config.bottleneck_size
        inner = config.inner_size or 4 * narrow
        self.into, self.shared = Narrowed(width, narrow), Narrowed(width, narrow)
        self.attention = BottleneckAttention(width, narrow, config.num_heads, config.attention_dropout)
        self.around_attention = NoNormResidual(narrow)
        count = config.num_feed_forwards
        self.feed_forwards = nn.ModuleList(
            FeedForward(narrow, inner, config.activation) for _ in range(count)
        )
        self.around_feed_forwards = nn.ModuleList(NoNormResidual(narrow) for _ in range(count))
        self.out, self.around = Linear(narrow, width), NoNormResidual(width, config.dropout)

    def forward(self, x: Float[Tensor, "B T D"], visible: Visible = None) -> Float[Tensor, "B T D"]:
        shared = self.shared(x)
        a = self.around_attention(self.into(x), lambda _: self.attention(shared, x, visible))
        for around, feed_forward in zip(self.around_feed_forwards, self.feed_forwards, strict=True):
            a = around(a, feed_forward)
        return self.around(x, lambda _: self.out(a))


class TrigramEmbeddings(nn.Module):
    """Three words side by side, brought to the width, with position and segment. Section 3.2.1."""

    def __init__(self, config: MobileBertConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.separator, self.num_segments = config.separator, config.num_segments
        self.words = nn.Embedding(config.input_size, config.embed_dim)
        self.widen = Linear(3 * config.embed_dim, width)
        self.positions = Learned(width, config.num_positions)
        self.segments = nn.Embedding(config.num_segments, width) if config.num_segments else None
        self.norm, self.dropout = NoNorm(width), Dropout(config.dropout)

    def forward(
        self,
        tokens: Int[Tensor, "B T"],
        segments: Int[Tensor, "B T"] | None = None,
        inside: Bool[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, "B T D"]:
        """
        Args:
            inside: where there are tokens: beyond the ends of a text are zeros.
        """
        words = self.words(tokens)
        if inside is not None:
            words = words * inside[..., None].to(words.dtype)
        padded = nn.functional.pad(words, (0, 0, 1, 1))
        x = self.widen(torch.cat([padded[:, 2:], words, padded[:, :-2]], dim=-1))
        x = x + self.positions(0, tokens.shape[1])
        if self.segments is not None:
            if segments is None:
                separator = None if self.separator < 0 else self.separator
                segments = segments_of(tokens, separator, self.num_segments)
            x = x + self.segments(segments)
        return self.dropout(self.norm(x))


class WideMaskedLMHead(MaskedLMHead):
    """Logits by the narrow table of words, continued to the width by one that nothing else reads."""

    def __init__(self, width: int, embed_dim: int, num_words: int, activation: str, eps: float) -> None:
        super().__init__(width, width, num_words, activation, eps)
        self.rest = nn.Embedding(num_words, width - embed_dim)

    def forward(self, x, table):
        return super().forward(x, torch.cat([table, self.rest.weight], dim=1))


class MobileBert(Bert):
    """Embeddings of three words, thin blocks, and a head for the task."""

    config: MobileBertConfig

    def make_embeddings(self) -> nn.Module:
        return TrigramEmbeddings(self.config)

    def make_block(self) -> nn.Module:
        return BottleneckBlock(self.config)

    def pools(self) -> bool:
        return self.config.pooler and super().pools()

    def make_head(self) -> nn.Module:
        config = self.config
        if config.task != "masked-lm":
            return super().make_head()
        return WideMaskedLMHead(
            config.hidden_size, config.embed_dim, config.input_size, config.activation, config.norm_eps
        )

    def encode(self, tokens, lengths=None, segments=None):
        ragged = where_ragged(lengths, tokens)
        inside = None if ragged is None else visible_positions(ragged, tokens)
        return over_tokens(self.transform, self.blocks, self.embeddings(tokens, segments, inside), lengths)

    def summary(self, x, lengths):
        return x[:, 0] if self.pooler is None else self.pooler(x)

    def masked_lm(self, x, targets):
        if self.relation is None or targets is None:
            return super().masked_lm(x, targets)
        words = self.words(x[self.asked(targets)])
        return MaskedLMOutput(words, self.relation(self.summary(x, None)))
