r"""DistilBERT: half of BERT's layers, distilled: they learn the whole BERT's outputs.

Paper: V. Sanh, L. Debut, J. Chaumond & T. Wolf, "DistilBERT, a distilled version of BERT: smaller, faster,
cheaper and lighter", 1910.01108 (2019).

    x = Drop(LN(E_word[token] + E_position[position])), then blocks and masked tokens as BERT's
    classes of a text:  softmax(W_o Drop(relu(W_d x_0 + b_d)) + b_o)
    loss    5 KL(softmax(t / 2) || softmax(s / 2)) 2^2 + 2 CE(masked tokens) + cosine distance of states

with t the logits of a BERT and s its own. Its first weights are every second layer of that BERT's
(`anncestry.training.distilling`).

Differs from BERT: half of the layers; no segments, and no pooler that is trained before a task.

Departures from the paper: see the ledger of its entry on the timeline.
"""

from dataclasses import dataclass
from typing import Annotated

import torch

from anncestry.models.bert import NO_POOLER, Bert, BertConfig, Pooler
from anncestry.rules import only


@dataclass(frozen=True, kw_only=True)
class DistilBertConfig(BertConfig):
    """BERT's sizes and parts: six layers, no segments, no pooler, no relations."""

    num_layers: int = 6
    num_segments: int = 0
    num_relations: Annotated[int, only(0, "DistilBERT is not asked how two texts follow each other")] = 0
    pooling: Annotated[str, NO_POOLER] = "mean"


class DistilBert(Bert):
    """BERT with a rectifier in the head of a task."""

    def make_pooler(self) -> Pooler:
        return Pooler(self.config.hidden_size, torch.relu)
