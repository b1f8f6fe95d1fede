"""What the pages of a run's inside can be asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from anncestry.errors import UserError, nearest, require

HEEDED = {
    "heads-of-translation": ("layer", "head", "answer", "max_steps"),
    "heads": ("layer", "head", "max_steps"),
    "feature-maps": ("layer",),
    "states": ("units", "max_steps"),
}
"""Every kind of page, with the options that it heeds."""


@dataclass(frozen=True, kw_only=True)
class InspectOptions:
    """What some pages can be asked for.

    Attributes:
        layer: nets of images: names of the layers whose feature maps are shown; default: the last layer of
            every resolution. Transformers: numbers of layers, 1 being the first; default: the last.
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


def applicable(kind: str, options: Mapping[str, Any], name: str) -> InspectOptions:
    """The options that were given, each of which the page heeds.

    Args:
        kind: of the page, a key of `HEEDED`.
        options: those that were given, by their names.
        name: of the architecture, for messages.

    Raises:
        UserError: there is no such option, it could have no effect on this page, or it is out of range.
    """
    known = [field.name for field in fields(InspectOptions)]
    for option, value in options.items():
        if option not in known:
            raise UserError("option", option, "there is no such option", nearest(option, known))
        if option not in HEEDED[kind]:
            heeded = ", ".join(f"`{other}`" for other in HEEDED[kind])
            raise UserError(option, value, f"has no effect on the page of this {name}, which heeds {heeded}")
    found = InspectOptions(**options)
    require(found.units >= 1, "units", found.units, "must be at least 1")
    require(found.max_steps >= 2, "max_steps", found.max_steps, "must be at least 2")
    return found
