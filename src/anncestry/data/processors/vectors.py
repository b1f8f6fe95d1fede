"""Texts, and a vector for each of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from anncestry.arrays import Float, Tensor
from anncestry.data.processors.packed import PackedProcessor, Text


@dataclass(frozen=True)
class VectorProcessor(PackedProcessor):
    """Texts, or pairs of texts, whose outputs are vectors of the whole text.

    Attributes:
        prompt: what is put before each text, as the model was trained.
    """

    prompt: str = field(default="", kw_only=True)

    kind = "packed-vectors"

    def encode_counted(self, texts: Sequence[Text], special: bool = False, blank: bool = False):
        """As of all packed texts, with the prompt before each."""
        asked = [
            self.prompt + text if isinstance(text, str) else (self.prompt + text[0], text[1])
            for text in texts
        ]
        return super().encode_counted(asked if self.prompt else texts, special, blank)

    def decode(self, outputs: Float[Tensor, "B D"]) -> list[dict[str, Any]]:
        """``{"vector": [...]}`` for each row."""
        return [{"vector": row} for row in outputs.detach().float().cpu().tolist()]
