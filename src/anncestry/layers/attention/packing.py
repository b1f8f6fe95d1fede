"""Texts of different lengths through the same blocks: padded, or packed.

Padded, a batch is as long as its longest text and a mask hides the rest. Packed, the tokens of all texts lie
one behind the other, (1, N, D), and attention keeps within each text: nothing is computed for padding. What
works token by token does not notice.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn

from anncestry.arrays import Bool, Float, Int, Tensor
from anncestry.engine.native.packed_attention import attention_kernel
from anncestry.engine.weight_cache import is_caching_weights
from anncestry.layers.seq2seq.encoder_decoder import visible_positions, where_ragged
from anncestry.layers.watching import any_watched


class Packing(NamedTuple):
    """Where the texts of a packed batch are: it stands in the place of a mask.

    Attributes:
        offsets: (B + 1,) text n is the rows ``offsets[n]`` up to ``offsets[n + 1]``.
        rows: (N,) where each token stands in the padded batch, read row by row.
        shape: (B, T) of the padded batch.
    """

    offsets: Int[Tensor, "B"]
    rows: Int[Tensor, "N"]
    shape: tuple[int, int]

    @classmethod
    def of(cls, lengths: Int[Tensor, "B"], num_positions: int) -> "Packing":
        """Of texts of these lengths, padded to so many positions."""
        offsets = nn.functional.pad(lengths.long().cumsum(0), (1, 0))
        inside = torch.arange(num_positions) < lengths[:, None]
        return cls(offsets, inside.flatten().nonzero().squeeze(1), (len(lengths), num_positions))

    def pack(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "1 N D"]:
        """The vectors of tokens alone."""
        return x.flatten(0, 1).index_select(0, self.rows).unsqueeze(0)

    def unpack(self, x: Float[Tensor, "1 N D"]) -> Float[Tensor, "B T D"]:
        """Back to a padded batch, with zeros in the padding."""
        batch, num_positions = self.shape
        padded = x.new_zeros(batch * num_positions, x.shape[2])
        return padded.index_copy_(0, self.rows, x.squeeze(0)).view(batch, num_positions, -1)


Visible = Bool[Tensor, "B 1 #T S"] | Packing | None
"""Which positions attention sees: a mask, the texts of a packed batch, or all."""


def over_tokens(
    transform: Callable[[Any, Any], Tensor],
    blocks: nn.Module,
    x: Float[Tensor, "B T D"],
    lengths: Int[Tensor, "B"] | None,
) -> Float[Tensor, "B T D2"]:
    """What blocks make of the tokens of texts; behind the end of a text stands what nobody should read.

    Without gradients, where predictions are made on a CPU, the tokens are packed on the way.

    Args:
        transform: ``transform(x, visible)`` calls the blocks, and works token by token but for attention.
        blocks: whoever watches one of them sees padded batches.
        lengths: tokens of each text (default: all).
    """
    ragged = where_ragged(lengths, x)
    if ragged is None:
        return transform(x, None)
    predicts = is_caching_weights() and not blocks.training
    if predicts and attention_kernel(x) is not None and not any_watched(blocks):
        packing = Packing.of(ragged, x.shape[1])
        return packing.unpack(transform(packing.pack(x), packing))
    return transform(x, visible_positions(ragged, x)[:, None, None])
