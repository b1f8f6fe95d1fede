"""What a trained model computes for inputs: generated texts, vectors, figures over splits."""

from typing import TYPE_CHECKING

from anncestry.lazy import hand_on

if TYPE_CHECKING:
    from anncestry.inference.batched import encode
    from anncestry.inference.embedding import Embedded
    from anncestry.inference.generation import default_search, generate
    from anncestry.inference.text_stream import TextStream

__all__ = ["Embedded", "TextStream", "default_search", "encode", "generate"]
__getattr__, __dir__ = hand_on(__name__)
