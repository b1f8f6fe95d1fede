"""From a model that scores the next token to a text, over one protocol: ``step`` and a state by value."""

from anncestry.decoding.decode import decode, read_prompt, read_source
from anncestry.decoding.hypothesis import Hypothesis
from anncestry.decoding.sampling import Rule, sample, stream
from anncestry.decoding.search import LENGTH_PENALTIES, Search

__all__ = [
    "LENGTH_PENALTIES", "Hypothesis", "Rule", "Search", "decode", "read_prompt", "read_source", "sample",
    "stream",
]  # fmt: skip
