"""Causal dilated convolutions over time: a wiring like the recurrent ones, all of whose steps run at once.

Inside, sequences are (B, C, T), channels before time, as convolutions want them. The state is what a later
step still has to see: the last (k - 1) d inputs of every convolution. So a text can be read window after
window, or step by step, with nothing forgotten that a single pass over all of it would have seen.
"""

import math
from typing import NamedTuple

import torch
from torch import nn

from anncestry.arrays import Float, Int, Tensor
from anncestry.errors import require
from anncestry.layers.dropout import Dropout
from anncestry.layers.recurrent.wirings import check_lengths, check_state, visible_steps


def causal_convolution(
    x: Float[Tensor, "B C T"],
    weight: Float[Tensor, "K C k"],
    bias: Float[Tensor, "K"] | None,
    before: Float[Tensor, "B C past"],
    lengths: Int[Tensor, "B"] | None = None,
    dilation: int = 1,
) -> tuple[Float[Tensor, "B K T"], Float[Tensor, "B C past"]]:
    """A convolution over ``before``, the P = (k - 1) d inputs before the first, and ``x``.

    Returns:
        ``(y, after)``: y (B, K, T), and the last P inputs up to each row's own end.
    """
    memory = before.shape[2]
    seen = torch.cat([before, x], dim=2) if memory else x
    y = nn.functional.conv1d(seen, weight, bias, dilation=dilation)
    if lengths is None:
        return y, seen[:, :, seen.shape[2] - memory :]
    last = lengths.unsqueeze(1) + torch.arange(memory, device=x.device)  # (B, P)
    return y, seen.gather(2, last.unsqueeze(1).expand(-1, x.shape[1], -1))


class CausalConvolution(nn.Module):
    r"""A dilated convolution that sees the present and the past, its weights in polar form.

    .. math:: F(t) = \sum_{i<k} w_i x_{t - d i} + b, \qquad w = g\, v / \lVert v \rVert

    Sources: Bai, Kolter & Koltun, 1803.01271, equation 2; Salimans & Kingma, 1602.07868, for the weights.

    Args:
        in_channels, out_channels: of the input and output.
        kernel_size: k, steps seen.
        dilation: d, the distance between them.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, dilation: int) -> None:
        super().__init__()
        self.in_channels, self.dilation = in_channels, dilation
        self.memory = (kernel_size - 1) * dilation  # steps that a later one still has to see
        self.direction = nn.Parameter(torch.empty(out_channels, in_channels, kernel_size))
        self.gain = nn.Parameter(torch.empty(out_channels, 1, 1))
        self.bias = nn.Parameter(torch.empty(out_channels))
        bound = 1 / math.sqrt(in_channels * kernel_size)
        nn.init.uniform_(self.direction, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)
        with torch.no_grad():
            self.gain.copy_(self.direction.norm(dim=(1, 2), keepdim=True))

    def initial_state(self, batch_size: int) -> Float[Tensor, "B C past"]:
        """Zeros in place of what came before the start."""
        return self.bias.new_zeros(batch_size, self.in_channels, self.memory)

    def forward(
        self,
        x: Float[Tensor, "B C T"],
        state: Float[Tensor, "B C past"],
        lengths: Int[Tensor, "B"] | None = None,
    ) -> tuple[Float[Tensor, "B K T"], Float[Tensor, "B C past"]]:
        weight = self.gain * self.direction / self.direction.norm(dim=(1, 2), keepdim=True)
        return causal_convolution(x, weight, self.bias, state, lengths, self.dilation)

    def extra_repr(self) -> str:
        out_channels, in_channels, kernel_size = self.direction.shape
        return f"{in_channels}, {out_channels}, kernel_size={kernel_size}, dilation={self.dilation}"


class BlockState(NamedTuple):
    """What the two convolutions of a block still have to see."""

    first: Float[Tensor, "B C past"]
    second: Float[Tensor, "B K past"]


class TemporalBlock(nn.Module):
    """Two dilated convolutions, each with ReLU and dropout, and a shortcut; ReLU again on the sum.

    Source: 1803.01271, figure 1 (b). The shortcut is a 1x1 convolution where the widths differ.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, dilation: int, dropout: float
    ) -> None:
        super().__init__()
        self.first = CausalConvolution(in_channels, out_channels, kernel_size, dilation)
        self.second = CausalConvolution(out_channels, out_channels, kernel_size, dilation)
        same = in_channels == out_channels
        self.shortcut = nn.Identity() if same else nn.Conv1d(in_channels, out_channels, 1)
        if isinstance(self.shortcut, nn.Conv1d):
            nn.init.normal_(self.shortcut.weight, std=0.01)
        self.dropout = Dropout(dropout)

    def initial_state(self, batch_size: int) -> BlockState:
        return BlockState(self.first.initial_state(batch_size), self.second.initial_state(batch_size))

    def forward(
        self,
        x: Float[Tensor, "B C T"],
        state: BlockState | None = None,
        lengths: Int[Tensor, "B"] | None = None,
    ) -> tuple[Float[Tensor, "B K T"], BlockState]:
        state = self.initial_state(x.shape[0]) if state is None else state
        h, first = self.first(x, state.first, lengths)
        h, second = self.second(self.dropout(h.relu()), state.second, lengths)
        return (self.dropout(h.relu()) + self.shortcut(x)).relu(), BlockState(first, second)


