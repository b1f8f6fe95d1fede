r"""XLM: one BERT for many languages, which also learns from texts and their translations; and FlauBERT.

Papers: G. Lample & A. Conneau, "Cross-lingual language model pretraining", 1901.07291 (2019). H. Le et al.,
"FlauBERT: unsupervised language model pre-training for French", 1912.05372 (2019).

    x = Drop(LN(E_word[token] + E_position[position] + E_language[language]))     a language for each token
    blocks as BERT's;   masked tokens: softmax(E_word x + b)
    a text and its translation, as one input:   positions begin anew with the second    (section 3.3)
    FlauBERT-large:     x = x + Drop(f(LN(x))),   and in training a block is left out with probability 0.2

Differs from BERT: what a token gets beside its position is its language, not its text; nothing is asked about
next-sentence prediction; the words' readout has no layer of its own, and a task's head reads x_0 as it is.
Masked tokens in a text and its translation are data: pairs of a text and its translation.

Departures from the papers: see the ledgers of their entries on the timeline.
"""

from dataclasses import dataclass
from functools import partial
from typing import Annotated

import torch
from torch import nn

from anncestry.arrays import Float, Int, Tensor
from anncestry.layers.attention.attention import SelfAttention
from anncestry.layers.attention.blocks import Block, FeedForward, PostNorm, PreNorm
from anncestry.layers.attention.token_embeddings import TokenEmbeddings, segments_of
from anncestry.layers.linear import TiedReadout
from anncestry.models.bert import NO_POOLER, Bert, BertConfig
from anncestry.rules import Rate, Rule, one_of, only

NORMS = {"post": PostNorm, "pre": PreNorm}
UNIQUE = Rule(lambda names, _: len(set(names)) == len(names), "must be names, each of them once")


@dataclass(frozen=True, kw_only=True)
class XLMConfig(BertConfig):
    """Sizes and parts: those of `anncestry.models.bert.BertConfig`, without segments and relations.

    Attributes:
        languages: their names, in the order of their vectors; none where they are not distinguished.
        norm: ``post`` as in BERT; ``pre`` normalises what goes into a sub-layer, and nothing behind the last.
        layer_drop: probability with which training leaves out a block.
    """

    embed_dim: Annotated[int, only(0, "XLM has no table of another width")] = 0
    num_segments: Annotated[int, only(0, "XLM has no segments")] = 0
    num_relations: Annotated[int, only(0, "XLM is not asked how two texts follow each other")] = 0
    pooling: Annotated[str, NO_POOLER] = "mean"
    languages: Annotated[tuple[str, ...], UNIQUE] = ()
    norm: Annotated[str, one_of(NORMS)] = "post"
    layer_drop: Rate = 0.0

    @property
    def translates(self) -> bool:
        """Whether inputs are texts with their translations, of which tokens are masked."""
        return self.task == "masked-lm" and self.separator >= 0


class LanguageEmbeddings(TokenEmbeddings):
    """Drop(LN(E_word[token] + E_position[position] + E_language[language])).

    Where there is a separator, what follows the first one is a translation: its positions begin anew, and it
    is in the second language by default.
    """

    def features(self, tokens, segments=None):
        """
        Args:
            segments: the language of each token; where nobody knows, no vector is added.
        """
        if self.separator is None:
            x = self.words(tokens) + self.positions(0, tokens.shape[1])
        else:
            texts = segments_of(tokens, self.separator, 2)
            x = self.words(tokens) + self.restarted(texts)
            segments = texts if segments is None else segments
        if self.segments is not None and segments is not None:
            x = x + self.segments(segments)
        return self.dropout(self.norm(x))

    def restarted(self, texts: Int[Tensor, "B T"]) -> Float[Tensor, "B T D"]:
        """Positions, of which each text has its own."""
        self.positions(0, texts.shape[1])  # is there room
        first = (texts == 0).sum(1, keepdim=True)
        return self.positions.embedding(torch.arange(texts.shape[1], device=texts.device) - texts * first)


class XLM(Bert):
    """Embeddings with languages, blocks, and a head for the task.

    What `forward` and `encode` call ``segments`` is the language of each token.
    """

    config: XLMConfig

    def make_embeddings(self) -> nn.Module:
        config = self.config
        return LanguageEmbeddings(
            config.input_size, config.hidden_size, config.num_positions, len(config.languages),
            config.separator if config.translates else None, dropout=config.dropout, eps=config.norm_eps,
        )  # fmt: skip

    def make_block(self) -> nn.Module:
        config, width = self.config, self.config.hidden_size
        return Block(
            SelfAttention(width, config.num_heads, bias=True, dropout=config.attention_dropout),
            FeedForward(width, config.inner_size or 4 * width, config.activation),
            partial(NORMS[config.norm], width, config.dropout, config.norm_eps),
        )

    def pools(self) -> bool:
        return False

    def make_head(self) -> nn.Module:
        if self.config.task == "masked-lm":
            return TiedReadout(self.config.input_size, bias=True)
        return super().make_head()

    def transform(self, x, visible):
        for block in self.blocks:
            if self.training and self.config.layer_drop and torch.rand(()) < self.config.layer_drop:
                continue
            x = block(x, visible)
        return x

    def summary(self, x, lengths):
        return x[:, 0]
