r"""GPT: the Transformer's decoder alone, pre-trained as a language model and then fine-tuned on a task.

Paper: A. Radford, K. Narasimhan, T. Salimans & I. Sutskever, "Improving language understanding by generative
pre-training" (2018).

    x = Drop(E[token] + P[position])
    N times:  x = LN(x + Drop(MH(x, x up to here)));    x = LN(x + Drop(W2 gelu(W1 x + b1) + b2))
    a language model:  p(next token) = softmax(E x_t)
    a task's head:     y = W Drop(x_last) + b, of the last token that is no padding

Differs from the Transformer: there is no encoder, and so no attention to one; positions are learnt; the
feed-forward nets have Gaussian error linear units; projections of the attention have biases.

A text has at most as many tokens as there are positions. Training and scoring read each window of it by
itself, from position 0 on: only recurrent nets carry a state from window to window. Generating beyond the
last position drops the older half of what was read: the newer half is read again, from position 0 on.

Departures from the paper: see the ledger of its entry on the timeline.
"""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, NamedTuple

import torch
from torch import nn

from anncestry.arrays import Float, Int, Tensor
from anncestry.layers.attention.attention import SelfAttention
from anncestry.layers.attention.blocks import Block, FeedForward, PostNorm
from anncestry.layers.attention.key_value_cache import KeyValueCache
from anncestry.layers.attention.positions import Learned
from anncestry.layers.dropout import Dropout
from anncestry.layers.linear import LINEAR_ACTIVATIONS, Linear, TiedReadout
from anncestry.layers.seq2seq.alignment import side_by_side
from anncestry.protocols import WithAuxiliaryLM
from anncestry.rules import (
    Checked,
    DerivedSize,
    NotNegative,
    Positive,
    Rate,
    Size,
    at_most,
    multiple_of,
    one_of,
    same_as,
    where,
)
from anncestry.signature import Signature, Task

TASKS = ("language-model", "classification", "regression")
ONE_EACH = "a text (or a `window` of it) has a position for each token"
INIT = 0.02  # the deviation of all weights at the start
POSITIONS = 512  # of a model for a task of whole texts, where nothing else is said


