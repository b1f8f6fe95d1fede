"""Which part of the timeline a command is about."""

from collections.abc import Iterable
from dataclasses import dataclass

from anncestry.errors import UserError, nearest
from anncestry.timeline import KINDS, TIMELINE, Architecture, kind_of


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


def select(
    task: str | None = None,
    kind: str | None = None,
    since: int | None = None,
    until: int | None = None,
    *,
    among: Iterable[Architecture] = TIMELINE,
) -> list[Architecture]:
    """The architectures of a task, a kind and some years, both ends included; all without any of these.

    Raises:
        UserError: no architecture has such a task or kind, or the years run backwards.
    """
    tasks = list(dict.fromkeys(known for architecture in TIMELINE for known in architecture.tasks))
    if task is not None and task not in tasks:
        raise UserError("--task", task, "is not a task", tasks)
    if kind is not None and kind not in KINDS:
        raise UserError("--kind", kind, "is not a kind", nearest(kind, list(KINDS)))
    if since is not None and until is not None and since > until:
        raise UserError("--since", since, f"must not come after --until {until}")
    return [
        entry
        for entry in among
        if (task is None or task in entry.tasks)
        and (kind is None or kind_of(entry) == kind)
        and (since is None or entry.year >= since)
        and (until is None or entry.year <= until)
    ]
