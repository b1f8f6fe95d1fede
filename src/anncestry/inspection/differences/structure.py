"""Two module trees side by side: which parts are new, gone, of another size, or the same.

Children are paired by name first where they are alike, and then in their order, so that the likenesses add
up to the most (Needleman & Wunsch, 1970). Two parts are as like as the classes in them, and a little as the
shapes of their weights. What stands inside another part on one side alone was wrapped.
"""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from anncestry.inspection.differences.parts import Part, Values
from anncestry.inspection.differences.values import Value

ALIKE = 0.5  # of two parts that count as one, changed
_BY_TYPE, _BY_SHAPE = 0.8, 0.2
_WRAPPED = 0.95  # of the likeness, where one stands inside another part
_OTHER_ROLE = 0.6
_STRANGERS = 0.75  # classes that inherit nothing from each other
_SAME_PLACE = 1e-3

Kind = Literal["gone", "new", "resized", "changed"]
_OPPOSITE: dict[str, Kind] = {"gone": "new", "new": "gone", "resized": "resized", "changed": "changed"}


@dataclass(frozen=True)
class Place:
    """A part where it stands in its model.

    Attributes:
        path: its name from the root; empty for the root.
        calls: of a layer in a row, how often each is called; None where that is not known.
        inside: the classes of what it holds, and how many of each.
        varied: settings that differ between the modules that are folded into it.
    """

    path: str
    type: str
    repeats: int
    calls: int | None
    parameters: int
    inside: tuple[tuple[str, int], ...] = ()
    varied: tuple[tuple[str, tuple[Any, ...]], ...] = ()


@dataclass(frozen=True)
class Change:
    """What became of a part, without what became of the parts in it.

    Attributes:
        kind: ``gone`` and ``new`` with all that is in it; ``resized`` where shapes, their number or its use
            differ; ``changed`` where class or settings do.
        a, b: the part on each side; None where it has none.
        shapes, settings: of weights and attributes that differ: the different values in it.
        around: of what is new or gone: the path of the part that it was put around, which is kept.
    """

    kind: Kind
    a: Place | None
    b: Place | None
    shapes: tuple[Value, ...] = ()
    settings: tuple[Value, ...] = ()
    around: str | None = None

    @property
    def weight(self) -> int:
        """Parameters by which to sort."""
        return max(place.parameters for place in (self.a, self.b) if place is not None)

    def mirrored(self) -> "Change":
        values = (tuple(value.mirrored() for value in of) for of in (self.shapes, self.settings))
        shapes, settings = values
        return Change(_OPPOSITE[self.kind], self.b, self.a, shapes, settings, self.around)


@dataclass(frozen=True)
class Structure:
    """Two trees.

    Attributes:
        changes: in the order of the trees.
        same: parts that are equal with all that is in them; the outermost alone.
        pairs: the paths of all parts that were paired, equal or not; their root is left out.
    """

    changes: tuple[Change, ...]
    same: tuple[tuple[Place, Place], ...]
    pairs: tuple[tuple[str, str], ...]

    def of(self, *kinds: Kind) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.kind in kinds)

    def mirrored(self) -> "Structure":
        return Structure(
            _as_git(change.mirrored() for change in self.changes),
            tuple((b, a) for a, b in self.same),
            tuple((b, a) for a, b in self.pairs),
        )

    def to_json(self) -> dict[str, Any]:
        same = [
            {"a": a.path, "b": b.path, "parameters": min(a.parameters, b.parameters)} for a, b in self.same
        ]
        return {"changes": [asdict(change) for change in self.changes], "same": same}


def structure(a: Part, b: Part) -> Structure:
    """The differences between two trees; from ``b`` to ``a`` they are the mirror image."""
    if repr(b.key) < repr(a.key):  # one order for both directions, whatever ties are broken by
        return structure(b, a).mirrored()
    walk = _Walk()
    walk.pair(a, b, "", "")
    return Structure(_as_git(walk.changes), tuple(walk.same), tuple(walk.pairs))


def _as_git(changes: Iterable[Change]) -> tuple[Change, ...]:
    """What goes before what comes, wherever they follow each other."""
    runs = itertools.groupby(changes, key=lambda change: change.kind in ("gone", "new"))
    return tuple(
        change
        for alone, run in runs
        for change in (sorted(run, key=lambda change: change.kind) if alone else run)
    )


