"""One of the two models of a comparison, and the input that both are given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from anncestry.signature import Signature
from anncestry.timeline import Architecture

Records = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of two models; `anncestry.runs.subjects.find_sides` makes both.

    Attributes:
        name: as it was given.
        architecture, config: of the timeline; None for a person's own module.
        free: whether it is an architecture whose sizes were chosen here: no preset, run or model.
        signature: the learning problem; None where nothing says what a module reads.
        shadow: the model without weights, where it can be made so.
        make: the model with weights: a run's own, else random ones.
        trained: whether these are its own.
        records: of a run its ``training`` settings, ``data`` and ``scores``, read when they are asked for.
    """

    name: str
    architecture: Architecture | None = None
    config: Any = None
    free: bool = False
    signature: Signature | None = None
    shadow: nn.Module
    make: Callable[[], nn.Module]
    trained: bool = False
    records: Callable[[], Records] | None = None

    @property
    def num_parameters(self) -> int:
        """All weights, trained by gradient or not."""
        return sum(parameter.numel() for parameter in self.shadow.parameters())

    def to_json(self) -> dict[str, Any]:
        """What it is, as plain data."""
        return {
            "name": self.name,
            "title": type(self.shadow).__name__ if self.architecture is None else self.architecture.name,
            "architecture": None if self.architecture is None else self.architecture.id,
            "signature": None if self.signature is None else self.signature.to_json(),
            "parameters": self.num_parameters,
        }


def same_input(a: Side, b: Side) -> tuple[Signature | None, Signature | None, bool]:
    """What both are run on, and whether it is the same: sequences are cut to the shorter of the two.

    The vocabulary is a size of the model, not of the input.
    """
    one, other = a.signature, b.signature
    if one is None or other is None:
        return one, other, False
    if one.inputs != other.inputs or one.shape[1:] != other.shape[1:]:
        return one, other, False
    if one.inputs in ("series", "tokens", "characters"):
        steps, target = min(one.shape[0], other.shape[0]), min(one.target_len, other.target_len)
        one, other = (
            replace(of, shape=(steps, *of.shape[1:]), target_len=target or of.target_len)
            for of in (one, other)
        )
    return one, other, one.shape == other.shape
