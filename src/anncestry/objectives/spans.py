"""Entities as spans of words, in the tags that say where each begins and ends.

A tag is ``O`` (outside) or a place in a span with a type behind it: ``B`` begins one, ``I`` (or ``M``) goes
on, ``E`` (or ``L``) ends it, ``S`` (or ``U``, ``W``) is a whole one; ``b-per`` and ``o`` say the same. The
schemes IOB1, IOB2 and IOBES (BILOU, BMEWO) are read by one rule, that of CoNLL-2000's program: a span begins
at B and S, and at any other place behind O, behind another type, and behind E and S; it ends before whatever
begins, and before O. So IOB1 needs its B between neighbours of one type only; what a scheme does not allow
is read as well as it can be.
Where ``O`` stands among tags without a place, neighbours of one tag are one span.
"""

import re
from collections.abc import Sequence

import torch

from anncestry.arrays import Bool, Int, Tensor

OUTSIDE = "O"
_PLACES = {"B": "B", "I": "I", "M": "I", "E": "E", "L": "E", "S": "S", "U": "S", "W": "S"}
_PLACED = re.compile(r"([BIMELSUW])|([BIMELSUW])[-_](.*)|([bimelsuw])[-_](.*)", re.DOTALL)


class Spans:
    """What each tag says, as tables over the tags.

    Attributes:
        kind: (K,) which type of span; -1 outside.
        begins: (K,) whether a span begins at it in any case.
        ends: (K,) whether no span goes on behind it.
    """

    def __init__(self, places: Sequence[tuple[str, str]]) -> None:
        types = sorted({name for place, name in places if place != OUTSIDE})
        self.kind = torch.tensor([-1 if place == OUTSIDE else types.index(name) for place, name in places])
        self.begins = torch.tensor([place in ("B", "S") for place, _ in places])
        self.ends = torch.tensor([place in ("E", "S", OUTSIDE) for place, _ in places])

    def find(
        self, tags: Int[Tensor, "N"], sentence: Int[Tensor, "N"]
    ) -> tuple[Bool[Tensor, "N"], Int[Tensor, "N"], Int[Tensor, "N"]]:
        """The spans in the tags of words one after the other.

        Args:
            sentence: which sentence each word is of; no span goes over its end.

        Returns:
            ``(begins, end, kind)``: whether a span begins at each word; and where it does, the word behind
            its last one, and its type.
        """
        kind, begins, ends = (table.to(tags.device)[tags] for table in (self.kind, self.begins, self.ends))
        fresh = torch.ones_like(begins)  # nothing of the word before goes on
        fresh[1:] = ends[:-1] | (kind[1:] != kind[:-1]) | (sentence[1:] != sentence[:-1])
        inside = kind >= 0
        begins = inside & (begins | fresh)
        places = torch.arange(len(tags), device=tags.device)
        stops = torch.where(begins | ~inside | fresh, places, len(tags))
        behind = torch.full_like(stops, len(tags))
        behind[:-1] = stops[1:].flip(0).cummin(0).values.flip(0)
        return begins, behind, kind


def spans_of(tags: Sequence[str]) -> Spans | None:
    """How tags mark spans; None for tags that do not, parts of speech say."""
    found = {tag: _PLACED.fullmatch(tag) for tag in tags if tag.upper() != OUTSIDE}
    if found and all(found.values()):
        return Spans([_place(tag, found.get(tag)) for tag in tags])
    if OUTSIDE in tags and found:
        return Spans([(OUTSIDE, "") if tag == OUTSIDE else ("I", tag) for tag in tags])
    return None


def _place(tag: str, match: re.Match[str] | None) -> tuple[str, str]:
    if match is None:
        return OUTSIDE, ""
    place = match[1] or match[2] or match[4]
    return _PLACES[place.upper()], match[3] or match[5] or ""
