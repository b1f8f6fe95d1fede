"""Show, Attend and Tell: the LSTM attends to another part of the image for each word.

Paper: K. Xu et al., "Show, attend and tell: neural image caption generation with visual attention",
1502.03044 (2015), soft attention.

    a_i = the positions of a feature map          h_0, c_0 = tanh of a layer each, of the mean of a_i
    e_ti = v . tanh(W h_{t-1} + U a_i),        alpha_t = softmax over positions        equations 4 and 5
    z_t = beta_t sum_i alpha_ti a_i,           beta_t = sigma(w h_{t-1} + b)          section 4.2.1
    h_t = LSTM([e(y_{t-1}); z_t], h_{t-1}),    p = softmax(L_o(e(y_{t-1}) + L_h h_t + L_z z_t))

Differs from Show and Tell: the last layer of the convolutional net is left out, and the positions of its map
are attended to as in RNNsearch, as much as the gate beta lets through.

Departures from the paper: see the ledger of its entry on the timeline.

What gates and readout get of a context is the weighted sum of what they would get of each position, computed
once for an image.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn

from anncestry.arrays import Float, Int, Tensor
from anncestry.layers.dropout import Dropout
from anncestry.layers.recurrent.cells import LSTMCell, LSTMState
from anncestry.layers.recurrent.recurrence import prepared
from anncestry.layers.seq2seq.alignment import Additive, side_by_side
from anncestry.layers.seq2seq.encoder_decoder import DecoderNetwork
from anncestry.layers.seq2seq.lookup import Lookup
from anncestry.layers.seq2seq.readout import DeepReadout
from anncestry.models.cnn import CNN
from anncestry.models.show_and_tell import CaptioningConfig
from anncestry.protocols import Memory
from anncestry.rules import DerivedSize


@dataclass(frozen=True, kw_only=True)
class ShowAttendAndTellConfig(CaptioningConfig):
    """Sizes; ``align_size`` are the hidden units of the alignment, H where it is 0."""

    align_size: DerivedSize = 0


class ShowAttendAndTellSource(NamedTuple):
    """What the decoder attends to: a row for each image."""

    keys: Float[Tensor, "N S A"]
    of_gates: Float[Tensor, "N S G"]
    of_readout: Float[Tensor, "N S E"]


class ShowAttendAndTellState(NamedTuple):
    """The LSTM's state, the attention weights of the last step, and the image.

    Attributes:
        weights: (R, S) a row for each of the R = N k captions, a column for each of the S = height x width
            positions of the feature map, row by row.
    """

    lstm: LSTMState
    weights: Float[Tensor, "R S"]
    memory: Memory


class ShowAttendAndTell(DecoderNetwork):
    """Encode positions; attend, gate, advance and read out at every step."""

    config: ShowAttendAndTellConfig

    def __init__(self, config: ShowAttendAndTellConfig) -> None:
        super().__init__(config)
        H, E = config.hidden_size, config.embed_dim
        net = CNN(config.convolutions(1))
        self.encoder = net.layers[:-2]  # the feature map, without the layers that make one vector of it
        D = net.config.layers()[-2].out_shape[0]
        self.start_h, self.start_c = nn.Linear(D, H), nn.Linear(D, H)
        self.score = Additive(H, D, config.align_size or H)
        self.gate = nn.Linear(H, 1)
        self.embedding = nn.Embedding(config.output_size, E)
        self.cell = LSTMCell(E + D, H)
        self.readout = DeepReadout(H, E, D, config.output_size, config.dropout)
        self.dropout = Dropout(config.dropout)
        self.reset_parameters()

    def encode(
        self, source: Float[Tensor, "B C height width"], lengths: Int[Tensor, "B"] | None = None
    ) -> ShowAttendAndTellState:
        positions = self.encoder(source).flatten(2).transpose(1, 2)  # (B, S, D)
        mean = positions.mean(1)
        state = LSTMState(self.start_h(mean).tanh(), self.start_c(mean).tanh())
        of_gates = nn.functional.linear(positions, self.cell.weight_ih[:, self.config.embed_dim :])
        looked_up = ShowAttendAndTellSource(
            self.score.keys(positions), of_gates, self.readout.share_of_context(positions)
        )
        return ShowAttendAndTellState(state, positions.new_zeros(positions.shape[:2]), Memory(looked_up))

    def project_words(self, embedded: Float[Tensor, "*B E"]) -> Float[Tensor, "*B G"]:
        """What the gates get of the words."""
        weight = self.cell.weight_ih[:, : self.config.embed_dim]
        return nn.functional.linear(embedded, weight, self.cell.bias)

    def attention_weights(
        self, scores: Float[Tensor, "N k S"], query: Float[Tensor, "N k H"]
    ) -> tuple[Tensor, Tensor]:
        """The attention weights of N images, k hypotheses of each, S positions of the feature map; they sum
        to 1 over S; and the same times the gate beta."""
        weights = scores.softmax(-1)
        return weights, weights * self.gate(query).sigmoid()

    def step(self, x_t, state):
        positions = state.memory.parts
        num_images = positions.keys.shape[0]
        embedded = self.dropout(self.embedding(x_t))
        query = side_by_side(state.lstm.h, num_images)
        weights, gated = self.attention_weights(self.score(query, positions.keys), query)
        projected = side_by_side(self.project_words(embedded), num_images)
        gates = torch.baddbmm(projected, gated, positions.of_gates).flatten(0, 1)
        h, lstm = self.cell.advance(gates, state.lstm)
        share = torch.bmm(gated, positions.of_readout).flatten(0, 1)
        after = ShowAttendAndTellState(lstm, weights.flatten(0, 1), state.memory)
        return self.readout(self.dropout(h), embedded, share), after

    def teacher_force(self, tokens, state):
        positions, lstm = state.memory.parts, state.lstm
        embedded = self.dropout(self.embedding(tokens))
        score, attend = self.score.over(positions.keys), Lookup(positions.of_gates)
        outputs, all_weights = [], []
        with prepared(tokens.shape[1]):
            for projected_t in self.project_words(embedded).unbind(1):
                query = lstm.h.unsqueeze(1)
                _, gated = self.attention_weights(score(query), query)
                gates = attend(gated, projected_t.unsqueeze(1)).squeeze(1)
                h, lstm = self.cell.advance(gates, lstm)
                outputs.append(h)
                all_weights.append(gated)
        share = torch.bmm(torch.cat(all_weights, dim=1), positions.of_readout)
        return self.readout(self.dropout(torch.stack(outputs, dim=1)), embedded, share)

    def alignment(self, state):
        return state.weights
