r"""RoBERTa: BERT, trained longer, on more text, without next-sentence prediction.

Paper: Y. Liu, M. Ott, N. Goyal, J. Du, M. Joshi, D. Chen, O. Levy, M. Lewis, L. Zettlemoyer & V. Stoyanov,
"RoBERTa: a robustly optimized BERT pretraining approach", 1907.11692 (2019).

    x = Drop(LN(E_word[token] + E_segment[0] + E_position[position + 2]))
    blocks and masked tokens as BERT's
    classes of a text:  softmax(W_o Drop(tanh(W_d Drop(x_0) + b_d)) + b_o)

Differs from BERT: no next-sentence prediction, and no segments; positions begin at
the third row of their table; the layer before a head's last one comes with the task. The rest is training:
tokens are masked anew in every pass (dynamic masking), inputs are full of sentences that follow each other,
across documents; batches of 8,000, ten times the text, and byte-level pieces.

Departures from the paper: see the ledger of its entry on the timeline.
"""

from dataclasses import dataclass
from typing import Annotated

from anncestry.models.bert import Bert, BertConfig, Pooler
from anncestry.rules import only


@dataclass(frozen=True, kw_only=True)
class RobertaConfig(BertConfig):
    """BERT's sizes and parts: one segment; the normalisation adds 1e-5; no relations."""

    num_segments: int = 1
    num_relations: Annotated[int, only(0, "RoBERTa is not asked how two texts follow each other")] = 0
    norm_eps: float = 1e-5


class Roberta(Bert):
    """BERT from the third position on."""

    first_position = 2
    """Two rows before are never read: in the authors' program filler had them."""

    def make_pooler(self) -> Pooler:
        return Pooler(self.config.hidden_size, dropout=self.config.dropout)
