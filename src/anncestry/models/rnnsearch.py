"""RNNsearch: a decoder that attends to the source anew for each word.

Paper: D. Bahdanau, K. Cho & Y. Bengio, "Neural machine translation by jointly learning to align and
translate", 1409.0473 (2014), appendix A.

    h_j = [forward GRU; backward GRU] of the source          s_0 = tanh(W_s backward h_1)
    e_ij = v . tanh(W_a s_{i-1} + U_a h_j)                   alpha_i = softmax over the source's positions j
    c_i = sum_j alpha_ij h_j                                 s_i = GRU([e(y_{i-1}); c_i], s_{i-1})
    p(y_i) = softmax(W_o maxout(U_o s_{i-1} + V_o e(y_{i-1}) + C_o c_i))

Differs from the RNN encoder-decoder: the source is read in both directions and kept position by position; the
context is another at every step. Both the alignment and the readout go by the *previous* state.

Departures from the paper: see the ledger of its entry on the timeline.

A weighted sum of the annotations is multiplied by the same weights, C of the gates and C_o, at every step.
Both shares are computed of the annotations, once, and summed with the weights; that is the same.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn

from anncestry.arrays import Bool, Float, Int, Tensor
from anncestry.layers.dropout import Dropout
from anncestry.layers.initialisation import initialise_as_published
from anncestry.layers.recurrent.cell_variants import ResetFirstGRUCell
from anncestry.layers.recurrent.cells import HiddenState
from anncestry.layers.recurrent.recurrence import prepared
from anncestry.layers.recurrent.wirings import Bidirectional, Unrolled
from anncestry.layers.seq2seq.alignment import Additive, alignment_weights, side_by_side
from anncestry.layers.seq2seq.encoder_decoder import (
    DecoderNetwork,
    TranslationConfig,
    visible_positions,
    where_ragged,
)
from anncestry.layers.seq2seq.lookup import Lookup
from anncestry.layers.seq2seq.readout import MaxoutReadout
from anncestry.protocols import Memory
from anncestry.rules import Count, DerivedSize


@dataclass(frozen=True, kw_only=True)
class RNNSearchConfig(TranslationConfig):
    """Sizes.

    Attributes:
        align_size: A, hidden units of the alignment; H where it is 0.
        maxout_size: F, pairs of the readout; half of H where it is 0.
        output_rank: of the matrix of the logits as two factors (GroundHog's code has 620); 0 has one matrix.
        published_start: whether weights start as published, for learning with Adadelta.
    """

    align_size: DerivedSize = 0
    maxout_size: DerivedSize = 0
    output_rank: Count = 0
    published_start: bool = False


class RNNsearchSource(NamedTuple):
    """What the decoder attends to: a row for each source."""

    keys: Float[Tensor, "N S A"]  # U_a h_j
    of_gates: Float[Tensor, "N S G"]  # C h_j
    of_readout: Float[Tensor, "N S F2"]  # C_o h_j
    visible: Bool[Tensor, "N 1 S"]


class RNNSearchState(NamedTuple):
    """The state s, the weights of the last step, and the source."""

    h: Float[Tensor, "R H"]
    weights: Float[Tensor, "R S"]
    memory: Memory


class RNNSearch(DecoderNetwork):
    """Read both ways; align, sum, advance and read out at every step."""

    config: RNNSearchConfig

    def __init__(self, config: RNNSearchConfig) -> None:
        super().__init__(config)
        H, E = config.hidden_size, config.embed_dim
        ahead, back = (Unrolled(ResetFirstGRUCell(E, H)) for _ in range(2))
        self.source_embedding = nn.Embedding(config.input_size, E)
        self.encoder = Bidirectional(ahead, back)
        self.start_state = nn.Linear(H, H)
        self.score = Additive(H, 2 * H, config.align_size or H)
        self.embedding = nn.Embedding(config.output_size, E)
        self.cell = ResetFirstGRUCell(E + 2 * H, H)
        maxout_size = config.maxout_size or max(1, H // 2)
        self.readout = MaxoutReadout(H, E, 2 * H, maxout_size, config.output_size, config.output_rank)
        self.dropout = Dropout(config.dropout)
        self.reset_parameters()
        if config.published_start:
            tiny = ("score.query.weight", "score.annotation.weight")
            initialise_as_published(self, ("weight_hh",), tiny)

    def encode(self, source: Int[Tensor, "B S"], lengths: Int[Tensor, "B"] | None = None) -> RNNSearchState:
        lengths = where_ragged(lengths, source)
        embedded = self.dropout(self.source_embedding(source))
        annotations, (_, back) = self.encoder(embedded, None, lengths)  # (B, S, 2H)
        visible = visible_positions(lengths, source).unsqueeze(1)
        words = self.config.embed_dim
        looked_up = RNNsearchSource(
            self.score.keys(annotations),
            nn.functional.linear(annotations, self.cell.weight_ih[:, words:]),
            self.readout.share_of_context(annotations),
            visible,
        )
        h = self.start_state(back.h).tanh()
        return RNNSearchState(h, annotations.new_zeros(source.shape), Memory(looked_up))

    def project_words(self, embedded: Float[Tensor, "*B E"]) -> Float[Tensor, "*B G"]:
        """What the gates get of the words."""
        words = self.config.embed_dim
        return nn.functional.linear(embedded, self.cell.weight_ih[:, :words], self.cell.bias)

    def advance(self, projected_t, weights, attend, h) -> Float[Tensor, "R H"]:
        """The state after a step; ``attend`` sums what the gates get of the annotations."""
        gates = attend(weights, side_by_side(projected_t, weights.shape[0]))
        return self.cell.advance(gates.flatten(0, 1), HiddenState(h))[0]

    def step(self, x_t, state):
        source = state.memory.parts
        embedded = self.dropout(self.embedding(x_t))
        scores = self.score(side_by_side(state.h, source.keys.shape[0]), source.keys)
        weights = alignment_weights(scores, source.visible)
        h = self.advance(self.project_words(embedded), weights, Lookup(source.of_gates), state.h)
        share = torch.bmm(weights, source.of_readout).flatten(0, 1)
        logits = self.readout(state.h, embedded, share)
        return logits, RNNSearchState(h, weights.flatten(0, 1), state.memory)

    def teacher_force(self, tokens, state):
        source, h = state.memory.parts, state.h
        embedded = self.dropout(self.embedding(tokens))
        score, attend = self.score.over(source.keys), Lookup(source.of_gates)
        states, all_weights = [], []
        with prepared(tokens.shape[1]):
            for projected_t in self.project_words(embedded).unbind(1):
                weights = alignment_weights(score(h.unsqueeze(1)), source.visible)
                states.append(h)
                all_weights.append(weights)
                h = self.advance(projected_t, weights, attend, h)
        share = torch.bmm(torch.cat(all_weights, dim=1), source.of_readout)
        return self.readout(torch.stack(states, dim=1), embedded, share)

    def alignment(self, state):
        return state.weights
