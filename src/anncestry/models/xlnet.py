r"""XLNet: words are predicted one after the other, in an order that is drawn anew each time.

Paper: Z. Yang, Z. Dai, Y. Yang, J. Carbonell, R. Salakhutdinov & Q. V. Le, "XLNet: generalized autoregressive
pretraining for language understanding", 1906.08237 (2019).

    order z:    max E_z [ sum_t log p(x_z(t) | x_z(<t)) ]    t: the last sixth (equation 3)
    content:    h_z(t) = Att(Q = h_z(t), KV = h_z(<=t))       h = E[x] at first    (section 2.3)
    query:      g_z(t) = Att(Q = g_z(t), KV = h_z(<t))        g = w at first: knows its position, not its word
    p(x_z(t) | x_z(<t)) = softmax(E g_z(t) + b)                                    (equation 4)

Differs from BERT: no word is replaced by a mask, and a predicted word sees those predicted before it.
Positions are known by their distances (Transformer-XL), texts by being the same or not; queries, keys and
values have no biases; what stands for a text is its last token.

Departures from the paper: see the ledger of its entry on the timeline.
"""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, NamedTuple

import torch
from torch import nn

from anncestry.arrays import Bool, Float, Int, Tensor
from anncestry.layers.attention.blocks import Block, FeedForward, PostNorm
from anncestry.layers.attention.relative_attention import Distances, RelativeAttention
from anncestry.layers.attention.token_embeddings import segments_of
from anncestry.layers.dropout import Dropout
from anncestry.layers.linear import TiedReadout
from anncestry.layers.seq2seq.encoder_decoder import visible_positions, where_ragged
from anncestry.models.bert import Bert, BertConfig
from anncestry.protocols import IGNORED
from anncestry.rules import multiple_of, only, relation

NUM_TEXTS = 3  # the first, the second, and the token behind both


OF_FULL_WIDTH = relation(
    lambda c: c.embed_dim in (0, c.hidden_size), "must be 0 or hidden_size, {hidden_size}"
)


