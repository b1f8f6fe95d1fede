"""The picture of a graph in characters: whoever follows its strokes finds the graph again."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from anncestry.drawings.log_graph import rails


@st.composite
def graphs(draw):
    """Nodes, children first, and the parents of each."""
    order = [f"n{number}" for number in range(draw(st.integers(0, 12)))]
    parents = {}
    for number, node in enumerate(order):
        later = order[number + 1 :]
        some = st.lists(st.sampled_from(later), max_size=4, unique=True) if later else st.just([])
        parents[node] = draw(some)
    return order, parents


def followed(lines, parents):
    """``(edges, strokes)``: who is joined to whom, and the places of all characters that were met."""
    edges, met = [], set()
    walkers: set[tuple[str, int, bool]] = set()  # from whom, in which lane, whether on a stroke to the left

    def at(number, place):
        line = lines[number][0]
        return line[place] if 0 <= place < len(line) else " "

    for number, (_, node) in enumerate(lines):
        onward = set()
        for origin, lane, leftward in walkers:
            ways = []
            if at(number, 2 * lane) == "*":
                edges.append((origin, node))
                continue
            if leftward and at(number, 2 * lane - 1) == "/":
                ways = [-1]
            else:
                ways += [0] if at(number, 2 * lane) == "|" else []
                ways += [1] if at(number, 2 * lane + 1) == "\\" else []
                ways = ways or ([-1] if at(number, 2 * lane - 1) == "/" else [])
            assert ways, f"line {number}: the line from {origin} breaks off"
            met |= {(number, 2 * lane + way) for way in ways}
            onward |= {(origin, lane + way, way < 0) for way in ways}
        if node is not None:
            place = lines[number][0].index("*")
            met.add((number, place))
            if parents[node]:
                onward.add((node, place // 2, False))
        walkers = onward
    assert not walkers
    return edges, met


@given(graphs())
@settings(max_examples=40, deadline=None)
def test_the_graph_can_be_read_back(graph):
    order, parents = graph
    lines = list(rails(order, parents))
    assert [node for _, node in lines if node is not None] == order
    for line, node in lines:
        assert line.count("*") == (node is not None)
        assert line == line.rstrip()
    edges, met = followed(lines, parents)
    assert sorted(edges) == sorted((child, parent) for child in order for parent in parents[child])
    drawn = {
        (number, place) for number, (line, _) in enumerate(lines) for place, c in enumerate(line) if c != " "
    }
    assert met == drawn  # and no stroke leads nowhere
    for (line, node), (after, _) in pairwise(lines):  # nor does a node seem to descend from a root
        if node is not None and not parents[node]:
            assert after.ljust(len(line))[line.index("*")] == " "


def test_crossings_and_merges():
    parents = {"merge": ["left", "right"], "fork": ["left"], "right": ["root"], "left": ["root"], "root": []}
    picture = [line + ("" if node is None else f" {node}") for line, node in rails(list(parents), parents)]
    assert picture == [
        "* merge",
        "|\\",
        "| | * fork",
        "| |/",
        "|/|",
        "| * right",
        "* | left",
        "|/",
        "* root",
    ]


def test_roots_are_kept_apart():
    assert list(rails("ba", {"b": "", "a": ""})) == [("*", "b"), ("", None), ("*", "a")]
    assert list(rails("", {})) == []
