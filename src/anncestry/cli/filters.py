"""Which part of the timeline a command is about."""

from collections.abc import Iterable
from dataclasses import dataclass

from anncestry.timeline import Architecture
from anncestry.timeline.selection import select


@dataclass(frozen=True)
class Filters:
    """Options that `anncestry list` and `anncestry log` share."""

    task: str | None = None
    """Only what can be trained for this task: classification, regression, forecasting, language-model, ..."""
    kind: str | None = None
    """Only this branch of the family: feed-forward, convolutional, generative, recurrent, temporal,
    sequence-to-sequence, transformer or pre-trained."""
    since: int | None = None
    """Only what is of this year or younger."""
    until: int | None = None
    """Only what is of this year or older."""

    def of(self, entries: Iterable[Architecture]) -> list[Architecture]:
        """Those of the entries that are asked for, in their order."""
        return select(self.task, self.kind, self.since, self.until, among=entries)