@dataclass(frozen=True, kw_only=True)
class XLNetConfig(BertConfig):
    """Sizes and parts: those of `anncestry.models.bert.BertConfig`.

    There are no positions: ``num_positions`` limits nothing. Two texts of an input are distinguished where
    there is a ``separator``; ``num_segments`` and ``num_relations`` have no meaning here.
    """

    hidden_size: Annotated[int, multiple_of(2)] = 768
    embed_dim: Annotated[int, OF_FULL_WIDTH] = 0
    num_relations: Annotated[int, only(0, "XLNet is not asked how two texts follow each other")] = 0

    @classmethod
    def for_signature(cls, signature, *, width=None, **overrides):
        """As BERT's, with an even width."""
        width = width or 128
        num_heads = overrides.pop("num_heads", max(1, width // 32))
        even = -(-width // (2 * num_heads)) * 2 * num_heads
        return super().for_signature(signature, width=even, num_heads=num_heads, **overrides)


class Words(nn.Module):
    """Drop(E[token]): neither positions nor segments are added."""

    def __init__(self, num_words: int, width: int, dropout: float) -> None:
        super().__init__()
        self.words, self.dropout = nn.Embedding(num_words, width), Dropout(dropout)

    def forward(self, tokens: Int[Tensor, "B T"], segments: Tensor | None = None) -> Float[Tensor, "B T D"]:
        return self.dropout(self.words(tokens))


class Seen(NamedTuple):
    """What all layers attend to in the same way.

    Attributes:
        distances: (P, D).
        other_text: (B, T, S) 1 between two texts; None where all is one text.
    """

    distances: Tensor
    other_text: Tensor | None


class XLNetBlock(Block):
    """A layer for both streams: the same weights serve contents and queries."""

    attention: RelativeAttention  # pyright: ignore[reportIncompatibleVariableOverride]

    def look_up(self, h: Float[Tensor, "B T D"], memory: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Keys and values of the contents, and of those that are remembered."""
        return self.attention.look_up(h if memory is None else torch.cat([memory, h], dim=1))

    def forward(self, x, looked_up, seen, visible=None):  # pyright: ignore[reportIncompatibleMethodOverride]
        """One stream, which attends to the contents as far as they are ``visible``."""
        x = self.around_attention(
            x, lambda x: self.attention(x, *looked_up, seen.distances, visible, seen.other_text)
        )
        return self.around_feed_forward(x, self.feed_forward)


class XLNet(Bert):
    """Words, blocks of two streams, and a head for the task."""

    config: XLNetConfig

    def __init__(self, config: XLNetConfig) -> None:
        super().__init__(config)
        self.distances = Distances(config.hidden_size)
        # A fine-tuned net does not ask w, and keeps it: its files have it.
        asks = config.task == "masked-lm"
        self.asking = nn.Parameter(0.02 * torch.randn(config.hidden_size), requires_grad=asks)  # w

    def make_embeddings(self) -> nn.Module:
        return Words(self.config.input_size, self.config.hidden_size, self.config.dropout)

    def make_block(self) -> nn.Module:
        config, width = self.config, self.config.hidden_size
        return XLNetBlock(
            RelativeAttention(width, config.num_heads, config.separator >= 0, config.attention_dropout),  # pyright: ignore[reportArgumentType]
            FeedForward(width, config.inner_size or 4 * width, config.activation, config.dropout),
            partial(PostNorm, width, config.dropout, config.norm_eps),
        )

    def make_head(self) -> nn.Module:
        if self.config.task == "masked-lm":
            return TiedReadout(self.config.input_size, bias=True)
        return super().make_head()

    def reset_parameters(self, part=None) -> None:
        """Matrices, tables and biases of attention logits from N(0, 0.02^2); other biases at zero."""
        super().reset_parameters(part)
        for module in (part or self).modules():
            if isinstance(module, RelativeAttention):
                for parameter in module.parameters(recurse=False):
                    nn.init.normal_(parameter, std=0.02)

    def encode(self, tokens, lengths=None, segments=None):
        return self.remember(tokens, (), lengths, segments)[0]

    def remember(
        self,
        tokens: Int[Tensor, "B T"],
        memory: tuple[Float[Tensor, "B M D"], ...] = (),
        lengths: Int[Tensor, "B"] | None = None,
        segments: Int[Tensor, "B T"] | None = None,
    ) -> tuple[Float[Tensor, "B T D"], tuple[Tensor, ...]]:
        """The vectors of all tokens, each of which sees all others; and what went into every block.

        Args:
            memory: what went into every block before, of the part of the text in front of this one, which
                these tokens see too. No gradient goes there (section 2.4).
        """
        visible = self.inside(tokens, lengths)
        if memory and visible is not None:
            visible = torch.cat([visible.new_ones(len(tokens), 1, 1, memory[0].shape[1]), visible], dim=3)
        seen = self.seen(tokens, segments, memory[0].shape[1] if memory else 0)
        h, inputs = self.embeddings(tokens), []
        for layer, block in enumerate(self.blocks):
            inputs.append(h.detach())
            looked_up = block.look_up(h, memory[layer] if memory else None)  # pyright: ignore
            h = block(h, looked_up, seen, visible)
        return self.dropout(h), tuple(inputs)

    def inside(self, tokens: Tensor, lengths: Tensor | None) -> Bool[Tensor, "B 1 1 T"] | None:
        """Where there are tokens; None where there is no padding."""
        ragged = where_ragged(lengths, tokens)
        return None if ragged is None else visible_positions(ragged, tokens)[:, None, None]

    def seen(self, tokens: Int[Tensor, "B T"], segments: Tensor | None, remembered: int = 0) -> Seen:
        """Distances, and which two tokens are of the same text; what is remembered is of the first."""
        num_keys = remembered + tokens.shape[1]
        distances = self.dropout(self.distances(tokens.shape[1], num_keys))
        if self.config.separator < 0:
            return Seen(distances, None)
        if segments is None:
            segments = segments_of(tokens, self.config.separator, NUM_TEXTS)
        of_keys = nn.functional.pad(segments, (remembered, 0))
        return Seen(distances, (segments[:, :, None] != of_keys[:, None]).long())

    def forward(self, tokens, lengths=None, targets=None, segments=None):
        """The outputs of whole texts, (B, T) tokens.

        Args:
            lengths, segments: as for `encode`.
            targets: (B, T) masked-lm: where they are not `IGNORED` a word is predicted, though the tokens
                still show it: all other words are given, and the predicted ones follow each other in an order
                that is drawn in training, and that of reading otherwise.

        Returns:
            As `anncestry.models.bert.Bert.forward`. Without targets every word is predicted from all others
            (B, T, V), which takes a pass for each position.
        """
        if self.config.task != "masked-lm":
            return super().forward(tokens, lengths, None, segments)
        if targets is None:
            return self.each_from_all_others(tokens, lengths, segments)
        predicted = targets != IGNORED
        if self.training:
            turn = torch.rand(tokens.shape, device=tokens.device)
        else:
            turn = torch.arange(tokens.shape[1], device=tokens.device).expand_as(tokens)
        g = self.two_streams(tokens, predicted, turn, lengths, segments)
        return self.words(g[predicted])

    def two_streams(
        self,
        tokens: Int[Tensor, "B T"],
        predicted: Bool[Tensor, "B T"],
        turn: Tensor,
        lengths: Int[Tensor, "B"] | None = None,
        segments: Int[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, "B T D"]:
        """The query stream behind the last block; it means something at predicted positions alone.

        Args:
            predicted: which words are predicted: those before them in the order do not see them.
            turn: (B, T) numbers, the smaller the earlier in the order; the words that are not predicted come
                first, all at once.
        """
        turn = torch.where(predicted, turn.to(torch.float32), -1.0)
        given = ~predicted[:, None]  # sees and is seen
        before = (turn[:, None] < turn[:, :, None]) | given  # (B, queries, keys)
        own = torch.eye(tokens.shape[1], dtype=torch.bool, device=tokens.device)
        inside = self.inside(tokens, lengths)
        before, up_to = before[:, None], (before | own)[:, None]
        if inside is not None:
            before, up_to = before & inside, up_to & inside
        seen, h = self.seen(tokens, segments), self.embeddings(tokens)
        g = self.dropout(self.asking.expand_as(h))
        for block in self.blocks:
            looked_up = block.look_up(h)  # pyright: ignore[reportCallIssue]
            g, h = block(g, looked_up, seen, before), block(h, looked_up, seen, up_to)
        return self.dropout(g)

    def each_from_all_others(self, tokens, lengths=None, segments=None) -> Float[Tensor, "B T V"]:
        """Logits of the word at each position from all other words: each position has a pass in which it
        alone is predicted."""
        count, length = tokens.shape
        every = torch.eye(length, dtype=torch.bool, device=tokens.device).repeat(count, 1)  # (B T, T)

        def repeated(rows: Tensor | None) -> Tensor | None:
            return None if rows is None else rows.repeat_interleave(length, dim=0)

        turn = torch.zeros_like(every, dtype=torch.float32)
        of_rows = repeated(tokens), every, turn, repeated(lengths), repeated(segments)
        g = self.two_streams(*of_rows)  # pyright: ignore[reportArgumentType]
        return self.words(g.unflatten(0, (count, length)).diagonal(dim1=1, dim2=2).transpose(1, 2))

    def summary(self, x, lengths):
        """tanh(W h + b) of the last token."""
        rows = torch.arange(x.shape[0], device=x.device)
        last = x[:, -1] if lengths is None else x[rows, lengths - 1]
        return self.pooler(last[:, None])  # pyright: ignore[reportOptionalCall]
