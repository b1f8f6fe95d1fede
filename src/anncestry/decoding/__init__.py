"""From a model that scores the next token to a text, over one protocol: ``step`` and a state by value."""

from anncestry.decoding.sampling import sample

__all__ = ["sample"]
