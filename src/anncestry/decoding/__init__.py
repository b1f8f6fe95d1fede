"""From a model that scores the next token to a text, over one protocol: ``step`` and a state by value."""

from typing import TYPE_CHECKING

from anncestry.lazy import hand_on

if TYPE_CHECKING:
    from anncestry.decoding.dispatch import decode, read_prompt, read_source
    from anncestry.decoding.hypothesis import Hypothesis
    from anncestry.decoding.sampling import Sampling, sample, stream
    from anncestry.decoding.search import Search

__all__ = ["Hypothesis", "Sampling", "Search", "decode", "read_prompt", "read_source", "sample", "stream"]
__getattr__, __dir__ = hand_on(__name__)
