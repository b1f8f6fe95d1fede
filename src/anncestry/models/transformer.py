r"""The Transformer: an encoder and a decoder of attention alone, without recurrence.

Paper: A. Vaswani, N. Shazeer, N. Parmar, J. Uszkoreit, L. Jones, A. Gomez, L. Kaiser & I. Polosukhin,
"Attention is all you need", 1706.03762 (2017).

    x = Drop(sqrt(d) E[token] + PE[position])
    encoder, L times:  x = LN(x + Drop(MH(x, x)));                          x = LN(x + Drop(FFN(x)))
    decoder, L times:  x = LN(x + Drop(MH(x, x up to here)));
                       x = LN(x + Drop(MH(x, encoder's output)));           x = LN(x + Drop(FFN(x)))
    p(y_t) = softmax(E x_t)

Differs from attention over a recurrent net: nothing is passed on from step to step, so all positions of a
known target are learnt at once; the order of tokens is in their position vectors alone; attention has several
heads.

Departures from the paper: see the ledger of its entry on the timeline.
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, NamedTuple

from torch import nn

from anncestry.arrays import Bool, Float, Int, Tensor
from anncestry.layers.attention.attention import Attention, CrossAttention, SelfAttention
from anncestry.layers.attention.blocks import Block, DecoderBlock, FeedForward, PostNorm, PreNorm
from anncestry.layers.attention.key_value_cache import KeyValueCache
from anncestry.layers.attention.packing import Visible, over_tokens
from anncestry.layers.attention.positions import LAYOUTS, Learned, Sinusoidal
from anncestry.layers.dropout import Dropout
from anncestry.layers.linear import LINEAR_ACTIVATIONS, Linear, TiedReadout
from anncestry.layers.seq2seq.alignment import side_by_side
from anncestry.layers.seq2seq.encoder_decoder import (
    DecoderNetwork,
    EncoderDecoderConfig,
    visible_positions,
    where_ragged,
)
from anncestry.protocols import Memory
from anncestry.rules import (
    Count,
    DerivedSize,
    Positive,
    Rate,
    Size,
    multiple_of,
    one_of,
    relation,
    unless,
    where,
)
from anncestry.signature import Signature

NORMS = ("post", "pre")
TIES = ("all", "output", "none")
EVEN_FOR_SINUSOIDS = unless(multiple_of(2), positions="learned")
ONE_VOCABULARY = relation(
    lambda c: c.tie != "all" or c.input_size == c.output_size,
    "needs one vocabulary (`joint`), and they have {input_size} and {output_size} words",
)


@dataclass(frozen=True, kw_only=True)
class TransformerConfig(EncoderDecoderConfig):
    """Sizes and parts.

    Attributes:
        hidden_size: d, the width.
        num_layers: L, of the encoder, and of the decoder where ``decoder_layers`` is 0.
        decoder_layers: of the decoder; as many where it is 0.
        num_heads: h.
        head_size: d_k, of queries, keys and values; d / h where it is 0.
        inner_size: f, hidden units of the feed-forward nets; 4 d where it is 0.
        norm: ``post`` as in the paper; ``pre`` normalises what goes into a sub-layer, and the end of a stack.
        last_norm: whether the end of a stack is normalised behind ``post`` too, as by torch.nn.Transformer.
        positions: ``interleaved`` sinusoids as in the paper, ``concatenated``, ``tensor2tensor``'s, or
            ``learned`` ones (`anncestry.layers.attention.positions`).
        first_position: the number of the first sinusoid.
        num_positions: how many are learned; no text is longer than that.
        tie: ``all``: one table embeds source and target and is the readout's matrix, for one vocabulary;
            ``output``: one for target and readout; ``none``.
        scale_embeddings: whether embeddings are multiplied by sqrt(d).
        attention_bias: whether queries, keys, values and outputs of heads have biases.
        output_bias: whether the logits have.
        activation: of the feed-forward nets: ``relu``, ``gelu`` or ``silu``.
        attention_dropout, inner_dropout: of the attention weights, and of the hidden units.
        norm_eps: added to the variance by every normalisation.
    """

    hidden_size: Annotated[Size, where(multiple_of("num_heads"), head_size=0), EVEN_FOR_SINUSOIDS]
    num_layers: Size = 6
    decoder_layers: DerivedSize = 0
    num_heads: Size = 8
    head_size: DerivedSize = 0
    inner_size: DerivedSize = 0
    dropout: float = 0.1
    norm: Annotated[str, one_of(NORMS)] = "post"
    last_norm: bool = False
    positions: Annotated[str, one_of((*LAYOUTS, "learned"))] = "interleaved"
    first_position: Count = 0
    num_positions: Size = 512
    tie: Annotated[str, one_of(TIES), ONE_VOCABULARY] = "output"
    scale_embeddings: bool = True
    attention_bias: bool = False
    output_bias: bool = False
    activation: Annotated[str, one_of(LINEAR_ACTIVATIONS)] = "relu"
    attention_dropout: Rate = 0.0
    inner_dropout: Rate = 0.0
    norm_eps: Positive = 1e-6

    @classmethod
    def for_signature(cls, signature: Signature, *, width: int | None = None, **overrides: Any):
        """The config for a data set: two layers, four heads; ``width`` (default: 128) is made even."""
        hidden_size = (width or 128) + (width or 128) % 2
        small = {"num_layers": 2, "num_heads": 4, "head_size": -(-hidden_size // 4)}
        if "num_heads" in overrides or "hidden_size" in overrides:
            small["head_size"] = 0
        return cls(**{**cls.sizes_of(signature), "hidden_size": hidden_size, **small, **overrides})


class TransformerSource(NamedTuple):
    """What the decoder attends to: a row for each source."""

    layers: tuple[tuple[Float[Tensor, "N h S d"], Float[Tensor, "N h S d"]], ...]  # keys and values
    visible: Bool[Tensor, "N 1 1 S"]


class TransformerState(NamedTuple):
    """Keys and values of the tokens so far, the last step's queries, and the source."""

    cache: KeyValueCache
    asked: Float[Tensor, "R D"]
    memory: Memory


