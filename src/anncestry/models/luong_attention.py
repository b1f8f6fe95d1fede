"""Luong's attention: the decoder attends to the source with its new state, to all of it or to a window.

Paper: M.-T. Luong, H. Pham & C. Manning, "Effective approaches to attention-based neural machine
translation", 1508.04025 (2015).

    h_t = top of the stacked LSTM after [e(y_{t-1}); h~_{t-1}]            input feeding, section 3.3
    alpha_t = softmax over positions of score(h_t, a_s)                    equation 7; a_s: `SCORES`
    c_t = sum_s alpha_ts a_s,    h~_t = tanh(W_c [c_t; h_t])              equation 5
    p(y_t) = softmax(W h~_t)                                              equation 6

Differs from RNNsearch: the state of the same step is compared; scores may be products; the attention can be
local; what was attended to is fed back through the input.

Departures from the paper: see the ledger of its entry on the timeline.

W_c's share of a context is the weighted sum of its shares of the annotations, which are computed once.
Without input feeding no step of the LSTM waits for the attention: it runs over the whole target first.
"""

from dataclasses import dataclass
from typing import Annotated, NamedTuple

import torch
from torch import nn

from anncestry.arrays import Bool, Float, Int, Tensor
from anncestry.layers.dropout import Dropout
from anncestry.layers.recurrent.cells import LSTMCell
from anncestry.layers.recurrent.recurrence import prepared, recur
from anncestry.layers.recurrent.wirings import Bidirectional, Stacked, Unrolled, reverse, stack, step_of
from anncestry.layers.seq2seq.alignment import (
    SCORES,
    Monotonic,
    Predictive,
    alignment_weights,
    make_score,
    side_by_side,
)
from anncestry.layers.seq2seq.encoder_decoder import (
    DecoderNetwork,
    TranslationConfig,
    back_to_front,
    visible_positions,
    where_ragged,
)
from anncestry.layers.seq2seq.lookup import Lookup
from anncestry.layers.watching import untouched
from anncestry.protocols import Memory, State
from anncestry.rules import Size, multiple_of, one_of, where

WINDOWS = ("global", "local-m", "local-p")
SQUASHED = ("tanh", "identity")


@dataclass(frozen=True, kw_only=True)
class LuongAttentionConfig(TranslationConfig):
    """Sizes, and which of the paper's models.

    Attributes:
        num_layers: of the encoder, and of the decoder; even where the encoder is bidirectional.
        score: ``dot``, ``general``, ``concat`` or ``location``, or RNNsearch's ``additive``.
        scaled: whether a product has a factor that is learnt; norms v of ``additive``.
        window: ``global``, ``local-m`` (around the same position) or ``local-p`` (around a predicted one).
        reach: D, positions to either side of a window's centre.
        input_feeding: whether the attentional state of the step before is part of the input.
        reverse_source: whether the source is read back to front. Annotations are in the source's order.
        bidirectional: whether the encoder reads both ways, in half as many layers; forward and backward
            states start alternate layers of the decoder, as in tensorflow/nmt.
        attention_activation: ``tanh``, or ``identity`` as in tensorflow/nmt.
        output_bias: whether the logits of words have a bias.
        max_source_len: source positions that a score by ``location`` has a weight for.
        forget_bias: as in `anncestry.layers.recurrent.cells.LSTMCell`.
    """

    num_layers: Annotated[Size, where(multiple_of(2), bidirectional=True)] = 2
    score: Annotated[str, one_of(SCORES)] = "general"
    scaled: bool = False
    window: Annotated[str, one_of(WINDOWS)] = "global"
    reach: Size = 10
    input_feeding: bool = True
    reverse_source: bool = True
    bidirectional: bool = False
    attention_activation: Annotated[str, one_of(SQUASHED)] = "tanh"
    output_bias: bool = True
    max_source_len: Size = 50
    forget_bias: float = 1.0


class LuongSource(NamedTuple):
    """What the decoder attends to: a row for each source."""

    keys: Float[Tensor, "N S A"]
    values: Float[Tensor, "N S H"]  # W_c's share of each annotation
    visible: Bool[Tensor, "N S"]


class LuongState(NamedTuple):
    """The layers' states, the attentional state, the weights, the steps so far, and the source."""

    layers: State
    attended: Float[Tensor, "R H"]
    weights: Float[Tensor, "R S"]
    position: Int[Tensor, "R"]
    memory: Memory


