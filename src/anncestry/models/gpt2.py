r"""GPT-2: GPT with the normalisation before each sub-layer, for deep and large ones.

Paper: A. Radford, J. Wu, R. Child, D. Luan, D. Amodei & I. Sutskever, "Language models are unsupervised
multitask learners" (2019).

    x = Drop(E[token] + P[position])
    N times:  x = x + Drop(MH(LN(x), LN(x) up to here));    x = x + Drop(W2 gelu(W1 LN(x) + b1) + b2)
    p(next token) = softmax(E LN(x_t))

Differs from GPT: the sum that runs through all layers is never normalised itself, and so there is one more
normalisation at its end; the last weights of every sub-layer start smaller, as 2 N of them are added; twice
as many positions.

Departures from the paper: see the ledger of its entry on the timeline.
"""

import math
from dataclasses import dataclass

from torch import nn

from anncestry.layers.attention.blocks import PreNorm
from anncestry.models.gpt import GPT, INIT, GPTConfig


@dataclass(frozen=True, kw_only=True)
class GPT2Config(GPTConfig):
    """As for GPT."""

    num_positions: int = 1024
    seq_len: int = 1024


class GPT2(GPT):
    """See `GPT`."""

    around = PreNorm

    def last_norm(self) -> nn.Module:
        return nn.LayerNorm(self.config.hidden_size, self.config.norm_eps)

    def reset_parameters(self) -> None:
        super().reset_parameters()
        for block in self.blocks:
            for last in (block.attention.out, block.feed_forward.out):
                nn.init.normal_(last.weight, std=INIT / math.sqrt(2 * self.config.num_layers))
