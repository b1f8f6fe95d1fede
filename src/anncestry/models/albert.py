r"""ALBERT: one block of weights for all layers of a BERT, and small tables below it.

Paper: Z. Lan, M. Chen, S. Goodman, K. Gimpel, P. Sharma & R. Soricut, "ALBERT: a lite BERT for
self-supervised learning of language representations", 1909.11942 (2019).

    x = W Drop(LN(E_word[token] + E_segment[segment] + E_position[position])) + b      E = 128 features to D
    L times the same block
    masked tokens:     softmax(LN(gelu(W_t x + b_t)) E_word^T + b),                    W_t from D to E
    sentence order:    are the two texts swapped?  softmax(W_n p + b_n)

Differs from BERT: layers share their weights; the tables have fewer features than the layers; sentence-order
prediction in place of next-sentence prediction; GELU by a tanh.

Departures from the paper: see the ledger of its entry on the timeline.
"""

from dataclasses import dataclass
from typing import Annotated, Any

from torch import nn

from anncestry.arrays import Float, Tensor
from anncestry.layers.attention.packing import Visible
from anncestry.models.bert import Bert, BertConfig
from anncestry.rules import one_of
from anncestry.signature import Signature


@dataclass(frozen=True, kw_only=True)
class AlbertConfig(BertConfig):
    """BERT's sizes and parts: tables of 128 features, GELU by a tanh; two relations: in order, swapped."""

    embed_dim: int = 128
    num_relations: Annotated[int, one_of((0, 2), "in order or swapped, or not asked")] = 0
    activation: str = "gelu-tanh"

    @classmethod
    def for_signature(cls, signature: Signature, *, width: int | None = None, **overrides: Any):
        """As BERT's; tables have half of the width, and 128 features at most."""
        usual = min(128, max(1, (width or 128) // 2))
        return super().for_signature(signature, width=width, **{"embed_dim": usual, **overrides})


class Albert(Bert):
    """BERT with one block, ``num_layers`` times."""

    def make_blocks(self) -> nn.ModuleList:
        return nn.ModuleList([self.make_block()])

    def transform(self, x: Float[Tensor, "B T D"], visible: Visible) -> Float[Tensor, "B T D"]:
        (block,) = self.blocks
        for _ in range(self.config.num_layers):
            x = block(x, visible)
        return x
