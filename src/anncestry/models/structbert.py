r"""StructBERT: a BERT that also puts words and sentences in order again.

Paper: W. Wang, B. Bi, M. Yan, C. Wu, Z. Bao, J. Xia, L. Peng & L. Si, "StructBERT: incorporating language
structures into pre-training for deep language understanding", 1908.04577 (2019).

    masked tokens:     as BERT's
    shuffled words:    of the words that are not masked 5 % stand in threes that were shuffled; each position
    is
                       asked for the word that stood there: softmax(LN(gelu(W_t x + b_t)) E_word^T + b)
    sentence order:    it follows, comes before, or is another's: softmax(W_n p + b_n), three logits

Differs from BERT: in its objectives. Nothing in the net is new but a third logit. Which words are shuffled
is decided by the data; the net computes logits wherever a target asks for them.

Departures from the paper: see the ledger of its entry on the timeline.
"""

from dataclasses import dataclass
from typing import Annotated

from anncestry.models.bert import Bert, BertConfig
from anncestry.rules import one_of


@dataclass(frozen=True, kw_only=True)
class StructBertConfig(BertConfig):
    """BERT's sizes and parts; three relations: the second sentence follows, comes before, or is of another
    text."""

    num_relations: Annotated[int, one_of((0, 3), "after, before or unrelated; or not asked")] = 0


class StructBert(Bert):
    """BERT, with a further objective."""
