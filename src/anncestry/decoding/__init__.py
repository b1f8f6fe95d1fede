"""From a model that scores the next token to a text, over one protocol: ``step`` and a state by value."""

from anncestry.decoding.sampling import Rule, sample

__all__ = ["Rule", "sample"]
