"""The bidirectional recurrent network: one net reads from the front, a second from the back.

Paper: M. Schuster & K. Paliwal, "Bidirectional recurrent neural networks", IEEE Transactions on Signal
Processing 45 (1997).

Differs from the RNN: the causal restriction is gone. The output for a whole sequence joins the forward
net's output at the last step with the backward net's output at the first, where each has read everything.

Departures from the paper: layers above the first read both directions; the paper has one layer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import torch

from anncestry.layers.recurrent.cells import Cell, ElmanCell
from anncestry.layers.recurrent.sequence_network import SequenceConfig, SequenceNetwork
from anncestry.layers.recurrent.wirings import Bidirectional, Unrolled, stack
from anncestry.rules import Rule, one_of
from anncestry.signature import CAUSAL_TASKS, Task

BOTH_WAYS = Rule(
    lambda task, _: task not in CAUSAL_TASKS,
    "a net that reads both ways has seen the next token; it fits the other tasks",
)


@dataclass(frozen=True, kw_only=True)
class BRNNConfig(SequenceConfig):
    """Sizes, and the hidden activation: ``tanh`` or ``relu``."""

    task: Annotated[Task, BOTH_WAYS] = "classification"
    activation: Annotated[str, one_of(ElmanCell.activations)] = "tanh"


class BidirectionalNetwork(SequenceNetwork):
    """Stacked layers of any cell, each read in both directions; the last outputs are those of both ends."""

    def __init__(self, config: SequenceConfig, make_cell: Callable[[int], Cell]) -> None:
        def layer(input_size: int) -> Bidirectional:
            return Bidirectional(Unrolled(make_cell(input_size)), Unrolled(make_cell(input_size)))

        super().__init__(config, stack(layer, config.step_size, config.num_layers, config.dropout))

    def last(self, y, lengths):
        ahead_size = y.shape[2] // 2
        ahead = super().last(y[:, :, :ahead_size], lengths)
        return torch.cat([ahead, y[:, 0, ahead_size:]], dim=1)


class BRNN(BidirectionalNetwork):
    """Elman units in both directions."""

    def __init__(self, config: BRNNConfig) -> None:
        super().__init__(config, lambda size: ElmanCell(size, config.hidden_size, config.activation))