@dataclass(frozen=True, kw_only=True)
class GPTConfig(Checked):
    """Sizes.

    Attributes:
        task: ``language-model``, ``classification`` or ``regression``.
        input_size: V, tokens.
        output_size: V for a language model, else classes or target values.
        hidden_size: d, the width.
        num_layers: N.
        num_heads: h; d is a multiple of it.
        inner_size: f, hidden units of the feed-forward nets; 4 d where it is 0.
        num_positions: of the learned table; no text that is read at once is longer.
        seq_len: T of a typical input; for a language model the window it learns from.
        tie_embeddings: whether the readout's matrix is the embedding's table.
        activation: of the feed-forward nets: ``gelu-tanh`` as published, ``gelu``, ``relu`` or ``silu``.
        dropout: of what a sub-layer adds.
        embedding_dropout: of the sums of embeddings and positions.
        attention_dropout: of the attention weights.
        answer_dropout: of the features that the head of a task reads.
        text_weight: lambda, the weight of the auxiliary language-modelling loss on a task's texts: 0.5 in
            the paper, 0 for none.
        norm_eps: added to the variance by every normalisation.
    """

    task: Annotated[Task, one_of(TASKS, "must be a task of this decoder")] = "language-model"
    input_size: Size
    output_size: Annotated[Size, where(same_as("input_size"), task="language-model")]
    hidden_size: Annotated[Size, multiple_of("num_heads")]
    num_layers: Size = 12
    num_heads: Size = 12
    inner_size: DerivedSize = 0
    num_positions: Size = 512
    seq_len: Annotated[Size, at_most("num_positions", ONE_EACH)] = 512
    tie_embeddings: bool = True
    activation: Annotated[str, one_of(LINEAR_ACTIVATIONS)] = "gelu-tanh"
    dropout: Rate = 0.1
    embedding_dropout: Rate = 0.1
    attention_dropout: Rate = 0.1
    answer_dropout: Rate = 0.1
    text_weight: NotNegative = 0.0
    norm_eps: Positive = 1e-5

    @classmethod
    def for_signature(cls, signature: Signature, *, width: int | None = None, **overrides: Any):
        """The config for a data set: four layers, four heads, ``width`` features (default: 128), made a
        multiple of the heads. A language model has a position for each token of a window: others would never
        be learnt."""
        length = signature.shape[0]
        generates = signature.task == "language-model"
        fields = {
            "task": signature.task,
            "input_size": signature.vocab_size,
            "output_size": signature.output_size,
            "hidden_size": -(-(width or 128) // 4) * 4,
            "num_layers": 4,
            "num_heads": 4,
            "num_positions": length if generates else max(length, POSITIONS),
            "seq_len": length,
        }
        return cls(**{**fields, **overrides})

    @property
    def signature(self) -> Signature:
        """The learning problem this config is made for."""
        return Signature(self.task, "tokens", (self.seq_len,), self.output_size, self.input_size)


class GPTState(NamedTuple):
    """What was read: as attention sees it, and as tokens (R, P), to be read again where positions run out."""

    cache: KeyValueCache
    tokens: Int[Tensor, "R P"]


class GPT(nn.Module):
    """``forward(tokens, state=None, lengths=None) -> (outputs, state)``.

    Outputs are logits (B, T, V) of the token that follows each, or (B, K) from the last token.

    A state is kept in evaluation, where rows are of equal length; in training it is None.
    """

    around: type[PostNorm] = PostNorm
    """What stands around each sub-layer."""
    reads_windows_apart = True

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config = config
        width = config.hidden_size
        residual = partial(self.around, width, config.dropout, config.norm_eps)
        self.embedding = nn.Embedding(config.input_size, width)
        self.positions = Learned(width, config.num_positions)
        self.dropout = Dropout(config.embedding_dropout)
        self.blocks: Any = nn.ModuleList(
            Block(
                SelfAttention(width, config.num_heads, bias=True, dropout=config.attention_dropout),
                FeedForward(width, config.inner_size or 4 * width, config.activation),
                residual,
            )
            for _ in range(config.num_layers)
        )
        self.norm = self.last_norm()
        if config.task == "language-model" or config.text_weight:
            tied = config.tie_embeddings
            self.readout = TiedReadout(config.input_size) if tied else Linear(width, config.input_size, False)
        if config.task != "language-model":
            self.answer = TaskHead(width, config.output_size, config.answer_dropout)
        self.reset_parameters()

    def last_norm(self) -> nn.Module:
        """What stands behind the last layer: nothing, as the layer ends with a normalisation."""
        return nn.Identity()

    def reset_parameters(self) -> None:
        """Weights and embeddings N(0, 0.02^2), biases at zero."""
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=INIT)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)

    def embed_tokens(self, tokens: Int[Tensor, "N T"], start: int = 0) -> Float[Tensor, "N T D"]:
        """What goes into the first layer, of tokens from position ``start`` on.

        Raises:
            UserError: there are not as many positions.
        """
        return self.dropout(self.embedding(tokens) + self.positions(start, tokens.shape[1]))

    def read(self, tokens: Int[Tensor, "N T"]) -> Float[Tensor, "N T D"]:
        """The features of every token; nothing is kept for later ones."""
        x = self.embed_tokens(tokens)
        for block in self.blocks:
            x = block(x, causal=True)
        return self.norm(x)

    def read_on(
        self, tokens: Int[Tensor, "N T"], state: GPTState | None = None
    ) -> tuple[Float[Tensor, "N T D"], GPTState]:
        """The features of tokens behind those that were read, in one pass, and the state behind them."""
        before = 0 if state is None else state.cache.length
        x = self.embed_tokens(tokens, before)
        if state is None:
            state = self._nothing(x, tokens.shape[1])
        cache = state.cache.extended(*tokens.shape)
        for layer, block in enumerate(self.blocks):
            x = block(x, cache=cache, layer=layer)
        return self.norm(x), GPTState(cache, torch.cat([state.tokens, tokens], dim=1))

    def logits(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B V"]:
        """Of every token, to be the next one."""
        return self.readout(x) if isinstance(self.readout, Linear) else self.readout(x, self.embedding.weight)

    def forward(
        self,
        x: Int[Tensor, "B T"],
        state: GPTState | None = None,
        lengths: Int[Tensor, "B"] | None = None,
    ):
        """The outputs of whole texts, and the state behind them.

        Args:
            x: tokens.
            state: behind what was read before; None where nothing was.
            lengths: tokens of each text (default: all).

        Returns:
            ``(outputs, state)``: outputs (B, T, K) of a language model, else (B, K), at the last token; in
            training `WithAuxiliaryLM` where the text is learnt too. The state is None in training and with
            ``lengths``.
        """
        exported = torch.compiler.is_exporting()
        if state is None and (self.training or lengths is not None or exported):
            features = self.read(x)
        else:
            features, state = self.read_on(x, state)
            state = None if self.training or lengths is not None else state
        if self.config.task == "language-model":
            return self.logits(features), state
        output = self.answer(last_of(features, lengths))
        if self.training and self.config.text_weight:
            return WithAuxiliaryLM(output, self.logits(features), x, lengths, self.config.text_weight), None
        return output, state

    def initial_state(self, batch_size: int) -> GPTState:
        """The state of B texts of which nothing was read yet."""
        return self._nothing(self.embedding.weight.new_empty(batch_size, 1))

    def _nothing(self, like: Float[Tensor, "N ..."], length: int = 0) -> GPTState:
        first: SelfAttention = self.blocks[0].attention
        sizes = (len(self.blocks), first.num_heads, first.head_size)
        cache = KeyValueCache.empty(*sizes, like, min(length + 32, self.config.num_positions))
        return GPTState(cache, torch.empty(len(like), 0, dtype=torch.long, device=like.device))

    def after(self, tokens: Int[Tensor, "N T"]) -> tuple[Float[Tensor, "N K"], GPTState]:
        """What `forward` gives for the last token, and the state; no logits of the others are computed."""
        features, state = self.read_on(tokens)
        return self._out(features[:, -1]), state

    def step(self, x_t: Int[Tensor, "R"], state: GPTState) -> tuple[Float[Tensor, "R K"], GPTState]:
        """One token of each row: logits of the token that follows it, or the outputs so far.

        Several rows may follow one text (`anncestry.layers.attention.key_value_cache`). Without a position
        left, the older half is dropped.
        """
        if state.cache.length == self.config.num_positions:
            return self._read_again(x_t, state)
        cache = state.cache.extended(len(x_t))
        x = self.embed_tokens(x_t.unsqueeze(1), state.cache.length)
        x = side_by_side(x.squeeze(1), cache.num_sources)  # (N, k, D)
        for layer, block in enumerate(self.blocks):
            x = block(x, cache=cache, layer=layer)
        tokens = torch.cat([state.tokens, x_t.unsqueeze(1)], dim=1)
        return self._out(self.norm(x).flatten(0, 1)), GPTState(cache, tokens)

    def _read_again(self, x_t: Tensor, state: GPTState) -> tuple[Tensor, GPTState]:
        kept = state.tokens[:, state.tokens.shape[1] - self.config.num_positions // 2 :]
        outputs, fresh = self.after(torch.cat([kept, x_t.unsqueeze(1)], dim=1))
        cache = fresh.cache.side_by_side(state.cache.num_sources)
        return outputs, fresh._replace(cache=cache)

    def _out(self, x: Float[Tensor, "R D"]) -> Float[Tensor, "R K"]:
        return self.logits(x) if self.config.task == "language-model" else self.answer(x)


# ---- tasks of several texts -----------------------------------------------------------------------------


def last_of(x: Float[Tensor, "B T D"], lengths: Int[Tensor, "B"] | None = None) -> Float[Tensor, "B D"]:
    """The features of each row's last token that is no padding, which has read all others."""
    return x[:, -1] if lengths is None else x[torch.arange(x.shape[0], device=x.device), lengths - 1]


class TaskHead(nn.Module):
    """W Drop(x) + b: section 3.2, equation 3.

    Args:
        width: D.
        output_size: K.
        dropout: probability of zeroing a feature.
    """

    def __init__(self, width: int, output_size: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.dropout, self.linear = Dropout(dropout), Linear(width, output_size)
        nn.init.normal_(self.linear.weight, std=INIT)
        nn.init.zeros_(self.linear.bias)

    def forward(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B K"]:
        return self.linear(self.dropout(x))


class _OfSeveral(nn.Module):
    """The head of a task of several texts (B, C, T), each read by itself by one decoder."""

    def __init__(self, decoder: GPT, output_size: int) -> None:
        super().__init__()
        self.decoder = decoder
        self.answer = TaskHead(decoder.config.hidden_size, output_size, decoder.config.answer_dropout)

    def last(
        self, texts: Int[Tensor, "B C T"], lengths: Int[Tensor, "B C"] | None = None
    ) -> Float[Tensor, "B C D"]:
        features = self.decoder.read(texts.flatten(0, 1))
        flat = None if lengths is None else lengths.flatten()
        return last_of(features, flat).unflatten(0, texts.shape[:2])


class Similarity(_OfSeveral):
    """Two texts that have no order: both orders are read, and what stands behind each is added.

    ``forward(texts, lengths) -> (B, K)``: texts (B, 2, T) are [start; a; delimiter; b; extract] and the same
    with b before a. Figure 1 of the paper.
    """

    def forward(
        self, texts: Int[Tensor, "B 2 T"], lengths: Int[Tensor, "B 2"] | None = None
    ) -> Float[Tensor, "B K"]:
        return self.answer(self.last(texts, lengths).sum(1))


class MultipleChoice(_OfSeveral):
    """A logit for each of C answers to a question: a softmax over them is the probability of each.

    ``forward(texts, lengths) -> (B, C)``: texts (B, C, T) are [start; context; delimiter; answer; extract].
    Figure 1 of the paper.
    """

    def __init__(self, decoder: GPT) -> None:
        super().__init__(decoder, 1)

    def forward(
        self, texts: Int[Tensor, "B C T"], lengths: Int[Tensor, "B C"] | None = None
    ) -> Float[Tensor, "B C"]:
        return self.answer(self.last(texts, lengths)).squeeze(-1)
