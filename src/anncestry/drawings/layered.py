"""Where the boxes of a family tree stand: rows of generations, an order with few crossings, and places.

After Sugiyama, Tagawa and Toda, Methods for visual understanding of hierarchical system structures, IEEE
SMC 11 (1981): what passes a row without stopping is given a narrow place there, so that no line runs under a
box.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

Item = tuple[str, ...]
"""``(node,)`` is a box; ``(node, "line")`` is a line of descent from it that passes a row."""
Edge = tuple[str, str]  # parent, child

GAP = 12.0  # between neighbours in a row
LINE_WIDTH = 2.0
SWEEPS = 40


class Layout(NamedTuple):
    """Rows from the top, each from left to right, and the middle of every item on its row."""

    rows: list[list[Item]]
    middle: list[dict[Item, float]]


def lay_out(
    years: Mapping[str, int], parents: Mapping[str, Sequence[str]], widths: Mapping[str, float], width: float
) -> Layout:
    """Places for all nodes.

    Args:
        years: of each node; parents come before children.
        parents: of each node.
        widths: of its box.
        width: of the picture, which a row's boxes fill to seven tenths at most.
    """
    row_of = _rows(years, parents, widths, 0.7 * width)
    rows, links = _items(row_of, parents)
    rows = _ordered(rows, links)
    return Layout(rows, _placed(rows, links, widths, width))


def line_through(edge: Edge, row: int, row_of: Mapping[str, int]) -> Item:
    """What an edge meets on a row: its parent's box, the line from it, or its child's box."""
    parent, child = edge
    return (parent,) if row == row_of[parent] else (child,) if row == row_of[child] else (parent, "line")


def _rows(
    years: Mapping[str, int], parents: Mapping[str, Sequence[str]], widths: Mapping[str, float], room: float
) -> dict[str, int]:
    """The row of each node: below its parents, and never above a node of an earlier year."""
    row_of: dict[str, int] = {}
    filled: dict[int, float] = {}
    for node, year in years.items():
        earlier = (row for other, row in row_of.items() if years[other] < year)
        row = max([*earlier, *(row_of[parent] + 1 for parent in parents[node])], default=0)
        while filled.get(row, 0.0) and filled[row] + widths[node] + GAP > room:
            row += 1
        row_of[node] = row
        filled[row] = filled.get(row, 0.0) + widths[node] + GAP
    return row_of


def _items(
    row_of: Mapping[str, int], parents: Mapping[str, Sequence[str]]
) -> tuple[list[list[Item]], list[list[tuple[Item, Item]]]]:
    """What stands on each row, and what is joined between each row and the next."""
    count = max(row_of.values()) + 1
    rows: list[dict[Item, None]] = [{} for _ in range(count)]
    links: list[dict[tuple[Item, Item], None]] = [{} for _ in range(count - 1)]
    for child, row in row_of.items():
        rows[row][(child,)] = None
    for child, several in parents.items():
        for edge in ((parent, child) for parent in several):
            passed = range(row_of[edge[0]], row_of[child] + 1)
            items = [line_through(edge, row, row_of) for row in passed]
            for row, item in zip(passed, items, strict=True):
                rows[row][item] = None
            for row, link in zip(passed, pairwise(items), strict=False):
                links[row][link] = None
    return list(map(list, rows)), list(map(list, links))


def _neighbours(links: Sequence[tuple[Item, Item]]) -> tuple[dict[Item, list[Item]], dict[Item, list[Item]]]:
    """What is joined to each item from below it, and from above it."""
    below: dict[Item, list[Item]] = {}
    above: dict[Item, list[Item]] = {}
    for upper, lower in links:
        below.setdefault(upper, []).append(lower)
        above.setdefault(lower, []).append(upper)
    return below, above


def _ordered(rows: list[list[Item]], links: list[list[tuple[Item, Item]]]) -> list[list[Item]]:
    """The rows in the order with the fewest crossings that going up and down by means of neighbours finds."""
    beside = [_neighbours(pairs) for pairs in links]
    best, fewest = rows, crossings(rows, links)
    for sweep in range(SWEEPS):
        rows = list(rows)
        down = sweep % 2 == 0
        numbers = range(1, len(rows)) if down else range(len(rows) - 2, -1, -1)
        for number in numbers:
            fixed = rows[number - 1 if down else number + 1]
            place = {item: index / len(fixed) for index, item in enumerate(fixed)}
            joined = beside[number - 1][1] if down else beside[number][0]
            own = {item: index / len(rows[number]) for index, item in enumerate(rows[number])}
            mean = {
                item: sum(map(place.__getitem__, joined[item])) / len(joined[item])
                if item in joined
                else own[item]
                for item in rows[number]
            }
            rows[number] = sorted(rows[number], key=mean.__getitem__)
        rows = _swapped(rows, beside)
        if (count := crossings(rows, links)) < fewest:
            best, fewest = rows, count
    return best


def _swapped(rows: list[list[Item]], beside: Sequence[tuple[dict, dict]]) -> list[list[Item]]:
    """The rows after neighbours have changed places wherever that saves crossings."""
    rows = [list(row) for row in rows]
    for number, row in enumerate(rows):
        sides = []
        if number:
            sides.append((beside[number - 1][1], {item: i for i, item in enumerate(rows[number - 1])}))
        if number < len(rows) - 1:
            sides.append((beside[number][0], {item: i for i, item in enumerate(rows[number + 1])}))
        for left in range(len(row) - 1):
            one, other = row[left], row[left + 1]
            saved = 0
            for joined, place in sides:
                for a in map(place.__getitem__, joined.get(one, ())):
                    for b in map(place.__getitem__, joined.get(other, ())):
                        saved += (a > b) - (a < b)
            if saved > 0:
                row[left], row[left + 1] = other, one
    return rows


def crossings(rows: Sequence[Sequence[Item]], links: Sequence[Sequence[tuple[Item, Item]]]) -> int:
    """How many pairs of lines cross between rows."""
    total = 0
    for number, pairs in enumerate(links):
        upper = {item: index for index, item in enumerate(rows[number])}
        lower = {item: index for index, item in enumerate(rows[number + 1])}
        ends = [(upper[one], lower[other]) for one, other in pairs]
        total += sum((a - c) * (b - d) < 0 for index, (a, b) in enumerate(ends) for c, d in ends[:index])
    return total


def _placed(
    rows: Sequence[Sequence[Item]],
    links: Sequence[Sequence[tuple[Item, Item]]],
    widths: Mapping[str, float],
    width: float,
) -> list[dict[Item, float]]:
    """The middle of every item: as near to its neighbours' mean as order and room allow, row by row."""
    beside = [_neighbours(pairs) for pairs in links]
    wide = {item: widths[item[0]] if len(item) == 1 else LINE_WIDTH for row in rows for item in row}
    middle: list[dict[Item, float]] = []
    for row in rows:
        spare = (width - sum(wide[item] + GAP for item in row)) / len(row)
        left, places = 0.0, {}
        for item in row:
            places[item] = left + (wide[item] + GAP + spare) / 2
            left += wide[item] + GAP + spare
        middle.append(places)
    for sweep in range(SWEEPS):
        for number in range(len(rows)) if sweep % 2 == 0 else range(len(rows) - 1, -1, -1):
            wanted, weights = [], []
            for item in rows[number]:
                near = [(middle[number - 1], other) for other in _of(beside, number - 1, 1, item)]
                near += [(middle[number + 1], other) for other in _of(beside, number, 0, item)]
                # A line that goes on as a line is to be straight before all else.
                pulls = [(places[other], 1.0 + 3.0 * (len(item) + len(other) == 4)) for places, other in near]
                pulls = pulls or [(middle[number][item], 1.0)]
                weights.append(sum(weight for _, weight in pulls))
                wanted.append(sum(place * weight for place, weight in pulls) / weights[-1])
            sizes = [wide[item] for item in rows[number]]
            middle[number] = dict(zip(rows[number], spread(wanted, weights, sizes, width), strict=True))
    return middle


