"""What every converter makes of a foreign file."""

from typing import Any, NamedTuple

from torch import Tensor


class Imported(NamedTuple):
    """A network of ours made from a foreign file.

    Attributes:
        architecture: its id on the timeline.
        config: fields of its config.
        tensors: the state dict of its model.
        processor: the JSON of what reads its inputs, where the file says that; else None.
        notes: what was assumed, for a person to know.
    """

    architecture: str
    config: dict[str, Any]
    tensors: dict[str, Tensor]
    processor: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()
