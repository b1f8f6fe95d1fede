"""The page of images: every picture at its place in the grid, nothing from outside."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from anncestry.report.inside.generated import COLUMNS, Pictures, generated_page, grid


@pytest.mark.parametrize(("count", "channels"), [(3, 1), (COLUMNS + 2, 1), (5, 3), (2, 2), (COLUMNS * 2, 4)])
def test_every_image_is_at_its_place(count, channels):
    random = np.random.default_rng(0)
    rows = [random.integers(0, 256, (count, channels, 3, 4)) / 255 for _ in range(2)]
    sheet = np.asarray(grid(rows))
    assert sheet.ndim == (3 if channels >= 3 else 2)
    for line, images in enumerate(rows):
        for number, image in enumerate(images):
            top = (number // COLUMNS * 2 + line) * 4
            left = number % COLUMNS * 5
            found = sheet[top : top + 3, left : left + 4]
            expected = image[:3].transpose(1, 2, 0) if channels >= 3 else image[0]
            np.testing.assert_array_equal(found, (expected * 255).round())


def test_the_page_holds_its_pictures_and_words():
    images = np.linspace(0, 1, 2 * 64).reshape(2, 1, 8, 8)
    parts = [Pictures(title="Again <x>", about="about & it", rows=[images, images])]
    page = generated_page("A net", ["first", "second"], parts)
    assert "Again &lt;x&gt;" in page
    assert "about &amp; it" in page
    (data,) = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        assert picture.size == (17, 17)
        assert f'width="{6 * 17}"' in page
    assert "http" not in page.replace("http-equiv", "")