class _Walk:
    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.same: list[tuple[Place, Place]] = []
        self.pairs: list[tuple[str, str]] = []

    def pair(self, a: Part, b: Part, at_a: str, at_b: str, silent: bool = False) -> None:
        """Compare two parts and what is in them; ``silent`` where they are known to be equal."""
        if at_a or at_b:
            self.pairs.append((at_a, at_b))
        if a.key == b.key and not _used_differently(a, b):
            if not silent:
                self.same.append((_place(a, at_a), _place(b, at_b)))
            for one, other in zip(a.children, b.children, strict=True):
                self.pair(one, other, _below(at_a, one), _below(at_b, other), silent=True)
            return
        changes, same = len(self.changes), len(self.same)
        if not at_a or not self._unwrapped(a, b, at_a, at_b):
            self._own(a, b, at_a, at_b)
            self._children(a.children, b.children, at_a, at_b)
        if len(self.changes) == changes and not silent:  # as in one of six like blocks and one of twelve
            self.same[same:] = [(_place(a, at_a), _place(b, at_b))]

    def _unwrapped(self, a: Part, b: Part, at_a: str, at_b: str) -> bool:
        inner_a, inner_b = _inner(a, b), _inner(b, a)
        if inner_b is not None:
            rest = [child for child in b.children if child is not inner_b]
            path = _below(at_b, inner_b)
            place = replace(_place(b, at_b), parameters=_own_parameters(b))
            self.changes.append(Change("new", None, place, around=path))
            self.pair(a, inner_b, at_a, path)
            self._children([], rest, at_a, at_b)
        elif inner_a is not None:
            rest = [child for child in a.children if child is not inner_a]
            path = _below(at_a, inner_a)
            place = replace(_place(a, at_a), parameters=_own_parameters(a))
            self.changes.append(Change("gone", place, None, around=path))
            self.pair(inner_a, b, path, at_b)
            self._children(rest, [], at_a, at_b)
        return inner_a is not None or inner_b is not None

    def _own(self, a: Part, b: Part, at_a: str, at_b: str) -> None:
        shapes = _apart(a.shapes, b.shapes)
        settings = _apart(a.settings, b.settings)
        if shapes or a.sizes != b.sizes:
            settings = tuple(value for value in settings if not _is_size(value))
        resized = bool(shapes) or a.repeats != b.repeats or _used_differently(a, b)
        if resized or settings or a.type != b.type:
            kind: Kind = "resized" if resized else "changed"
            self.changes.append(Change(kind, _place(a, at_a), _place(b, at_b), shapes, settings))

    def _children(self, first: Sequence[Part], second: Sequence[Part], at_a: str, at_b: str) -> None:
        matches = matched(first, second)
        partner = {id(a): b for a, b in matches}
        paired = {id(b) for _, b in matches}
        places = {id(b): place for place, b in enumerate(second)}
        waiting = [b for b in second if id(b) not in paired]
        for a in first:
            b = partner.get(id(a))
            if b is not None:
                while waiting and places[id(waiting[0])] < places[id(b)]:
                    self._alone(waiting.pop(0), at_b, "new")
                self.pair(a, b, _below(at_a, a), _below(at_b, b))
            else:
                self._alone(a, at_a, "gone")
        for b in waiting:
            self._alone(b, at_b, "new")

    def _alone(self, part: Part, at: str, kind: Kind) -> None:
        path = _below(at, part)
        while len(part.children) == 1 and part.type == "ModuleList":
            (part,) = part.children
            path = _below(path, part)
        place = _place(part, path)
        self.changes.append(Change(kind, *((place, None) if kind == "gone" else (None, place))))


def matched(first: Sequence[Part], second: Sequence[Part]) -> list[tuple[Part, Part]]:
    """Which children of two parts are one another."""
    named = {part.name: part for part in second if not part.numbered}
    found = [
        (part, named[part.name])
        for part in first
        if part.name in named
        and (part.type == named[part.name].type or likeness(part, named[part.name]) >= ALIKE)
    ]
    done = {id(part) for pair in found for part in pair}
    rest_a = [part for part in first if id(part) not in done]
    rest_b = [part for part in second if id(part) not in done]
    return found + _in_order(rest_a, rest_b)


