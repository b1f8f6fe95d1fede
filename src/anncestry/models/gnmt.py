"""GNMT, Google's translation system: deep stacks with shortcuts; the decoder's bottom alone asks the source.

Paper: Y. Wu et al., "Google's neural machine translation system: bridging the gap between human and machine
translation", 1609.08144 (2016), in the form of tensorflow/nmt.

    a_j = top of the encoder: one layer that reads both ways, and others above it, which read ahead
    h_t^1 = LSTM([e(y_{t-1}); c_{t-1}])                                   the bottom of the decoder
    alpha_t = softmax over positions of v . tanh(W h_t^1 + U a_j),    c_t = sum_j alpha_tj a_j
    h_t^2 = LSTM([h_t^1; c]),    h_t^l = LSTM([h_t^{l-1}; c]) + h_t^{l-1} for l > 2         equation 6
    p(y_t) = softmax(W h_t^L)          c is c_{t-1}, as the paper has it, or c_t (``new_context``)

Differs from Luong's attention: the bottom layer attends, not the top, and every layer reads the context;
there are shortcuts around all layers above the second, of the encoder too.

Departures from the paper: see the ledger of its entry on the timeline.

Only the bottom layer waits for the attention. The layers above it run over the whole target at once.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, NamedTuple

import torch
from torch import nn

from anncestry.arrays import Bool, Float, Int, Tensor
from anncestry.layers.dropout import Dropout
from anncestry.layers.recurrent.cells import LSTMCell, LSTMState
from anncestry.layers.recurrent.recurrence import prepared, recur
from anncestry.layers.recurrent.residual import Residual
from anncestry.layers.recurrent.wirings import Bidirectional, Stacked, Unrolled, step_of
from anncestry.layers.seq2seq.alignment import Additive, alignment_weights, side_by_side
from anncestry.layers.seq2seq.encoder_decoder import (
    DecoderNetwork,
    TranslationConfig,
    visible_positions,
    where_ragged,
)
from anncestry.layers.seq2seq.lookup import Lookup
from anncestry.protocols import Memory
from anncestry.rules import at_least


@dataclass(frozen=True, kw_only=True)
class GNMTConfig(TranslationConfig):
    """Sizes, and which of tensorflow/nmt's two wirings.

    ``dropout`` acts on all that a layer reads, never on a shortcut; nothing is dropped before the readout.

    Attributes:
        num_layers: of the encoder, the one that reads both ways included, and of the decoder.
        new_context: whether the layers above the decoder's bottom read the context of the same step
            (``gnmt_v2``) or, as in the paper, that of the step before (``gnmt``).
        normed: whether v of the score is a direction and a length (``normed_bahdanau``).
        forget_bias: as in `anncestry.layers.recurrent.cells.LSTMCell`.
    """

    num_layers: Annotated[int, at_least(2, "one layer reads both ways, others stand above it")] = 3
    new_context: bool = False
    normed: bool = False
    forget_bias: float = 1.0


class GNMTSource(NamedTuple):
    """What the decoder attends to: a row for each source."""

    keys: Float[Tensor, "N S H"]
    annotations: Float[Tensor, "N S H"]
    visible: Bool[Tensor, "N 1 S"]


class GNMTState(NamedTuple):
    """The layers' states, what the bottom layer found last, the weights of the last word, the source."""

    layers: tuple[LSTMState, ...]
    context: Float[Tensor, "R H"]
    found: Float[Tensor, "R S"]  # the context's weights
    weights: Float[Tensor, "R S"]  # those of the context that the layers above read
    memory: Memory