def _of(beside: Sequence[tuple[dict, dict]], number: int, side: int, item: Item) -> list[Item]:
    return beside[number][side].get(item, []) if 0 <= number < len(beside) else []


def spread(
    wanted: Sequence[float], weights: Sequence[float], sizes: Sequence[float], width: float
) -> list[float]:
    """The places nearest to the wanted ones, by weighted squares, at which items in this order do not touch.

    Less the room that items to the left take, places must not fall: an isotonic regression, found by pooling
    adjacent violators.

    Args:
        sizes: of the items, whose neighbours stand ``GAP`` apart.
        width: what all of them have to fit in.
    """
    offsets = [0.0]
    for one, other in pairwise(sizes):
        offsets.append(offsets[-1] + (one + other) / 2 + GAP)
    pools: list[tuple[float, float, int]] = []  # mean, weight, items
    for place, weight, offset in zip(wanted, weights, offsets, strict=True):
        mean, total, count = place - offset, weight, 1
        while pools and pools[-1][0] > mean:
            other, other_weight, other_count = pools.pop()
            mean = (mean * total + other * other_weight) / (total + other_weight)
            total, count = total + other_weight, count + other_count
        pools.append((mean, total, count))
    low, high = sizes[0] / 2, width - sizes[-1] / 2 - offsets[-1]
    level = [max(low, min(high, mean)) for mean, _, count in pools for _ in range(count)]
    return [place + offset for place, offset in zip(level, offsets, strict=True)]
