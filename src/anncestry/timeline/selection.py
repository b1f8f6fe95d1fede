"""Parts of the timeline: by task, branch and years, by whose history it is, and as plain data. No torch."""

from collections.abc import Iterable
from typing import Any

from anncestry.errors import UserError, nearest, require
from anncestry.timeline import KINDS, TIMELINE, Architecture, find, kind_of
from anncestry.timeline.ancestry import ancestors, descendants, in_order, main_line


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
        raise UserError("task", task, "is not a task", tasks)
    if kind is not None and kind not in KINDS:
        raise UserError("kind", kind, "is not a kind", nearest(kind, list(KINDS)))
    if since is not None and until is not None and since > until:
        raise UserError("since", since, f"must not come after `until={until}`")
    return [
        entry
        for entry in among
        if (task is None or task in entry.tasks)
        and (kind is None or kind_of(entry) == kind)
        and (since is None or entry.year >= since)
        and (until is None or entry.year <= until)
    ]


def history(
    name: str | None, *, all: bool = False, forks: bool = False, first_parent: bool = False
) -> tuple[Architecture, ...]:
    """What an architecture descends from, and itself; parents come before children.

    Args:
        name: an architecture or a preset; may be None for the whole family.
        all: the whole family.
        forks: what descends from it in place of what it descends from.
        first_parent: follow main parents only.

    Raises:
        UserError: nothing has that name, or none is given where one is needed.
    """
    if name is None:
        rule = "say whose history, as in `anncestry log bert`, or ask for `all`"
        require(all and not forks, "name", None, rule)
        return in_order()
    name = find(name).id
    if all:
        require(not forks, "forks", True, "is a part of `all`; take one of them")
        return in_order()
    if forks:
        found = descendants(name)
        if not first_parent:
            return found
        return tuple(fork for fork in found if find(name) in main_line(fork.id))
    return main_line(name) if first_parent else ancestors(name)


def as_json(architecture: Architecture) -> dict[str, Any]:
    """What `anncestry list` shows of an architecture and a little more, as plain data."""
    return {
        "id": architecture.id,
        "name": architecture.name,
        "year": architecture.year,
        "kind": kind_of(architecture),
        "parents": list(architecture.parents),
        "adds": architecture.adds,
        "removes": architecture.removes,
        "paper": architecture.paper,
        "tasks": list(architecture.tasks),
        "fits": sorted(map(list, architecture.fits)),
        "module": f"anncestry.models.{architecture.module}",
        "aliases": list(architecture.aliases),
        "presets": [
            {"name": preset.name, "parameters": preset.num_parameters, "source": preset.source}
            for preset in architecture.presets
        ],
    }