def _in_order(first: Sequence[Part], second: Sequence[Part]) -> list[tuple[Part, Part]]:
    """The pairs, in order, whose likenesses add up to the most."""
    best: list[list[float]] = [[0.0] * (len(second) + 1) for _ in range(len(first) + 1)]
    gain = [[_gain(a, b) for b in second] for a in first]
    for i in reversed(range(len(first))):
        for j in reversed(range(len(second))):
            best[i][j] = max(best[i + 1][j + 1] + gain[i][j], best[i + 1][j], best[i][j + 1])
    found, i, j = [], 0, 0
    while i < len(first) and j < len(second):
        if gain[i][j] > 0 and best[i][j] == best[i + 1][j + 1] + gain[i][j]:
            found.append((first[i], second[j]))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return found


def _gain(a: Part, b: Part) -> float:
    alike = likeness(a, b)
    if alike < ALIKE:
        return -1.0
    return alike + _SAME_PLACE * (a.name == b.name)


def likeness(a: Part, b: Part) -> float:
    """From 0 to 1; of parts that one model reads with and the other generates with it is less."""
    direct = _likeness(a, b) * (1 if a.family & b.family else _STRANGERS)
    inside = [_likeness(child, a) for child in _wrapped(b, a)] + [
        _likeness(child, b) for child in _wrapped(a, b)
    ]
    alike = max([direct, *(_WRAPPED * value for value in inside)])
    return alike * _OTHER_ROLE if {a.role, b.role} == {"reads", "generates"} else alike


def _likeness(a: Part, b: Part) -> float:
    if not a.children and not b.children and a.type != b.type:
        return 0.0
    types = _overlap(a.types, b.types)
    return _BY_TYPE * types + _BY_SHAPE * (_overlap(a.sizes, b.sizes) if a.sizes or b.sizes else types)


def _overlap(a: Counter[Any], b: Counter[Any]) -> float:
    return 2 * (a & b).total() / max(1, a.total() + b.total())


def _inner(a: Part, b: Part) -> Part | None:
    """The child of ``a`` that ``b`` is, where ``b`` is not ``a`` itself."""
    alike = [child for child in _wrapped(a, b) if _likeness(child, b) >= ALIKE]
    return max(alike, key=lambda child: _likeness(child, b), default=None)


def _wrapped(a: Part, b: Part) -> list[Part]:
    """The children of ``a``, with most of its weights, that may be ``b``."""
    if a.type == b.type:
        return []
    return [child for child in a.children if child.type == b.type and 2 * child.parameters >= a.parameters]


def _apart(a: Values, b: Values) -> tuple[Value, ...]:
    """The values that differ; of parts that stand for as many modules, one by one."""
    first, second, found = dict(a), dict(b), []
    for name in dict.fromkeys((*first, *second)):
        one, other = first.get(name), second.get(name)
        if one == other:
            continue
        short = tuple(None if of is None else tuple(dict.fromkeys(of)) for of in (one, other))
        if short[0] != short[1] or len(one or ()) == len(other or ()):
            found.append(Value(name, *short))
    return tuple(found)


_SIZE = re.compile(
    r"(^|_)(size|sizes|features|channels|dim|width|embeddings|shape|units|num_words|rows)($|_)"
)


def _used_differently(a: Part, b: Part) -> bool:
    return None not in (a.used, b.used) and a.used != b.used


def _is_size(value: Value) -> bool:
    """Whether a setting only says again what the shapes of the weights say."""
    return bool(_SIZE.search(value.name))


def _below(path: str, part: Part) -> str:
    return f"{path}.{part.name}" if path else part.name


def _own_parameters(part: Part) -> int:
    return part.parameters - sum(child.parameters for child in part.children)


def _place(part: Part, path: str) -> Place:
    inside: Counter[str] = Counter()
    for child in part.children:
        inside[child.type] += child.repeats
    varied = tuple((name, of) for name, of in part.settings if len(set(of)) > 1 and not _SIZE.search(name))
    return Place(path, part.type, part.repeats, part.used, part.parameters, tuple(inside.items()), varied)
