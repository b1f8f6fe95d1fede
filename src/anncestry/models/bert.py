r"""BERT: an encoder that reads both sides of each token, pre-trained by predicting masked tokens.

Paper: J. Devlin, M.-W. Chang, K. Lee & K. Toutanova, "BERT: pre-training of deep bidirectional Transformers
for language understanding", 1810.04805 (2018).

    x = Drop(LN(E_word[token] + E_segment[segment] + E_position[position]))
    L times:  x = LN(x + Drop(MH(x, x)));  x = LN(x + Drop(W_2 gelu(W_1 x + b_1) + b_2))
    masked tokens:     softmax(LN(gelu(W_t x + b_t)) E_word^T + b)     at the positions of 15 % of the tokens
    next sentence:     softmax(W_n p + b_n),   p = tanh(W_p x_0 + b_p)

Differs from the Transformer: the encoder alone; learned positions; segments; biases in attention; GELU; it is
first trained on text of any kind and then, whole, on a task, for which only the last layer is new.

Departures from the paper: see the ledger of its entry on the timeline.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import torch
from torch import nn

from anncestry.arrays import Bool, Float, Int, Tensor
from anncestry.layers.attention.attention import SelfAttention
from anncestry.layers.attention.blocks import Block, FeedForward, PostNorm
from anncestry.layers.attention.packing import Visible, over_tokens
from anncestry.layers.attention.token_embeddings import TokenEmbeddings
from anncestry.layers.dropout import Dropout
from anncestry.layers.linear import LINEAR_ACTIVATIONS, Linear, TiedReadout
from anncestry.layers.seq2seq.encoder_decoder import visible_positions
from anncestry.protocols import IGNORED, MaskedLMOutput
from anncestry.rules import (
    Checked,
    Count,
    DerivedSize,
    Positive,
    Rate,
    Size,
    at_least,
    below,
    multiple_of,
    one_of,
    only,
    same_as,
    unless,
    where,
)
from anncestry.signature import Signature, Task

TASKS: tuple[str, ...] = ("masked-lm", "classification", "regression", "tagging", "span", "embedding")
POOLINGS = ("mean", "mean-sqrt", "weighted-mean", "first", "last", "max", "pooler")
NO_POOLER = one_of([pooling for pooling in POOLINGS if pooling != "pooler"], "there is no pooler")
DENSE = {"identity": nn.Identity(), "tanh": torch.tanh, "relu": torch.relu, "gelu": nn.functional.gelu,
         "sigmoid": torch.sigmoid}  # fmt: skip
"""What may stand behind the layer that brings vectors of texts to another size."""
OUTSIDE = -1e4  # the logit of padding as the start or end of an answer span: e to this is 0


@dataclass(frozen=True, kw_only=True)
class BertConfig(Checked):
    """Sizes and parts.

    Attributes:
        task: what is asked: ``masked-lm``, ``classification``, ``regression``, ``tagging``, ``span`` (where
            an answer span begins and ends) or ``embedding`` (a vector of each text).
        input_size: V, tokens.
        output_size: K, classes, values, tags or the vocabulary; 2 for a span, D for an embedding.
        hidden_size: D.
        num_layers: L.
        num_heads: h; D is a multiple of it.
        inner_size: F, hidden units of the feed-forward nets; 4 D where it is 0.
        embed_dim: E, features of the tables; D where it is 0.
        num_positions: the longest text, in tokens.
        num_segments: texts of one input that have a segment embedding of their own.
        separator: the token that ends a text; -1 where inputs are one text.
        num_relations: masked-lm: classes of the next-sentence (or sentence-order) prediction; 0 for none.
        dropout: of embeddings, of sub-layers and before the last layer.
        attention_dropout: of the attention weights.
        activation: of the feed-forward nets: ``gelu``, ``gelu-tanh``, ``relu`` or ``silu``.
        norm_eps: added to the variance by every normalisation.
        pooling: embedding: what becomes of the tokens' vectors: ``mean``; ``mean-sqrt``, their sum by the
            root of their number; ``weighted-mean``, the t-th one counted t times; the ``first``, the
            ``last``, the ``max`` of each feature, or the ``pooler``.
        dense_size: embedding: features of a linear layer behind the pooling; 0 for none.
        dense_activation: behind that layer.
        unit_length: embedding: whether vectors are brought to length 1.
        seq_len: T of a typical input; used for examples and costs, never as a limit.
    """

    task: Annotated[Task, one_of(TASKS)] = "masked-lm"
    input_size: Size
    output_size: Annotated[Size, where(same_as("input_size"), task="masked-lm")]
    hidden_size: Annotated[Size, multiple_of("num_heads")] = 768
    num_layers: Size = 12
    num_heads: Size = 12
    inner_size: DerivedSize = 0
    embed_dim: DerivedSize = 0
    num_positions: Size = 512
    num_segments: Count = 2
    separator: Annotated[int, at_least(-1, "-1 for none"), below("input_size", "it is a token")] = -1
    num_relations: Annotated[Count, unless(only(0), task="masked-lm")] = 0
    dropout: Rate = 0.1
    attention_dropout: Rate = 0.1
    activation: Annotated[str, one_of(LINEAR_ACTIVATIONS)] = "gelu"
    norm_eps: Positive = 1e-12
    pooling: Annotated[str, one_of(POOLINGS)] = "mean"
    dense_size: Annotated[Count, unless(only(0), task="embedding")] = 0
    dense_activation: Annotated[str, one_of(DENSE)] = "identity"
    unit_length: bool = False
    seq_len: Size = 128

    @classmethod
    def for_signature(cls, signature: Signature, *, width: int | None = None, **overrides: Any):
        """The config for a data set: two layers, ``width`` features (default: 128, with four heads), rounded
        up to a multiple of the heads."""
        width = width or 128
        num_heads = overrides.get("num_heads", max(1, width // 32))
        small = {"hidden_size": -(-width // num_heads) * num_heads, "num_layers": 2, "num_heads": num_heads}
        longest = max(512, signature.shape[0])
        return cls(**{**cls.sizes_of(signature), **small, "num_positions": longest, **overrides})

    @classmethod
    def sizes_of(cls, signature: Signature) -> dict[str, Any]:
        """The fields that a data set decides."""
        return {
            "task": signature.task,
            "input_size": signature.vocab_size,
            "output_size": signature.output_size,
            "seq_len": signature.shape[0],
            "separator": -1 if signature.separator is None else signature.separator,
            "num_relations": signature.num_relations,
        }

    @property
    def signature(self) -> Signature:
        """The learning problem this config is made for."""
        separator = None if self.separator < 0 else self.separator
        return Signature(
            self.task, "tokens", (self.seq_len,), self.output_size, self.input_size,
            separator=separator, num_relations=self.num_relations,
        )  # fmt: skip


class Pooler(nn.Module):
    """p = f(W x_0 + b): what stands for a whole input, from its first token.

    Args:
        width: D.
        activation: f.
        dropout: probability of zeroing a feature of x_0 (BERT has none).
    """

    def __init__(
        self, width: int, activation: Callable[[Tensor], Tensor] = torch.tanh, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.linear, self.dropout = Linear(width, width), Dropout(dropout)
        self.activation = activation

    def forward(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "B D"]:
        return self.activation(self.linear(self.dropout(x[:, 0])))


class MaskedLMHead(nn.Module):
    """Logits of the masked tokens: LN(f(W x + b)) E_word^T + b_word.

    Args:
        width: D.
        embed_dim: E of the table.
        num_words: V.
        activation: f.
        eps: of the normalisation.
    """

    def __init__(self, width: int, embed_dim: int, num_words: int, activation: str, eps: float) -> None:
        super().__init__()
        self.linear, self.norm = Linear(width, embed_dim), nn.LayerNorm(embed_dim, eps)
        self.activation = activation
        self.readout = TiedReadout(num_words, bias=True)

    def forward(self, x: Float[Tensor, "*B D"], table: Float[Tensor, "V E"]) -> Float[Tensor, "*B V"]:
        return self.readout(self.norm(self.linear(x, self.activation)), table)


def encoder_block(config: BertConfig) -> Block:
    """One of BERT's blocks."""
    width = config.hidden_size
    return Block(
        SelfAttention(width, config.num_heads, bias=True, dropout=config.attention_dropout),
        FeedForward(width, config.inner_size or 4 * width, config.activation),
        partial(PostNorm, width, config.dropout, config.norm_eps),
    )