class TemporalConvolution(nn.Module):
    """Blocks whose dilation doubles: block i has d = 2^i in both of its convolutions.

    Args:
        input_size: D, features per step.
        hidden_size: channels of every block.
        num_blocks: n; the receptive field is R = 1 + 2 (k - 1) (2^n - 1) steps.
        kernel_size: k.
        dropout: inside the blocks.
    """

    def __init__(
        self, input_size: int, hidden_size: int, num_blocks: int, kernel_size: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        require(kernel_size >= 2, "kernel_size", kernel_size, "must be at least 2 to see another step")
        self.input_size, self.output_size = input_size, hidden_size
        sizes = [input_size] + [hidden_size] * num_blocks
        self.blocks = nn.ModuleList(
            TemporalBlock(sizes[i], hidden_size, kernel_size, 2**i, dropout) for i in range(num_blocks)
        )
        self.receptive_field = 1 + 2 * (kernel_size - 1) * (2**num_blocks - 1)

    def initial_state(self, batch_size: int) -> tuple[BlockState, ...]:
        return tuple(block.initial_state(batch_size) for block in self.blocks)  # pyright: ignore

    def step(self, x_t: Float[Tensor, "B D"], state: tuple[BlockState, ...]):
        """One step of time: a sequence of length 1."""
        y, state = self(x_t.unsqueeze(1), state)
        return y.squeeze(1), state

    def forward(
        self,
        x: Float[Tensor, "B T D"],
        state: tuple[BlockState, ...] | None = None,
        lengths: Int[Tensor, "B"] | None = None,
    ) -> tuple[Float[Tensor, "B T H"], tuple[BlockState, ...]]:
        require(x.shape[1] >= 1, "x", tuple(x.shape), "a sequence has at least one step")
        beyond = None
        if lengths is not None:
            check_lengths(lengths, *x.shape[:2])
            beyond = ~visible_steps(lengths, x.shape[1]).unsqueeze(2)
            x = x.masked_fill(beyond, 0)  # a NaN in the padding would reach the gradient of the weights
        if state is not None:
            check_state(state, x.shape[0])
        h, after = x.transpose(1, 2), []
        for block, before in zip(self.blocks, state or [None] * len(self.blocks), strict=True):
            h, block_state = block(h, before, lengths)
            after.append(block_state)
        y = h.transpose(1, 2)
        return y if beyond is None else y.masked_fill(beyond, 0), tuple(after)
