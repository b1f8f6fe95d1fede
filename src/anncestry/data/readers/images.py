"""Reading image files as 8-bit pixels: turned upright, on white where transparent, grey or RGB."""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from anncestry.data.readers.archives import Member
from anncestry.errors import UserError

SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".pgm", ".ppm", ".pbm")
# Only plain decoders: Pillow would hand some other formats to outside programs.
_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
_SKIP = "Delete it, or set skip_bad to leave such files out."
_GREY = ("1", "L", "LA", "I", "I;16", "I;16L", "I;16B", "I;16N")


def is_image(path: Path | Member) -> bool:
    """Whether a file is named like an image."""
    return path.is_file() and path.suffix.lower() in SUFFIXES


def read_image(path: Path | Member) -> Image.Image:
    """One image in mode ``L`` (if the file is grey) or ``RGB``; of an animation the first frame.

    Raises:
        UserError: it cannot be decoded, or unpacks to more pixels than Pillow holds to be safe.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd metadata, of no consequence for the pixels
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with path.open("rb") as file, Image.open(file, formats=_FORMATS) as image:
                return _flatten(ImageOps.exif_transpose(image))
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        rule = f"an image may have {Image.MAX_IMAGE_PIXELS} pixels; this one unpacks to more"
        raise UserError("image", str(path), rule, hint=_SKIP) from None
    except Exception as error:  # decoders raise almost anything on a damaged file
        reason = "no known image format" if "cannot identify" in str(error) else str(error)
        if not _holds_anything(path):
            reason = "it is empty"
        raise UserError("image", str(path), f"cannot be read ({reason})", hint=_SKIP) from None


def _holds_anything(path: Path | Member) -> bool:
    try:
        with path.open("rb") as file:
            return bool(file.read(1))
    except OSError:
        return True  # it cannot be opened, which has been said


def _flatten(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit grey; Pillow's own conversion would clip it at 255
        return Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
    if image.mode == "F":
        raise ValueError("floating-point pixels have no known range")
    mode = "L" if image.mode in _GREY else "RGB"
    if image.has_transparency_data:
        ground = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(ground, image.convert("RGBA")).convert(mode)
    return image.convert(mode)


def to_pixels(image: Image.Image, height: int, width: int) -> np.ndarray:
    """Resized (C, height, width) uint8: C is 1 or 3."""
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BILINEAR)  # averages where it shrinks
    pixels = np.asarray(image)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def with_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """The same image with 1 or 3 channels: grey is repeated, colour becomes its luma."""
    if pixels.shape[0] == channels:
        return pixels
    if channels == 3:
        return np.repeat(pixels, 3, axis=0)
    red, green, blue = pixels.astype(np.float64)
    return np.rint(0.299 * red + 0.587 * green + 0.114 * blue).astype(np.uint8)[None]  # ITU-R BT.601
