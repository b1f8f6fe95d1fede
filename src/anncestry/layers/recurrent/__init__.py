"""Recurrence as an algebra: cells do one step, wirings make networks of any cell."""

from typing import TYPE_CHECKING

from anncestry.lazy import hand_on

if TYPE_CHECKING:
    from anncestry.layers.recurrent.bilm import BiLM, DirectedLM
    from anncestry.layers.recurrent.cell_variants import LSTM1997Cell, PeepholeLSTMCell, ResetFirstGRUCell
    from anncestry.layers.recurrent.cells import Cell, ElmanCell, GRUCell, HiddenState, LSTMCell, LSTMState
    from anncestry.layers.recurrent.dilated import Dilated, Skip
    from anncestry.layers.recurrent.highway import HighwayLSTMCell, HighwayStack, RHNCell
    from anncestry.layers.recurrent.jordan import JordanCell
    from anncestry.layers.recurrent.projection import LSTMPCell, ProjectedCell
    from anncestry.layers.recurrent.recurrence import recur
    from anncestry.layers.recurrent.registry import make_cell
    from anncestry.layers.recurrent.residual import Residual, ResidualLSTMCell
    from anncestry.layers.recurrent.sequence_network import (
        CausalSequenceNetwork,
        SequenceConfig,
        SequenceNetwork,
    )
    from anncestry.layers.recurrent.temporal import CausalConvolution, TemporalBlock, TemporalConvolution
    from anncestry.layers.recurrent.wirings import Bidirectional, Stacked, Unrolled, reverse, stack

__all__ = [
    "BiLM",
    "Bidirectional",
    "CausalConvolution",
    "CausalSequenceNetwork",
    "Cell",
    "Dilated",
    "DirectedLM",
    "ElmanCell",
    "GRUCell",
    "HiddenState",
    "HighwayLSTMCell",
    "HighwayStack",
    "JordanCell",
    "LSTM1997Cell",
    "LSTMCell",
    "LSTMPCell",
    "LSTMState",
    "PeepholeLSTMCell",
    "ProjectedCell",
    "RHNCell",
    "ResetFirstGRUCell",
    "Residual",
    "ResidualLSTMCell",
    "SequenceConfig",
    "SequenceNetwork",
    "Skip",
    "Stacked",
    "TemporalBlock",
    "TemporalConvolution",
    "Unrolled",
    "make_cell",
    "recur",
    "reverse",
    "stack",
]
__getattr__, __dir__ = hand_on(__name__)
