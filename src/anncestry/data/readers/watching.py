"""Who reads many files says how far it is, and who called it may watch; nothing is printed here."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

Watch = Callable[[str, int, int], None]
"""``(what is read, how many are done, of how many)``."""

T = TypeVar("T")
_watch: ContextVar[Watch | None] = ContextVar("watch", default=None)


@contextmanager
def watched(watch: Watch) -> Iterator[None]:
    """Within it, ``watch`` is called before each thing that is read, and behind the last one."""
    token = _watch.set(watch)
    try:
        yield
    finally:
        _watch.reset(token)


def counted(things: Sequence[T], what: str) -> Iterator[T]:
    """The things, one after the other, reported to whoever watches."""
    watch = _watch.get()
    for number, thing in enumerate(things):
        if watch is not None:
            watch(what, number, len(things))
        yield thing
    if watch is not None and things:
        watch(what, len(things), len(things))


def report_progress(what: str, done: int, total: int) -> None:
    """Report to whoever watches how many are done, of about how many, in steps of half a percent."""
    watch = _watch.get()
    if watch is not None:
        done = min(done, total)
        watch(what, done - (done % max(1, total // 200) if done < total else 0), total)
