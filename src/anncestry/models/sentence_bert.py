r"""Sentence-BERT: the same BERT reads each text by itself, so that vectors of texts can be compared.

Paper: N. Reimers & I. Gurevych, "Sentence-BERT: sentence embeddings using siamese BERT-networks", 1908.10084
(2019).

    u = pool(BERT([CLS] a [SEP])),  v = pool(BERT([CLS] b [SEP]));     pool: the mean over tokens
    classes:  softmax(W (u, v, |u - v|)),  W of K x 3 D                (section 3, classification objective)
    a value:  u v / (|u| |v|)                                         (section 3, regression objective)

Differs from BERT: the two texts of an input do not see each other. So a text has one vector whatever it is
compared with, and n texts are read n times where BERT reads n^2 / 2 pairs.

Departures from the paper: see the ledger of its entry on the timeline.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import nn

from anncestry.arrays import Float, Int, Tensor
from anncestry.layers.attention.packing import over_tokens
from anncestry.layers.linear import Linear
from anncestry.models.bert import Bert, BertConfig
from anncestry.rules import one_of, relation
from anncestry.signature import Task

TASKS: tuple[str, ...] = ("classification", "regression", "embedding")
ONE_COSINE = relation(
    lambda c: c.output_size == 1 or c.task != "regression" or not c.compares,
    "the cosine of two texts is one value",
)


@dataclass(frozen=True, kw_only=True)
class SentenceBertConfig(BertConfig):
    """Sizes and parts: those of `anncestry.models.bert.BertConfig`.

    An input is a pair, ``[CLS] a [SEP] b [SEP]``, where there is a ``separator``; else it is one text, whose
    vector alone the head reads. ``pooling`` is used for every task.
    """

    task: Annotated[Task, one_of(TASKS)] = "embedding"
    output_size: Annotated[int, ONE_COSINE]

    @property
    def compares(self) -> bool:
        """Whether the output is about two texts."""
        return self.separator >= 0 and self.task != "embedding"


class SentenceBert(Bert):
    """One encoder for both texts, and a head over their vectors."""

    config: SentenceBertConfig

    def pools(self) -> bool:
        return self.config.pooling == "pooler"

    def make_head(self) -> nn.Module:
        config = self.config
        if not config.compares:
            return super().make_head()
        if config.task == "regression":
            return nn.CosineSimilarity(dim=-1)
        return Linear(3 * config.hidden_size, config.output_size, bias=False)

    def summary(self, x, lengths):
        return self.pool(x, lengths)

    def forward(self, tokens, lengths=None, targets=None, segments=None):
        """The outputs of inputs of one or two texts, (B, T) tokens.

        Args:
            lengths: tokens of each input (default: all).
            segments: of one text alone, which may be given; each of two begins anew with the first.

        Returns:
            (B, K) for classification and regression, (B, D) for an embedding.
        """
        if not self.config.compares:
            return super().forward(tokens, lengths, targets, segments)
        u, v = self.vectors(*apart(tokens, lengths, self.config.separator)).chunk(2)
        if self.config.task == "regression":
            return self.head(u, v)[:, None]
        return self.head(torch.cat([u, v, (u - v).abs()], dim=-1))

    def vectors(self, texts: Int[Tensor, "B T"], lengths: Int[Tensor, "B"]) -> Float[Tensor, "B D"]:
        """One for each text, all of which are first texts."""
        if texts.device.type != "meta":  # where only shapes are looked at, no text has a length
            texts = texts[:, : int(lengths.max())]
        embedded = self.embeddings(texts, torch.zeros_like(texts))
        return self.pool(over_tokens(self.transform, self.blocks, embedded, lengths), lengths)


def apart(
    tokens: Int[Tensor, "B T"], lengths: Int[Tensor, "B"] | None, separator: int
) -> tuple[Int[Tensor, "M T"], Int[Tensor, "M"]]:
    """``[CLS] a [SEP]`` of all rows, then ``[CLS] b [SEP]`` of all rows: M = 2 B texts and their lengths.

    Where nothing is behind the first separator, the second row is ``[CLS]`` alone.
    """
    positions = torch.arange(tokens.shape[1], device=tokens.device)
    if lengths is None:
        lengths = torch.full_like(tokens[:, 0], tokens.shape[1])
    ends = (tokens == separator) & (positions < lengths[:, None])
    first = torch.where(ends.any(1), ends.int().argmax(1) + 1, lengths)
    index = (positions + first[:, None] - 1).clamp(max=tokens.shape[1] - 1)
    second = torch.cat([tokens[:, :1], tokens.gather(1, index)[:, 1:]], dim=1)
    return torch.cat([tokens, second]), torch.cat([first, lengths - first + 1])
