"""Texts, and a vector for each of them."""

from dataclasses import dataclass
from typing import Any

from anncestry.arrays import Float, Tensor
from anncestry.data.processors.packed import PackedProcessor


@dataclass(frozen=True)
class VectorProcessor(PackedProcessor):
    """Texts, or pairs of texts, whose outputs are vectors of the whole text."""

    kind = "packed-vectors"

    def decode(self, outputs: Float[Tensor, "B D"]) -> list[dict[str, Any]]:
        """``{"vector": [...]}`` for each row."""
        return [{"vector": row} for row in outputs.detach().float().cpu().tolist()]
