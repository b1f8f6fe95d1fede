"""Layers of encoder-decoders: alignment, readouts, teacher forcing."""

from typing import TYPE_CHECKING

from anncestry.lazy import hand_on

if TYPE_CHECKING:
    from anncestry.layers.seq2seq.alignment import (
        Additive,
        Concat,
        Dot,
        General,
        Location,
        Monotonic,
        Predictive,
        alignment_weights,
    )
    from anncestry.layers.seq2seq.lookup import Lookup
    from anncestry.layers.seq2seq.readout import DeepReadout, MaxoutReadout

__all__ = [
    "Additive",
    "Concat",
    "DeepReadout",
    "Dot",
    "General",
    "Location",
    "Lookup",
    "MaxoutReadout",
    "Monotonic",
    "Predictive",
    "alignment_weights",
]
__getattr__, __dir__ = hand_on(__name__)