class Transformer(DecoderNetwork):
    """An encoder, and a decoder that attends to its output."""

    config: TransformerConfig

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__(config)
        width, bias = config.hidden_size, config.attention_bias
        residual = partial(
            PreNorm if config.norm == "pre" else PostNorm, width, config.dropout, config.norm_eps
        )
        heads = (width, config.num_heads, config.head_size, bias, config.attention_dropout)

        def feed_forward() -> FeedForward:
            inner_size = config.inner_size or 4 * width
            return FeedForward(width, inner_size, config.activation, config.inner_dropout)

        self.source_embedding = None if config.tie == "all" else nn.Embedding(config.input_size, width)
        self.embedding = nn.Embedding(config.output_size, width)
        self.source_positions, self.positions = self._positions(), self._positions()
        self.dropout = Dropout(config.dropout)
        self.encoder = nn.ModuleList(
            Block(SelfAttention(*heads), feed_forward(), residual) for _ in range(config.num_layers)
        )
        self.decoder = nn.ModuleList(
            DecoderBlock(SelfAttention(*heads), CrossAttention(*heads), feed_forward(), residual)
            for _ in range(config.decoder_layers or config.num_layers)
        )
        last = config.norm == "pre" or config.last_norm
        self.encoder_norm = nn.LayerNorm(width, config.norm_eps) if last else nn.Identity()
        self.decoder_norm = nn.LayerNorm(width, config.norm_eps) if last else nn.Identity()
        if config.tie == "none":
            self.readout: Linear | TiedReadout = Linear(width, config.output_size, config.output_bias)
        else:
            self.readout = TiedReadout(config.output_size, config.output_bias)
        self.reset_parameters()

    def _positions(self) -> Sinusoidal | Learned:
        config = self.config
        if config.positions == "learned":
            return Learned(config.hidden_size, config.num_positions)
        return Sinusoidal(config.hidden_size, config.positions, config.first_position)

    def reset_parameters(self) -> None:
        """Matrices as Glorot & Bengio (2010) start them; embeddings N(0, 1/d), of unit variance once scaled;
        biases at zero."""
        scale = self.config.hidden_size**-0.5
        for module in self.modules():
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=scale)
            elif isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for module in self.modules():  # what is projected together starts as matrices of their own
            if isinstance(module, Attention):
                module.reset_parameters()
        if isinstance(self.readout, Linear):
            nn.init.normal_(self.readout.weight, std=scale)

    def embed_tokens(
        self, embedding: nn.Embedding, positions: nn.Module, tokens: Int[Tensor, "N T"], start: int = 0
    ) -> Float[Tensor, "N T D"]:
        """What goes into the first layer, of tokens from position ``start`` on."""
        embedded = embedding(tokens)
        if self.config.scale_embeddings:
            embedded = embedded * math.sqrt(self.config.hidden_size)
        return self.dropout(embedded + positions(start, tokens.shape[1]))

    def logits(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B V"]:
        """Of every word, behind the decoder's last layer."""
        x = self.decoder_norm(x)
        return self.readout(x) if isinstance(self.readout, Linear) else self.readout(x, self.embedding.weight)

    def read(
        self, source: Int[Tensor, "N S"], lengths: Int[Tensor, "N"] | None = None
    ) -> Float[Tensor, "N S D"]:
        """The encoder's output."""
        x = self.embed_tokens(self.source_embedding or self.embedding, self.source_positions, source)
        return over_tokens(self.transform, self.encoder, x, lengths)

    def transform(self, x: Float[Tensor, "N S D"], visible: Visible) -> Float[Tensor, "N S D"]:
        """The encoder's layers, one after the other."""
        for block in self.encoder:
            x = block(x, visible)
        return self.encoder_norm(x)

    def encode(self, source: Int[Tensor, "B S"], lengths: Int[Tensor, "B"] | None = None) -> TransformerState:
        visible = visible_positions(where_ragged(lengths, source), source)[:, None, None]
        memory = self.read(source, lengths)
        layers = tuple(block.look_up(memory) for block in self.decoder)  # pyright: ignore
        first: SelfAttention = self.decoder[0].attention  # pyright: ignore
        cache = KeyValueCache.empty(len(self.decoder), first.num_heads, first.head_size, memory)
        return TransformerState(cache, memory[:, 0], Memory(TransformerSource(layers, visible)))

    def step(self, x_t, state):
        source, beam = state.memory.parts, len(x_t) // state.cache.num_sources
        cache = state.cache.extended(len(x_t))
        x = self.embed_tokens(self.embedding, self.positions, x_t.unsqueeze(1), state.cache.length)
        x = side_by_side(x.squeeze(1), len(x_t) // beam)  # (N, k, D)
        shown = state.asked
        for layer, (block, (keys, values)) in enumerate(zip(self.decoder, source.layers, strict=True)):
            x, asked = block(x, keys, values, source.visible, cache, layer)
            if layer == self._shown:
                shown = asked.flatten(0, 1)
        return self.logits(x.flatten(0, 1)), TransformerState(cache, shown, state.memory)

    def must_step(self):
        """Never: all tokens at once are no loop, and pass no module by."""
        return False

    def teacher_force(self, tokens, state):
        source = state.memory.parts
        x = self.embed_tokens(self.embedding, self.positions, tokens)
        for block, (keys, values) in zip(self.decoder, source.layers, strict=True):
            x, _ = block(x, keys, values, source.visible)
        return self.logits(x)

    @property
    def _shown(self) -> int:
        """The layer whose heads are shown as an alignment: the last but one, whose heads agree best with
        people's alignments (Garg et al., 1909.02074, section 4)."""
        return max(0, len(self.decoder) - 2)

    def alignment(self, state):
        source = state.memory.parts
        asked = side_by_side(state.asked, state.cache.num_sources)
        keys, _ = source.layers[self._shown]
        weights = self.decoder[self._shown].cross_attention_weights(asked, keys, source.visible)  # pyright: ignore
        return weights.mean(1).flatten(0, 1)
