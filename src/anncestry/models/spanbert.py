r"""SpanBERT: a BERT that predicts masked tokens from both ends of the span they are in.

Paper: M. Joshi, D. Chen, Y. Liu, D. Weld, L. Zettlemoyer & O. Levy, "SpanBERT: improving pre-training by
representing and predicting spans", 1907.10529 (2019), section 3.2. For the words i of a span from s to e:

    h = [x_{s-1}; x_{e+1}; P[i - s]]
    y = LN(gelu(W_2 LN(gelu(W_1 h + b_1)) + b_2))
    softmax(y E_word^T + b)        learnt beside BERT's own softmax for the same words

Differs from BERT: spans of tokens are masked in place of single ones; each is predicted twice, once from
its own position and once from what stands around its span; inputs are one text, without next-sentence
prediction.

Departures from the paper: see the ledger of its entry on the timeline.
"""

from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import torch
from torch import nn

from anncestry.arrays import Bool, Float, Int, Tensor
from anncestry.layers.linear import Linear, TiedReadout
from anncestry.models.bert import Bert, BertConfig
from anncestry.protocols import MaskedLMOutput
from anncestry.rules import Size, only
from anncestry.signature import Signature


@dataclass(frozen=True, kw_only=True)
class SpanBertConfig(BertConfig):
    """BERT's sizes and parts; no relations.

    Attributes:
        place_dim: features of P, of a position within a span.
        longest_span: rows of P; positions behind the last share it.
    """

    num_relations: Annotated[int, only(0, "SpanBERT reads one text, and is not asked what follows it")] = 0
    place_dim: Size = 200
    longest_span: Size = 20

    @classmethod
    def for_signature(cls, signature: Signature, *, width: int | None = None, **overrides: Any):
        """As BERT's; positions within a span have 200 features, or the width where that is less."""
        usual = min(200, width or 128)
        return super().for_signature(signature, width=width, **{"place_dim": usual, **overrides})


class Around(NamedTuple):
    """What stands around the span of each masked token, in reading order.

    Attributes:
        row: (M,) of the batch.
        left, right: (M,) the positions before and behind the span.
        within: (M,) the word's position in the span, from 0 on.
    """

    row: Tensor
    left: Tensor
    right: Tensor
    within: Tensor


def around_spans(asked: Bool[Tensor, "B T"]) -> Around:
    """The ends of spans: of masked tokens that stand beside each other.

    A span that has nothing before or behind it has the first or the last position there.
    """
    num_positions = asked.shape[1]
    positions = torch.arange(num_positions, device=asked.device).expand_as(asked)
    left = positions.masked_fill(asked, -1).cummax(1).values
    right = positions.masked_fill(asked, num_positions).flip(1).cummin(1).values.flip(1)
    row, at = asked.nonzero(as_tuple=True)
    before, behind = left[row, at], right[row, at]
    return Around(row, before.clamp(min=0), behind.clamp(max=num_positions - 1), at - before - 1)


class SpanBoundary(nn.Module):
    """Logits of masked tokens from the ends of their span.

    Args:
        width: D.
        embed_dim: E of the table of words.
        num_words: V.
        place_dim, longest_span: as in `SpanBertConfig`.
        eps: of the normalisations.
    """

    def __init__(
        self, width: int, embed_dim: int, num_words: int, place_dim: int, longest_span: int, eps: float
    ) -> None:
        super().__init__()
        self.places = nn.Embedding(longest_span, place_dim)
        self.inner, self.inner_norm = Linear(2 * width + place_dim, width), nn.LayerNorm(width, eps)
        self.out, self.out_norm = Linear(width, embed_dim), nn.LayerNorm(embed_dim, eps)
        self.readout = TiedReadout(num_words, bias=True)

    def forward(
        self, x: Float[Tensor, "B T D"], asked: Bool[Tensor, "B T"], table: Float[Tensor, "V E"]
    ) -> Float[Tensor, "M V"]:
        row, left, right, within = around_spans(asked)
        position = self.places(within.clamp(max=self.places.num_embeddings - 1))
        h = torch.cat([x[row, left], x[row, right], position], dim=1)
        h = self.inner_norm(self.inner(h, "gelu"))
        return self.readout(self.out_norm(self.out(h, "gelu")), table)


class SpanBert(Bert):
    """BERT with a second prediction of each masked token, by the span's ends, in training alone."""

    def __init__(self, config: SpanBertConfig) -> None:
        super().__init__(config)
        self.boundary = None
        if config.task == "masked-lm":
            self.boundary = SpanBoundary(
                config.hidden_size, config.embed_dim or config.hidden_size, config.input_size,
                config.place_dim, config.longest_span, config.norm_eps,
            )  # fmt: skip
            self.reset_parameters(self.boundary)

    def masked_lm(
        self, x: Float[Tensor, "B T D"], targets: Int[Tensor, "B T"] | None
    ) -> Tensor | MaskedLMOutput:
        words = super().masked_lm(x, targets)
        if targets is None or self.boundary is None:
            return words
        assert isinstance(words, Tensor), "without relations"
        table: Any = self.embeddings.words.weight  # pyright: ignore[reportAttributeAccessIssue]
        return MaskedLMOutput(words, boundary=self.boundary(x, self.asked(targets), table))
