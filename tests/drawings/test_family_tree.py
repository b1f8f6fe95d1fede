"""The family tree as a picture: everyone is there once, nothing lies over anything."""

import re
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anncestry.drawings.family_tree import BOX_HEIGHT, COLOURS, NAME_SIZE, SMALL_SIZE, family_tree, text_width
from anncestry.drawings.layered import GAP, spread
from anncestry.timeline import KINDS, TIMELINE, kind_of
from anncestry.timeline.ancestry import ancestors, in_order, kinship

SVG = "{http://www.w3.org/2000/svg}"


def drawn(entries):
    """``(root, boxes by id as (x, y, width, height), paths by id)``."""
    root = ET.fromstring(family_tree(entries, kinship(entries)))
    boxes = {}
    for group in root.iter(f"{SVG}g"):
        if "id" in group.attrib:
            assert group.attrib["id"] not in boxes
            rect = group.find(f"{SVG}rect")
            assert rect is not None
            boxes[group.attrib["id"]] = tuple(float(rect.attrib[a]) for a in ("x", "y", "width", "height"))
    paths = {path.attrib["id"]: path for path in root.iter(f"{SVG}path") if "id" in path.attrib}
    return root, boxes, paths


@pytest.fixture(scope="module")
def whole():
    return drawn(in_order())


def apart(one, other):
    """Whether two boxes do not meet."""
    (x, y, width, height), (u, v, wide, high) = one, other
    return x + width < u or u + wide < x or y + height < v or v + high < y


def test_every_entry_is_a_box_of_its_kind(whole):
    root, boxes, _ = whole
    assert sorted(boxes) == sorted(entry.id for entry in TIMELINE)
    groups = {group.attrib["id"]: group for group in root.iter(f"{SVG}g") if "id" in group.attrib}
    for entry in TIMELINE:
        texts = [text.text for text in groups[entry.id].iter(f"{SVG}text")]
        assert " ".join(texts[:-1]) == entry.name.partition(" (")[0]
        assert texts[-1] == f"{entry.id} · {entry.year}"
        assert groups[entry.id].findall(f"{SVG}rect")[1].attrib["stroke"] == COLOURS[kind_of(entry)]


def test_every_kind_has_a_colour_of_its_own():
    assert list(COLOURS) == list(KINDS)
    assert len(set(COLOURS.values())) == len(KINDS)


@given(st.sets(st.sampled_from([entry.id for entry in TIMELINE]), min_size=1))
@settings(max_examples=10, deadline=None)
def test_nothing_lies_over_anything(chosen):
    entries = [entry for entry in in_order() if entry.id in chosen]
    root, boxes, paths = drawn(entries)
    width, height = (float(root.attrib[side]) for side in ("width", "height"))
    for number, (name, box) in enumerate(boxes.items()):
        assert box[0] >= 0
        assert box[0] + box[2] <= width
        assert box[1] + box[3] <= height
        assert all(apart(box, other) for other in list(boxes.values())[:number]), name
    for name, path in paths.items():
        ends = set(name.split("--"))
        for x, top, bottom in upright(path.attrib["d"]):  # curves stay between the rows
            for other, box in boxes.items():
                assert other in ends or apart((x, top, 0.0, bottom - top), box), (name, other)
    places = {name: (box[1], next(e.year for e in entries if e.id == name)) for name, box in boxes.items()}
    for y, year in places.values():
        assert all(v >= y for v, later in places.values() if later > year)  # time runs down


def upright(path):
    """The pieces of a path that go straight down: ``(x, from, to)``."""
    pieces = re.findall(r"[MCV][^MCV]*", path)
    for piece, after in pairwise(pieces):
        if after[0] == "V":
            x, y = piece[1:].split()[-2:]
            yield float(x), float(y), float(after[1:])


def test_every_parent_is_joined_to_its_child(whole):
    _, boxes, paths = whole
    styles = {
        f"{parent}--{e.id}": "idea" if n else "main" for e in TIMELINE for n, parent in enumerate(e.parents)
    }
    assert {name: path.attrib["class"] for name, path in paths.items()} == styles
    for name, path in paths.items():
        parent, child = (boxes[end] for end in name.split("--"))
        numbers = list(map(float, re.findall(r"[\d.]+", path.attrib["d"])))
        assert parent[0] <= numbers[0] <= parent[0] + parent[2]
        assert numbers[1] == parent[1] + BOX_HEIGHT
        assert child[0] <= numbers[-2] <= child[0] + child[2]
        assert numbers[-1] == child[1]


def test_texts_stay_in_their_boxes(whole):
    root, boxes, _ = whole
    for group in root.iter(f"{SVG}g"):
        if "id" not in group.attrib:
            continue
        x, y, width, height = boxes[group.attrib["id"]]
        for text in group.iter(f"{SVG}text"):
            size = SMALL_SIZE if text.attrib["class"] == "id" else NAME_SIZE
            half = text_width(text.text, size) / 2
            assert x < float(text.attrib["x"]) - half
            assert float(text.attrib["x"]) + half < x + width
            assert y + size < float(text.attrib["y"]) < y + height - 2


def test_the_same_bytes_each_time():
    entries = ancestors("mobilebert")
    assert family_tree(entries, kinship(entries)) == family_tree(entries, kinship(entries))


def test_a_picture_has_its_own_paper():
    entries = ancestors("perceptron")
    root, boxes, paths = drawn(entries)
    assert root[2].attrib["fill"] == "#ffffff"
    assert root[2].attrib["width"] == "100%"
    assert (list(boxes), paths) == (["perceptron"], {})
    assert root.attrib["aria-label"] == "Perceptron, 1958"


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(-50, 900), st.floats(0.5, 5), st.floats(2, 60)), min_size=1, max_size=8))
def test_spreading_keeps_order_and_distance(items):
    wanted, weights, sizes = zip(*items, strict=True)
    room = sum(sizes) + GAP * len(sizes) + 20
    places = spread(wanted, weights, sizes, room)
    for (x, wide), (y, high) in pairwise(zip(places, sizes, strict=True)):
        assert y - x >= (wide + high) / 2 + GAP - 1e-6
    assert places[0] >= sizes[0] / 2 - 1e-6
    assert places[-1] <= room - sizes[-1] / 2 + 1e-6


def test_spreading_leaves_alone_what_has_room():
    assert spread([50.0, 100.0], [1.0, 1.0], [10.0, 10.0], 200.0) == [50.0, 100.0]
    assert spread([50.0, 50.0], [1.0, 3.0], [10.0, 10.0], 200.0) == pytest.approx([33.5, 55.5])


PICTURE = Path(__file__).parents[2] / "docs" / "pictures" / "family-tree.svg"


@pytest.mark.skipif(not PICTURE.is_file(), reason="no documents beside the tests")
def test_the_picture_of_the_readme_is_todays():
    """``anncestry log --all --svg docs/pictures/family-tree.svg`` draws it again."""
    entries = in_order()
    assert PICTURE.read_text(encoding="utf-8") == family_tree(entries, kinship(entries))
