"""Attention weights over a feature map become maps of the image; models without attention are known."""

import pytest
import torch

from anncestry.inspection.alignments import attends_to_source, attention_over_image, grid_of
from anncestry.models.create import create
from anncestry.signature import Signature

TEXTS = Signature("translation", "tokens", (5,), 9, 8, target_len=4)
IMAGES = Signature("captioning", "image", (1, 16, 16), 9, target_len=4)


@pytest.mark.parametrize(
    ("name", "signature", "expected"),
    [
        ("rnnsearch", TEXTS, True),
        ("luong-attention", TEXTS, True),
        ("show-attend-and-tell", IMAGES, True),
        ("seq2seq", TEXTS, False),
        ("rnn-encoder-decoder", TEXTS, False),
        ("show-and-tell", IMAGES, False),
        ("mlp", Signature("classification", "vector", (3,), 2), False),
    ],
)
def test_who_attends_to_the_source(name, signature, expected):
    assert attends_to_source(create(name, signature=signature, width=4).eval(), signature) == expected


@pytest.mark.parametrize(
    ("num_places", "height", "width", "expected"),
    [
        (49, 64, 64, (7, 7)),
        (32, 30, 60, (4, 8)),
        (32, 60, 30, (8, 4)),
        (12, 30, 41, (3, 4)),
        (7, 20, 40, (1, 7)),
    ],
)
def test_positions_have_the_shape_of_the_image(num_places, height, width, expected):
    assert grid_of(num_places, height, width) == expected


def test_a_position_is_lit_where_it_is():
    weights = torch.zeros(2, 8)
    weights[0, 1], weights[0, 6], weights[1, 3] = 0.4, 0.1, 0.02  # of 2 rows and 4 columns
    maps = attention_over_image(weights, 8, 16)  # a place is 4 x 4 pixels
    assert maps.shape == (2, 8, 16)
    assert torch.equal(maps.amax((1, 2)), torch.ones(2))  # each by its own scale
    assert maps[0, :2, 5:7].min() > 0.7
    assert maps[0, 6:, 9:11].mean() == pytest.approx(0.25, rel=0.3)
    assert maps[0, :, 14:].max() == 0
    row, column = divmod(int(maps[1].argmax()), 16)
    assert (row // 4, column // 4) == (0, 3)


def test_attending_everywhere_lights_everything():
    torch.testing.assert_close(attention_over_image(torch.full((1, 9), 1 / 9), 12, 12), torch.ones(1, 12, 12))
    assert attention_over_image(torch.zeros(0, 9), 12, 12).shape == (0, 12, 12)
