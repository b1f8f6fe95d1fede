"""The page of a net of images says what it shows, and how it was chosen."""

from types import SimpleNamespace

import numpy as np
import pytest

from anncestry.report.inside.image import image_page

RANDOM = np.random.default_rng(0)


def filters(colours, count, total):
    weights = RANDOM.normal(size=(count, colours, 3, 5))
    return SimpleNamespace(name="conv1", weights=weights, channels=tuple(range(count)), total=total)


def layer(box=(2, 1, 5, 5), gradient=None):
    if gradient is None:
        gradient = np.zeros((9, 9))
        gradient[3:6, 2:6] = 1
    maps = np.abs(RANDOM.normal(size=(3, 4, 4)))
    return SimpleNamespace(
        name="a.b", maps=maps, channels=(4, 0, 2), total=8, unit=(4, 2, 1), gradient=gradient, box=box
    )


def page(colours=1, first=None, layers=()):
    return image_page("Inside", ["a <fact>"], RANDOM.random((colours, 9, 9)), first, layers)


@pytest.mark.parametrize("colours", [1, 3])
def test_pictures_and_captions(colours):
    made = page(colours, filters(colours, 4, 4), [layer(), layer()])
    assert made.count("data:image/png;base64") == 1 + 1 + 2 * 2
    assert "a &lt;fact&gt;" in made
    assert "All 4 kernels of layer conv1, 3 x 5 weights" in made
    assert "The 3 of 8 feature maps with the largest norm, 4 x 4 units" in made
    assert "feature map 4 in row 3, column 2: the frame is its receptive field of 5 x 5 pixels" in made
    assert "those that do at all span 3 x 4." in made
    assert "into the padding" not in made
    assert "<script" not in made
    assert "http" not in made.replace("http-equiv", "")


def test_a_choice_of_kernels_is_reported():
    assert "The 64 of 96 kernels with the largest norm of layer conv1" in page(3, filters(3, 64, 96))


def test_other_colours_have_no_picture():
    made = page(2, filters(2, 4, 4))
    assert "read 2 channels, which have no colours to show" in made
    assert made.count("data:image/png;base64") == 1
    assert "The first kernels" not in page(1)


def test_a_field_beyond_the_image_and_one_that_nothing_moves():
    made = page(layers=[layer(box=(-3, 0, 20, 9), gradient=np.zeros((9, 9)))])
    assert "The field reaches beyond the image, into the padding." in made
    assert "none does, for this image" in made