class GNMT(DecoderNetwork):
    """Read both ways, then ahead; advance the bottom, align, climb with the context, and read out."""

    config: GNMTConfig

    def __init__(self, config: GNMTConfig) -> None:
        super().__init__(config)
        H, E = config.hidden_size, config.embed_dim
        self.source_embedding = nn.Embedding(config.input_size, E)
        self.both_ways = Bidirectional(self._layer(E), self._layer(E))
        shortcuts = [Residual(self._layer(H), config.dropout) for _ in range(config.num_layers - 2)]
        self.encoder = Stacked([self._layer(2 * H), *shortcuts])
        self.score = Additive(H, H, H, config.normed)
        self.embedding = nn.Embedding(config.output_size, E)
        self.bottom = LSTMCell(E + H, H, config.forget_bias)
        self.above: Any = nn.ModuleList(self._layer(2 * H) for _ in range(config.num_layers - 1))
        self.readout = nn.Linear(H, config.output_size, bias=False)
        self.dropout = Dropout(config.dropout)
        self.reset_parameters()

    def _layer(self, input_size: int) -> Unrolled:
        return Unrolled(LSTMCell(input_size, self.config.hidden_size, self.config.forget_bias))

    def encode(self, source: Int[Tensor, "B S"], lengths: Int[Tensor, "B"] | None = None) -> GNMTState:
        lengths = where_ragged(lengths, source)
        embedded = self.dropout(self.source_embedding(source))
        read, (_, back) = self.both_ways(embedded, None, lengths)  # (B, S, 2H)
        annotations, ahead = self.encoder(self.dropout(read), None, lengths)  # (B, S, H)
        visible = visible_positions(lengths, source).unsqueeze(1)
        context, weights = torch.zeros_like(annotations[:, 0]), annotations.new_zeros(source.shape)
        looked_up = GNMTSource(self.score.keys(annotations), annotations, visible)
        return GNMTState((back, *ahead), context, weights, weights, Memory(looked_up))

    def climb(
        self, h: Tensor, context: Tensor, layers: Iterable[Callable], states: Iterable[LSTMState]
    ) -> tuple[Tensor, list[LSTMState]]:
        """The top's outputs from the bottom's, and the states above the bottom.

        Args:
            h: (R, H) of one step or (B, T, H) of all, as ``context`` is.
            layers: what those above the bottom do with their inputs and states.
        """
        after = []
        for depth, (layer, state) in enumerate(zip(layers, states, strict=True)):
            y, state = layer(self.dropout(torch.cat([h, context], dim=-1)), state)
            h = y + h if depth else y
            after.append(state)
        return h, after

    def step(self, x_t, state):
        source = state.memory.parts
        x = torch.cat([self.embedding(x_t), state.context], dim=1)
        h, bottom = self.bottom(self.dropout(x), state.layers[0])
        query = side_by_side(h, source.keys.shape[0])
        found = alignment_weights(self.score(query, source.keys), source.visible)
        context, found = torch.bmm(found, source.annotations).flatten(0, 1), found.flatten(0, 1)
        seen, weights = (context, found) if self.config.new_context else (state.context, state.found)
        top, above = self.climb(h, seen, [partial(step_of, layer) for layer in self.above], state.layers[1:])
        return self.readout(top), GNMTState((bottom, *above), context, found, weights, state.memory)

    def teacher_force(self, tokens, state):
        source, bottom, words = state.memory.parts, state.layers[0], self.config.embed_dim
        embedded, weight = self.dropout(self.embedding(tokens)), self.bottom.weight_ih
        projected = nn.functional.linear(embedded, weight[:, :words], self.bottom.bias)
        of_context = weight[:, words:]
        score, attend = self.score.over(source.keys), Lookup(source.annotations)
        outputs, contexts = [], [state.context]
        with prepared(tokens.shape[1]):
            for projected_t in projected.unbind(1):
                gates = recur(self.dropout(contexts[-1]), of_context, projected_t)
                h, bottom = self.bottom.advance(gates, bottom)
                weights = alignment_weights(score(h.unsqueeze(1)), source.visible)
                outputs.append(h)
                contexts.append(attend(weights).squeeze(1))
        seen = contexts[1:] if self.config.new_context else contexts[:-1]
        h, context = torch.stack(outputs, dim=1), torch.stack(seen, dim=1)
        return self.readout(self.climb(h, context, self.above, state.layers[1:])[0])

    def alignment(self, state):
        """The attention weights (B, S) of the context behind the last word; 0 where there was none."""
        return state.weights
