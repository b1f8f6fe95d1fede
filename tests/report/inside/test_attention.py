"""The page of heads: every weight in its shade, every head once, nothing of a word taken for HTML."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from anncestry.report.inside.attention import LEVELS, SIDE, Heads, attention_page, small_map

HOSTILE = '<script>"a" & b</script>'


def drawn(weights):
    """``(svg element, (T, S) opacities)`` of a small map."""
    svg = ElementTree.fromstring(small_map(weights, HOSTILE))
    shades = np.zeros(weights.shape)
    for path in svg.findall("path"):
        for s, t, run in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\d+z", path.attrib["d"]):
            cells = shades[int(t), int(s) : int(s) + int(run)]
            assert len(cells) == int(run)
            assert not cells.any()
            cells[:] = float(path.attrib["fill-opacity"])
    return svg, shades


@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (9, 2)])
def test_every_weight_has_its_shade(shape):
    weights = np.random.default_rng(0).dirichlet(np.full(shape[1], 0.5), shape[0])
    svg, shades = drawn(weights)
    np.testing.assert_allclose(shades, np.sqrt(weights), atol=0.5 / LEVELS + 1e-3)
    assert svg.attrib["viewBox"] == f"0 0 {shape[1]} {shape[0]}"
    assert f"{SIDE}px" in svg.attrib["style"]
    assert svg.attrib["aria-label"] == HOSTILE


def test_equal_neighbours_are_one_run():
    svg, shades = drawn(np.array([[0.25, 0.25, 0.0, 0.25], [0.0, 1.0, 0.0, 0.0]]))
    assert [path.attrib["d"] for path in svg.findall("path")] == ["M0 0h2v1h-2zM3 0h1v1h-1z", "M1 1h1v1h-1z"]
    np.testing.assert_allclose(shades, [[0.5, 0.5, 0, 0.5], [0, 1, 0, 0]])


def heads(title, count=2):
    return Heads(
        title=title,
        about=HOSTILE,
        rows=["a", HOSTILE],
        columns=["b", "c", HOSTILE],
        numbers=range(1, count + 1),
        weights=np.full((count, 2, 3), 1 / 3),
        effective_keys=[1.04] * count,
        notes=[HOSTILE] * count,
    )


def test_every_head_is_on_the_page():
    overview = [("Self", [heads("Layer 1", 3), heads("Layer 2", 3)]), (HOSTILE, [heads(HOSTILE, 1)])]
    page = attention_page(HOSTILE, [HOSTILE, HOSTILE], [heads("Self, layer 2"), heads(HOSTILE)], overview)
    assert page.count("<svg") == page.count("<figcaption>") == 3 + 3 + 1 + 2 + 2
    assert page.count("<h2>") == 1 + 2
    assert page.count("Head 2: attends to 1.0 token, ") == 2 * 2 + 2  # in the overview also read aloud
    assert page.count("are left blank") == 1
    assert "<script" not in page
    assert '"a" & b' not in page
    assert 'src="' not in page
    assert "href" not in page


def test_a_page_without_an_overview():
    page = attention_page("t", ["one"], [heads("part", 1)])
    assert "All heads at a glance" not in page
    assert page.count("<svg") == 1
