"""What a net draws: originals, how they came back, and new images, as one page."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from PIL import Image

from anncestry.report.page import section, shell

COLUMNS = 12
SMALLEST = 48  # pixels of the screen along the smaller side of an image


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """A part of the page.

    Attributes:
        title: its heading.
        about: one sentence.
        rows: images (N, C, H, W) in [0, 1], one line of the grid under the other, N being the columns; lines
            of more than `COLUMNS` images are broken together.
    """

    title: str
    about: str
    rows: Sequence[np.ndarray]


def generated_page(title: str, facts: Sequence[str], parts: Sequence[Pictures]) -> str:
    """The whole file.

    Args:
        facts: sentences at the top.
    """
    content = f'<p class="lead">{escape(facts[0])}</p>\n<p>{escape(" ".join(facts[1:]))}</p>\n'
    for number, part in enumerate(parts, 1):
        scale = max(1, -(-SMALLEST // min(part.rows[0].shape[2:])))
        image = grid(part.rows)
        picture = (
            f'<img style="max-width:100%;image-rendering:pixelated" width="{scale * image.width}" '
            f'alt="{escape(part.title)}" src="{data_uri(image)}">'
        )
        content += section(f"part-{number}", part.title, f"<p>{escape(part.about)}</p>\n{picture}")
    return shell(title, content)


def grid(rows: Sequence[np.ndarray]) -> Image.Image:
    """One picture of lines of images, a pixel of white between them: RGB for three channels, else grey."""
    count, channels, height, width = rows[0].shape
    columns = min(count, COLUMNS)
    blocks = -(-count // columns)
    sheet = np.full(
        (blocks * len(rows) * (height + 1) - 1, columns * (width + 1) - 1, min(channels, 3)), 255, np.uint8
    )
    for line, images in enumerate(rows):
        pixels = (images[:, : sheet.shape[2]] * 255).round().astype(np.uint8).transpose(0, 2, 3, 1)
        for number, image in enumerate(pixels):
            block, column = divmod(number, columns)
            top, left = (block * len(rows) + line) * (height + 1), column * (width + 1)
            sheet[top : top + height, left : left + width] = image
    return Image.fromarray(sheet if sheet.shape[2] == 3 else sheet[..., 0])


def data_uri(image: Image.Image) -> str:
    """The image as an address that holds its own data."""
    buffer = io.BytesIO()
    image.save(buffer, format="png")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
