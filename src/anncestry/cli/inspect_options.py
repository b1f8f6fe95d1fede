"""What the pages of `anncestry inspect` can be asked for."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Options:
    """What some pages can be asked for.

    Attributes:
        layer: see `Arguments`.
        head: Transformers: the number of the head that is shown, 1 being the first; default: all.
        answer: Transformers that translate: a translation taken for the net's own; default: its greedy one.
        units: recurrent nets: how many units of each layer are shown: those that vary most.
        max_steps: texts and series: the longest that is read; the rest is left out.
    """

    layer: tuple[str, ...] = ()
    head: int | None = None
    answer: str | None = None
    units: int = 32
    max_steps: int = 120
