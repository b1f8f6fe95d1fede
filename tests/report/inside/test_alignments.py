"""The page of alignments: every weight at its place, labels that fit, nothing of a word taken for HTML."""

import base64
import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from anncestry.report.inside.alignments import (
    CELL,
    LETTER,
    LIGHT,
    STRENGTH,
    Aligned,
    alignments_page,
    heat_map,
    lit_images,
)

HOSTILE = '<script>"a" & b</script>'


def drawn(source, words, weights):
    """``(svg element, {(t, s): opacity}, texts)`` of a heat map."""
    found = re.search(r"<svg.*</svg>", heat_map(source, words, np.asarray(weights, float)), re.DOTALL)
    assert found is not None
    svg = ElementTree.fromstring(found[0])
    ground, *cells = svg.findall("rect")
    left, top = float(ground.attrib["x"]), float(ground.attrib["y"])
    opacity = {}
    for cell in cells:
        s, t = (float(cell.attrib["x"]) - left) / CELL, (float(cell.attrib["y"]) - top) / CELL
        assert t == pytest.approx(round(t), abs=1e-3)
        assert s == pytest.approx(round(s), abs=1e-3)
        opacity[round(t), round(s)] = float(cell.attrib["fill-opacity"])
    return svg, opacity, svg.findall("text")


def test_every_weight_is_at_its_place():
    weights = [[0.9, 0.1, 0.0], [0.004, 0.2, 0.796]]
    svg, opacity, texts = drawn(["ein", "Hund", "läuft"], ["a", "dog"], weights)
    assert opacity == {(0, 0): 0.9, (0, 1): 0.1, (1, 1): 0.2, (1, 2): 0.796}
    assert [text.text for text in texts] == ["ein", "Hund", "läuft", "a", "dog"]
    ground = svg.findall("rect")[0].attrib
    assert (float(ground["width"]), float(ground["height"])) == (3 * CELL, 2 * CELL)
    titles = [title.text for title in svg.iter("title")]
    assert titles == ["a / ein: 0.90", "a / Hund: 0.10", "dog / Hund: 0.20", "dog / läuft: 0.80"]


@pytest.mark.parametrize(
    "source", [["x"], ["a", "bb"], ["word", "a" * 40, "w"], ["w", "a" * 40], ["漢字漢字"]]
)
def test_labels_have_room(source):
    words = ["long" * 6, "<end>"]
    svg, _, texts = drawn(source, words, np.full((2, len(source)), 0.5))
    _, _, width, height = map(float, svg.attrib["viewBox"].split())
    assert f"--width: {width:.0f}px" in svg.attrib["style"]
    for text in texts:
        label = str(text.text)
        letters = len(label.encode("utf-16-le")) // 2 * (2 if label[0] == "漢" else 1)
        x, y, length = float(text.attrib["x"]), float(text.attrib["y"]), LETTER * letters
        if text.attrib["text-anchor"] == "end":
            assert x - length >= -0.01
        elif "transform" in text.attrib:
            assert y - 0.7 * length >= 0
            assert x + 0.7 * length <= width + CELL / 2
        else:
            assert y <= height


def test_a_long_word_is_cut_and_shown_whole():
    long = "Donaudampfschifffahrtsgesellschaft"
    svg, _, texts = drawn([long], [long], [[1.0]])
    assert [text.text for text in texts] == ["Donaudampfschifffah…"] * 2
    assert [title.text for title in svg.iter("title")] == [f"{long} / {long}: 1.00"]


def test_short_labels_stand_upright():
    assert "rotate" not in heat_map(list("2021"), ["4", "<end>"], np.full((2, 4), 0.25))
    assert "rotate" in heat_map(["one"], ["1"], np.ones((1, 1)))


def test_no_word_is_html():
    figure = heat_map([HOSTILE], [HOSTILE], np.ones((1, 1)))
    pixels, maps = np.zeros((1, 4, 4)), np.ones((1, 4, 4))
    figure += lit_images(HOSTILE, [HOSTILE], pixels, maps)
    item = Aligned(title=HOSTILE, text=HOSTILE, about=HOSTILE, figure=figure)
    page = alignments_page(HOSTILE, [HOSTILE, HOSTILE], [item, item])
    assert "<script" not in page
    assert 'alt="<' not in page
    assert '"a" & b' not in page
    assert page.count('<section id="text-') == 2
    assert 'src="http' not in page
    assert "href" not in page


def test_images_are_lit_where_the_net_attended():
    pixels = np.stack([np.full((6, 6), value) for value in (1.0, 0.5, 0.0)])
    maps = np.zeros((2, 6, 6))
    maps[1, :3] = 1
    html = lit_images("a.png", ["a", "dog"], pixels, maps)
    assert re.findall(r"<figcaption[^>]*>([^<]*)</figcaption>", html) == ["a.png", "a", "dog"]
    shown = []
    for data in re.findall(r'src="data:image/png;base64,([^"]+)"', html):
        with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
            shown.append(np.asarray(picture) / 255)
    whole, nowhere, upper = shown
    expected = pixels.transpose(1, 2, 0)
    np.testing.assert_allclose(whole, expected, atol=0.003)
    np.testing.assert_allclose(nowhere, 0.5, atol=0.003)
    np.testing.assert_allclose(upper[3:], 0.5, atol=0.003)
    lit = (1 - STRENGTH) * 0.5 + STRENGTH * LIGHT[:, 0, 0]
    np.testing.assert_allclose(upper[:3], np.broadcast_to(lit, (3, 6, 3)), atol=0.003)


def test_other_colours_are_shown_grey():
    html = lit_images("x", [], np.stack([np.ones((3, 3)), np.zeros((3, 3))]), np.zeros((0, 3, 3)))
    (data,) = re.findall(r'base64,([^"]+)"', html)
    with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        assert picture.getpixel((1, 1)) == (128, 128, 128)