class Bert(nn.Module):
    """Embeddings, blocks, and a head for the task."""

    first_position = 0
    """The row of the first token's position; the table has so many more."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = self.make_embeddings()
        self.blocks = self.make_blocks()
        self.pooler = self.make_pooler() if self.pools() else None
        self.dropout = Dropout(config.dropout)
        self.head = self.make_head()
        self.dense = Linear(config.hidden_size, config.dense_size) if config.dense_size else None
        self.relation = Linear(config.hidden_size, config.num_relations) if config.num_relations else None
        self.reset_parameters()

    def make_embeddings(self) -> nn.Module:
        """What is below the blocks."""
        config = self.config
        separator = None if config.separator < 0 else config.separator
        return TokenEmbeddings(
            config.input_size, config.hidden_size, config.num_positions + self.first_position,
            config.num_segments, separator, config.embed_dim, self.first_position, config.dropout,
            config.norm_eps,
        )  # fmt: skip

    def make_block(self) -> nn.Module:
        """One of the blocks."""
        return encoder_block(self.config)

    def make_blocks(self) -> nn.ModuleList:
        """All of them."""
        return nn.ModuleList(self.make_block() for _ in range(self.config.num_layers))

    def make_pooler(self) -> Pooler:
        """What stands for a whole input, for the tasks that ask for it."""
        return Pooler(self.config.hidden_size)

    def pools(self) -> bool:
        """Whether the task asks the pooler."""
        config = self.config
        if config.task == "masked-lm":
            return config.num_relations > 0
        if config.task == "embedding":
            return config.pooling == "pooler"
        return config.task in ("classification", "regression")

    def make_head(self) -> nn.Module:
        """What is above the blocks and the pooler."""
        config = self.config
        if config.task == "masked-lm":
            embed_dim = config.embed_dim or config.hidden_size
            return MaskedLMHead(
                config.hidden_size, embed_dim, config.input_size, config.activation, config.norm_eps
            )
        if config.task == "embedding":
            return nn.Identity()
        return Linear(config.hidden_size, config.output_size)

    def reset_parameters(self, part: nn.Module | None = None) -> None:
        """Matrices and tables from N(0, 0.02^2), cut at two deviations; biases at zero. Of a part, or all."""
        for module in (part or self).modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.trunc_normal_(module.weight, std=0.02, a=-0.04, b=0.04)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)

    @property
    def fills_in(self) -> bool:
        """Whether ``forward`` takes targets, to compute logits of the masked tokens alone."""
        return self.config.task == "masked-lm"

    def encode(
        self,
        tokens: Int[Tensor, "B T"],
        lengths: Int[Tensor, "B"] | None = None,
        segments: Int[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, "B T D"]:
        """The vectors of all tokens, behind the last block.

        Args:
            lengths: tokens of each text (default: all).
            segments: which of two texts each token belongs to (default: by the separators).

        Raises:
            UserError: a text is longer than ``num_positions``.
        """
        return over_tokens(self.transform, self.blocks, self.embeddings(tokens, segments), lengths)

    def transform(self, x: Float[Tensor, "B T D"], visible: Visible) -> Float[Tensor, "B T D"]:
        """All blocks, one after the other."""
        for block in self.blocks:
            x = block(x, visible)
        return x

    def forward(self, tokens, lengths=None, targets=None, segments=None):
        """The outputs of whole texts, (B, T) tokens.

        Args:
            lengths, segments: as for `encode`.
            targets: (B, T) masked-lm: logits only where they are not `IGNORED`; without them everywhere.

        Returns:
            (B, K) for classification and regression, (B, T, K) for tagging, (B, T, 2) for a span, (B, D) for
            an embedding; for masked-lm (B, T, V), or (M, V) of the M masked tokens, in a
            `MaskedLMOutput` where there are relations too.
        """
        x = self.encode(tokens, lengths, segments)
        task = self.config.task
        if task == "masked-lm":
            return self.masked_lm(x, targets)
        if task == "embedding":
            return self.pool(x, lengths)
        if task == "tagging":
            return self.head(self.dropout(x))
        if task == "span":
            return self.head(x).masked_fill(~visible_positions(lengths, tokens)[..., None], OUTSIDE)
        return self.head(self.dropout(self.summary(x, lengths)))

    def summary(self, x: Float[Tensor, "B T D"], lengths: Int[Tensor, "B"] | None) -> Float[Tensor, "B D"]:
        """What stands for a whole input, where it is put into a class or given a value."""
        return self.pooler(x)  # pyright: ignore[reportOptionalCall]

    def masked_lm(
        self, x: Float[Tensor, "B T D"], targets: Int[Tensor, "B T"] | None
    ) -> Tensor | MaskedLMOutput:
        """Logits of the masked tokens, and of the relation of two texts where that is asked."""
        if targets is None:
            words = self.words(x)
        else:
            words = self.words(x[self.asked(targets)])
        if self.relation is None or targets is None:
            return words
        return MaskedLMOutput(words, self.relation(self.pooler(x)))  # pyright: ignore[reportOptionalCall]

    def asked(self, targets: Int[Tensor, "B T"]) -> Bool[Tensor, "B T"]:
        """The masked tokens; the first position asks for the relation of two texts, if there are any."""
        asked = targets != IGNORED
        if self.config.num_relations:
            asked[:, 0] = False
        return asked

    def words(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B V"]:
        """Logits of the vocabulary at these positions."""
        return self.head(x, self.embeddings.words.weight)  # pyright: ignore

    def pool(self, x: Float[Tensor, "B T D"], lengths: Int[Tensor, "B"] | None) -> Float[Tensor, "B K"]:
        """One vector for each text."""
        if self.config.pooling == "pooler":
            pooled = self.pooler(x)  # pyright: ignore[reportOptionalCall]
        elif self.config.pooling == "first":
            pooled = x[:, 0]
        elif self.config.pooling == "max":
            inside = visible_positions(lengths, x[..., 0])
            pooled = x.masked_fill(~inside[..., None], -torch.inf).amax(1)
        elif self.config.pooling == "last":
            last = x.shape[1] - 1 if lengths is None else lengths - 1
            pooled = x[torch.arange(len(x), device=x.device), last]
        else:
            weights = visible_positions(lengths, x[..., 0]).to(x.dtype)
            if self.config.pooling == "weighted-mean":
                weights = weights * torch.arange(1, x.shape[1] + 1, device=x.device, dtype=x.dtype)
            total = weights.sum(1, keepdim=True)
            total = total.sqrt() if self.config.pooling == "mean-sqrt" else total
            pooled = torch.einsum("ntd,nt->nd", x, weights) / total
        if self.dense is not None:
            pooled = DENSE[self.config.dense_activation](self.dense(pooled))
        return nn.functional.normalize(pooled, dim=-1) if self.config.unit_length else pooled