class LuongAttention(DecoderNetwork):
    """Read; advance, align, join context and state, and read out at every step."""

    config: LuongAttentionConfig

    def __init__(self, config: LuongAttentionConfig) -> None:
        super().__init__(config)
        H, E = config.hidden_size, config.embed_dim
        annotation_size = 2 * H if config.bidirectional else H
        self.source_embedding = nn.Embedding(config.input_size, E)
        self.encoder = self._encoder()
        self.embedding = nn.Embedding(config.output_size, E)
        self.decoder = self._layers(E + H if config.input_feeding else E)
        self.score = make_score(config.score, H, annotation_size, config.scaled, config.max_source_len)
        self.window = None
        if config.window != "global":
            local = config.window == "local-p"
            self.window = Predictive(H, config.reach) if local else Monotonic(config.reach)
        self.of_context = nn.Linear(annotation_size, H, bias=False)
        self.of_state = nn.Linear(H, H, bias=False)
        self.activation = nn.Tanh() if config.attention_activation == "tanh" else nn.Identity()
        self.readout = nn.Linear(H, config.output_size, bias=config.output_bias)
        self.dropout = Dropout(config.dropout)
        self.reset_parameters()

    def _layer(self, input_size: int) -> Unrolled:
        return Unrolled(LSTMCell(input_size, self.config.hidden_size, self.config.forget_bias))

    def _layers(self, input_size: int) -> Stacked:
        return stack(self._layer, input_size, self.config.num_layers, self.config.dropout)

    def _encoder(self) -> Stacked:
        config = self.config
        if not config.bidirectional:
            return self._layers(config.embed_dim)

        def layer(input_size: int) -> Bidirectional:
            return Bidirectional(self._layer(input_size), self._layer(input_size))

        return stack(layer, config.embed_dim, config.num_layers // 2, config.dropout)

    def encode(self, source: Int[Tensor, "B S"], lengths: Int[Tensor, "B"] | None = None) -> LuongState:
        lengths = where_ragged(lengths, source)
        visible = visible_positions(lengths, source)
        read = back_to_front(source, lengths) if self.config.reverse_source else source
        annotations, layers = self.encoder(self.dropout(self.source_embedding(read)), None, lengths)
        if self.config.reverse_source:
            annotations = reverse(annotations, lengths)
        if self.config.bidirectional:
            layers = tuple(direction for layer in layers for direction in layer)
        looked_up = LuongSource(self.score.keys(annotations), self.of_context(annotations), visible)
        attended = annotations.new_zeros(source.shape[0], self.config.hidden_size)
        weights, position = annotations.new_zeros(source.shape), source.new_zeros(source.shape[0])
        return LuongState(layers, attended, weights, position, Memory(looked_up))

    def weights(
        self, scores, query, position: Int[Tensor, "N k"], source: LuongSource
    ) -> Float[Tensor, "N k S"]:
        """What the scores become, in the window where there is one."""
        if self.window is None:
            return alignment_weights(scores, source.visible.unsqueeze(1))
        return self.window(scores, query, position, source.visible)

    def attend(self, query: Float[Tensor, "N k H"], position, source: LuongSource) -> tuple[Tensor, Tensor]:
        """The attentional states (N, k, H) and the weights (N, k, S) of k states of each source."""
        weights = self.weights(self.score(query, source.keys), query, position, source)
        return self.activation(torch.bmm(weights, source.values) + self.of_state(query)), weights

    def step(self, x_t, state):
        source = state.memory.parts
        embedded = self.dropout(self.embedding(x_t))
        x = torch.cat([embedded, state.attended], dim=1) if self.config.input_feeding else embedded
        h, layers = step_of(self.decoder, x, state.layers)
        num_sources = source.keys.shape[0]
        position = state.position.view(num_sources, -1)
        attended, weights = self.attend(side_by_side(h, num_sources), position, source)
        attended, weights = attended.flatten(0, 1), weights.flatten(0, 1)
        after = LuongState(layers, attended, weights, state.position + 1, state.memory)
        return self.readout(self.dropout(attended)), after

    def teacher_force(self, tokens, state):
        source = state.memory.parts
        embedded = self.dropout(self.embedding(tokens))
        steps = torch.arange(tokens.shape[1], device=tokens.device)
        position = state.position.unsqueeze(1) + steps  # (B, T)
        if self.config.input_feeding and not untouched(self.of_state, nn.Linear):
            return self.teacher_force_by_step(tokens, state)
        if self.config.input_feeding:
            attended = self._with_feeding(embedded, position, state)
        else:
            h, _ = self.decoder(embedded, state.layers)
            attended, _ = self.attend(h, position, source)
        return self.readout(self.dropout(attended))

    def _with_feeding(
        self, embedded: Float[Tensor, "B T E"], position: Int[Tensor, "B T"], state: LuongState
    ) -> Float[Tensor, "B T H"]:
        """The attentional states of all steps, each of which waits for the one before."""
        source, attended, states = state.memory.parts, state.attended, state.layers
        words, (first, *others) = self.config.embed_dim, [layer.cell for layer in self.decoder.layers]
        projected = nn.functional.linear(embedded, first.weight_ih[:, :words], first.bias)
        of_attended, of_state = first.weight_ih[:, words:], self.of_state.weight
        score, attend = self.score.over(source.keys), Lookup(source.values)
        attended_all = []
        with prepared(embedded.shape[1]):
            for t, projected_t in enumerate(projected.unbind(1)):
                h, after = first.advance(recur(attended, of_attended, projected_t), states[0])
                layers = [after]
                for cell, before in zip(others, states[1:], strict=True):
                    below = recur(self.decoder.between(h), cell.weight_ih, cell.bias)
                    h, after = cell.advance(below, before)
                    layers.append(after)
                states, query = layers, h.unsqueeze(1)
                weights = self.weights(score(query), query, position[:, t : t + 1], source)
                summed = attend(weights, recur(h, of_state).unsqueeze(1))
                attended = self.activation(summed).squeeze(1)
                attended_all.append(attended)
        return torch.stack(attended_all, dim=1)

    def alignment(self, state):
        return state.weights
