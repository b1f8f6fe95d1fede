"""Drawings of architectures: the right boxes, in each other, with text that fits."""

import functools
import re
from itertools import combinations
from xml.etree import ElementTree

import pytest
import torch

from anncestry.drawings.architecture import diagram, write_diagram
from anncestry.drawings.diagram import TALLEST
from anncestry.drawings.layout import WIDTH, shortened, text_width
from anncestry.errors import UserError
from anncestry.inspection.conformance import tiny_signature
from anncestry.inspection.example_inputs import example_config
from anncestry.models.create import build
from anncestry.timeline import TIMELINE

SVG = "{http://www.w3.org/2000/svg}"
AS_SHOWN = ("bert-base", "gpt2-small", "resnet-50", "elmo", "rnnsearch", "transformer")
SMALL = tuple((architecture, fit) for architecture in TIMELINE for fit in sorted(architecture.fits)[:1])


@functools.cache
def drawn(name):
    return diagram(*example_config(name))


def texts(name):
    return _texts(ElementTree.fromstring(drawn(name)))


def _texts(root):
    return [element.text or "" for element in root.iter(SVG + "text")]


@pytest.mark.parametrize("name", AS_SHOWN)
def test_what_is_shown_holds_together(name):
    _holds_together(drawn(name), *example_config(name))


@pytest.mark.parametrize(("architecture", "fit"), SMALL, ids=[entry.id for entry, _ in SMALL])
def test_every_architecture_has_a_drawing_that_holds_together(architecture, fit):
    config = architecture.configure(tiny_signature(*fit))
    _holds_together(diagram(architecture, config), architecture, config)


def _holds_together(text, architecture, config):
    root = ElementTree.fromstring(text)
    assert int(root.get("height", 0)) <= TALLEST
    paper = (0.0, 0.0, float(WIDTH), float(root.get("height", 0)))
    assert _number_of_boxes(root, paper) > 0
    with torch.device("meta"):
        total = sum(weight.numel() for weight in build(config).parameters())
    shown = _texts(root)
    assert f"{total:,} parameters" in shown
    assert shown[0] == f"{architecture.name} ({architecture.year})" or "…" in shown[0]


def _number_of_boxes(group, outer):
    """Boxes of a group and of the groups in it, each inside its parent and beside its siblings."""
    inside, count = [], 0
    for child in group:
        if child.tag != SVG + "g" or child.find(SVG + "rect") is None:
            continue
        rect = child.find(SVG + "rect")
        x, y, width, height = (float(rect.get(key)) for key in ("x", "y", "width", "height"))
        box = (x, y, x + width, y + height)
        assert outer[0] < box[0] < box[2] < outer[2]
        assert outer[1] < box[1] < box[3] < outer[3]
        _texts_fit(child, box)
        inside.append(box)
        count += 1 + _number_of_boxes(child, box)
    for a, b in combinations(inside, 2):
        assert a[2] < b[0] or b[2] < a[0] or a[3] < b[1] or b[3] < a[1]
    return count


def _texts_fit(group, box):
    spans = []
    for text in group.findall(SVG + "text"):
        size, x = float(text.get("font-size")), float(text.get("x"))
        width = text_width(text.text, size, text.get("font-weight") == "bold")
        left = x - {"end": width, "middle": width / 2}.get(text.get("text-anchor"), 0)
        assert box[0] < left < left + width < box[2] + 0.1, text.text
        spans.append((float(text.get("y")), left, left + width))
    for (y, left, right), (other, start, end) in combinations(spans, 2):
        assert y != other or right <= start or end <= left


def test_blocks_of_bert_are_folded():
    shown = texts("bert-base")
    assert shown.count("× 12") == 1
    assert "blocks.0–11" in shown
    assert shown.count("SelfAttention") == 1
    assert any("7,087,872 each, 85,054,464" in text for text in shown)


def test_blocks_of_different_sizes_are_folded_into_ranges():
    shown = texts("resnet-50")
    assert [text for text in shown if text.startswith("× ")] == ["× 2", "× 3", "× 5", "× 2"]
    assert any("16–64" in text for text in texts("elmo"))


def test_a_layer_called_again_says_how_often():
    assert "2 times" in texts("albert")
    assert "2 times" not in texts("bert")


def test_residual_connections_add():
    added = {name: drawn(name).count("<title>added") for name in ("mlp", "bert", "bilstm")}
    assert added == {"mlp": 0, "bert": 3, "bilstm": 0}  # its embeddings, attention, and feed-forward net
    assert drawn("bilstm").count("<title>joined") == 1


def test_the_same_config_gives_the_same_bytes():
    architecture, config = example_config("rnnsearch")
    assert diagram(architecture, config) == drawn("rnnsearch")


@pytest.mark.parametrize("room", [10, 40, 80, 300])
def test_text_is_shortened_in_its_middle(room):
    text = "embeddings.positions.embedding"
    short = shortened(text, 11, room)
    assert text_width(short, 11) <= room
    if short:
        start, dots, end = short.partition("…")
        assert short == text if not dots else text.startswith(start) and text.endswith(end)


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "mlp.svg"
    path.write_text("old")
    write_diagram(*example_config("mlp"), path)
    assert path.read_text(encoding="utf-8") == drawn("mlp")
    assert [file.name for file in tmp_path.iterdir()] == ["mlp.svg"]


@pytest.mark.parametrize(
    ("place", "rule"),
    [("mlp.png", "must end in .svg"), ("no/mlp.svg", "there is no folder"), ("folder.svg", "is a folder")],
)
def test_where_it_cannot_be_written(tmp_path, place, rule):
    (tmp_path / "folder.svg").mkdir()
    with pytest.raises(UserError, match=re.escape(rule)):
        write_diagram(*example_config("mlp"), tmp_path / place)
    assert [file.name for file in tmp_path.iterdir()] == ["folder.svg"]


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "mlp.svg"
    path.write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("anncestry.files.os.replace", full)
    with pytest.raises(UserError, match="the disk is full"):
        write_diagram(*example_config("mlp"), path)
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["mlp.svg"]
