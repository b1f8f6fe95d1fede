"""A graph of descent in characters, as ``git log --graph`` draws it."""

from collections.abc import Iterator, Mapping, Sequence


def rails(order: Sequence[str], parents: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str | None]]:
    r"""The lines of the picture, each with the node whose line it is, or None between nodes.

    A node is ``*`` in its own lane. A lane is known by the node that it leads to: ``|`` goes straight on,
    ``\`` one lane to the right and ``/`` one to the left. A stroke that meets ``|`` in passing crosses it.

    Args:
        order: every node once, children before parents.
        parents: of every node, all of them in ``order``.

    >>> for line, node in rails("dcba", {"d": "bc", "c": "a", "b": "a", "a": ""}):
    ...     print(f"{line:5}{node or ''}".rstrip())
    *    d
    |\
    | *  c
    * |  b
    |/
    *    a
    """
    lanes: list[str | None] = []
    ended = -1  # the lane of a node without parents on the line above
    for node in order:
        if node not in lanes:
            if ended == len(lanes):  # or it would seem to be that node's parent
                yield _row({2 * lane: "|" for lane in range(len(lanes))}), None
            lanes.append(node)
        own = lanes.index(node)
        yield _row({2 * lane: "*" if lane == own else "|" for lane in range(len(lanes))}), node
        first, *others = parents[node] or (None,)
        lanes[own] = first
        for other in reversed(others):  # one more lane to the right of its own for each
            if other in lanes[own + 1 : own + 2]:  # the lane beside it leads there already
                strokes = {2 * lane: "|" for lane in range(len(lanes))}
                yield _row(strokes | {2 * own + 1: "\\"}), None
                continue
            strokes = {2 * lane + (lane > own): "\\" if lane > own else "|" for lane in range(len(lanes))}
            yield _row(strokes | {2 * own + 1: "\\"}), None
            lanes.insert(own + 1, other)
        ended = own if first is None else -1
        for line in _closed_up(lanes):
            yield line, None
            ended = -1
        lanes = list(dict.fromkeys(lane for lane in lanes if lane is not None))


def _closed_up(lanes: Sequence[str | None]) -> Iterator[str]:
    """The lines in which lanes to one node join, and the others move left to where there is room."""
    targets = {lane: place for place, lane in enumerate(dict.fromkeys(filter(None, lanes)))}
    places = [(place, targets[lane]) for place, lane in enumerate(lanes) if lane is not None]
    # All that move do so by one lane a line. So no two of them ever meet, they only cross those that stay.
    while any(place > target for place, target in places):
        yield _row({2 * place - (place > target): "/" if place > target else "|" for place, target in places})
        places = [(place - (place > target), target) for place, target in places]


def _row(strokes: Mapping[int, str]) -> str:
    return "".join(strokes.get(place, " ") for place in range(max(strokes) + 1)) if strokes else ""
