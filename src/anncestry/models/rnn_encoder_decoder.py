"""The RNN encoder-decoder: one net encodes a text into a vector, a second generates another text from it.

Paper: K. Cho et al., "Learning phrase representations using RNN encoder-decoder for statistical machine
translation", 1406.1078 (2014), appendix A.

    c = tanh(V h_T), h_T the last state of a GRU over the source          s_0 = tanh(V' c)
    s_t = GRU([e(y_{t-1}); c], s_{t-1})          c enters both gates and the candidate, at every step
    p(y_t) = softmax(G maxout(O_h s_t + O_y e(y_{t-1}) + O_c c)),         G in two factors

Differs from the GRU: an encoder and a decoder; the output may have any length.

Departures from the paper: see the ledger of its entry on the timeline.
"""

from dataclasses import dataclass
from typing import NamedTuple

from torch import nn

from anncestry.arrays import Float, Int, Tensor
from anncestry.layers.dropout import Dropout
from anncestry.layers.initialisation import initialise_as_published
from anncestry.layers.recurrent.cell_variants import ResetFirstGRUCell
from anncestry.layers.recurrent.cells import HiddenState
from anncestry.layers.recurrent.wirings import Unrolled, advance_all
from anncestry.layers.seq2seq.alignment import side_by_side
from anncestry.layers.seq2seq.encoder_decoder import DecoderNetwork, TranslationConfig, where_ragged
from anncestry.layers.seq2seq.readout import MaxoutReadout
from anncestry.protocols import Memory
from anncestry.rules import Count, DerivedSize


@dataclass(frozen=True, kw_only=True)
class RNNEncoderDecoderConfig(TranslationConfig):
    """Sizes.

    Attributes:
        maxout_size: F, pairs of the readout; half of H where it is 0.
        output_rank: of the matrix of the logits as two factors (the paper has 100); 0 has one matrix.
        published_start: whether weights start as published, for learning with Adadelta.
    """

    maxout_size: DerivedSize = 0
    output_rank: Count = 0
    published_start: bool = False


class Context(NamedTuple):
    """What the fixed context gives to every step: a row for each source."""

    of_gates: Float[Tensor, "N 1 G"]  # C c
    of_readout: Float[Tensor, "N 1 F2"]  # O_c c


class RNNEncoderDecoderState(NamedTuple):
    """The state s, and the context."""

    h: Float[Tensor, "R H"]
    memory: Memory


class RNNEncoderDecoder(DecoderNetwork):
    """Read to a vector; generate with that vector as an input of every step."""

    config: RNNEncoderDecoderConfig

    def __init__(self, config: RNNEncoderDecoderConfig) -> None:
        super().__init__(config)
        H, E = config.hidden_size, config.embed_dim
        self.source_embedding = nn.Embedding(config.input_size, E)
        self.encoder = Unrolled(ResetFirstGRUCell(E, H))
        self.context = nn.Linear(H, H)
        self.start_state = nn.Linear(H, H)
        self.embedding = nn.Embedding(config.output_size, E)
        self.cell = ResetFirstGRUCell(E + H, H)
        maxout_size = config.maxout_size or max(1, H // 2)
        self.readout = MaxoutReadout(H, E, H, maxout_size, config.output_size, config.output_rank)
        self.dropout = Dropout(config.dropout)
        self.reset_parameters()
        if config.published_start:
            initialise_as_published(self, ("weight_hh",))

    def encode(self, source: Int[Tensor, "B S"], lengths: Int[Tensor, "B"] | None = None):
        embedded = self.dropout(self.source_embedding(source))
        _, last = self.encoder(embedded, None, where_ragged(lengths, source))
        c = self.context(last.h).tanh()
        of_gates = nn.functional.linear(c, self.cell.weight_ih[:, self.config.embed_dim :])
        looked_up = Context(of_gates.unsqueeze(1), self.readout.share_of_context(c).unsqueeze(1))
        return RNNEncoderDecoderState(self.start_state(c).tanh(), Memory(looked_up))

    def project(self, embedded: Float[Tensor, "N k E"], context: Context) -> Float[Tensor, "N k G"]:
        """What the gates get of words and context; k are hypotheses, or the steps of a target."""
        weight = self.cell.weight_ih[:, : self.config.embed_dim]
        return nn.functional.linear(embedded, weight, self.cell.bias) + context.of_gates

    def step(self, x_t, state):
        context = state.memory.parts
        embedded = side_by_side(self.dropout(self.embedding(x_t)), context.of_gates.shape[0])
        projected = self.project(embedded, context).flatten(0, 1)
        h, _ = self.cell.advance(projected, HiddenState(state.h))
        logits = self.readout(side_by_side(h, embedded.shape[0]), embedded, context.of_readout)
        return logits.flatten(0, 1), RNNEncoderDecoderState(h, state.memory)

    def teacher_force(self, tokens, state):
        context = state.memory.parts
        embedded = self.dropout(self.embedding(tokens))
        h, _ = advance_all(self.cell, self.project(embedded, context), HiddenState(state.h))
        return self.readout(h, embedded, context.of_readout)
