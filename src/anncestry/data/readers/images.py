"""Reading image files as pixels: turned upright, on white where transparent, grey or RGB.

What of a file cannot be kept (frames behind the first one, bits of deep colours) is counted, for
notes to say.
"""

import struct
import warnings
import zlib
from collections import Counter
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from PIL import Image, ImageOps

from anncestry.data.readers.archives import Member
from anncestry.data.readers.watching import counted
from anncestry.errors import UserError
from anncestry.user_files import check_memory

SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".pgm", ".ppm", ".pbm")
# Only plain decoders: Pillow would hand some other formats to outside programs.
_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
_SKIP = "Delete it, or set skip_bad to leave such files out."
_GREY = ("1", "L", "LA")
_PNG = b"\x89PNG\r\n\x1a\n"
_PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
"""Chunks of a PNG file without which its pixels would be others."""
FRAMES = "several frames or pages; only the first one is read"
COLOUR_BITS = "colours of 16 bits, of which 8 are kept: finer levels are lost"
METADATA = "metadata that cannot be read; if they say how the camera was turned, that is not heeded"
INKS = "printing inks (CMYK), turned into RGB without a colour profile"
CLEAR = "transparent parts, which were laid on white"


def is_image(path: Path | Member) -> bool:
    """Whether a file is named like an image."""
    return path.suffix.lower() in SUFFIXES and path.is_file()


class Images(NamedTuple):
    """Several images.

    Attributes:
        pixels: (N, C, H, W) uint8, or float32 where a file has grey levels of more than 8 bits; 255 is white.
        bad: which of the files could not be read.
        notes: what of the files was not kept.
    """

    pixels: np.ndarray
    bad: list[int]
    notes: list[str]


def read_images(
    paths: Sequence[Path | Member],
    size: tuple[int, int] | None = None,
    channels: int | None = None,
    skip_bad: bool = False,
) -> Images:
    """All images with the same size and the same channels.

    Args:
        paths: files.
        size: height and width; default: those of the first image.
        channels: 1 or 3; default: 1 if every file is grey, else 3.
        skip_bad: leave out what cannot be read.

    Raises:
        UserError: a file cannot be read, or they take too much memory.
    """
    images: list[np.ndarray] = []
    bad: list[int] = []
    seen: Counter[str] = Counter()
    for index, path in enumerate(counted(paths, "images")):
        try:
            image = read_image(path, seen)
        except UserError:
            if not skip_bad:
                raise
            bad.append(index)
            continue
        size = size or (image.height, image.width)
        if not images:
            rest = f"{len(paths)} images of {size[0]} x {size[1]} pixels"
            needed = 4 * len(paths) * (channels or 3) * size[0] * size[1]
            check_memory(needed, "images", rest, "Set a smaller image_size.")
        images.append(to_pixels(image, *size))
    channels = channels or max((len(image) for image in images), default=1)
    pixels = [with_channels(image, channels) for image in images]
    notes = [f"{seen[what]} of {len(paths)} images have {what}" for what in sorted(seen)]
    return Images(np.stack(pixels) if pixels else np.empty((0, channels, 0, 0), np.uint8), bad, notes)


def read_image(path: Path | Member, seen: Counter[str] | None = None) -> Image.Image:
    """One image in mode ``L`` (if the file is grey), ``F`` (grey of more than 8 bits; 255 is white, as for
    ``L``) or ``RGB``; of an animation the first frame.

    Args:
        path: a file.
        seen: counts what of the file was not kept.

    Raises:
        UserError: it cannot be decoded, or unpacks to more pixels than Pillow holds to be safe.
    """
    found: Counter[str] = Counter()
    try:
        with path.open("rb") as file:
            try:
                image = _decode(file, found)
            except (Image.DecompressionBombWarning, Image.DecompressionBombError):
                raise
            except Exception:
                bare = _without_metadata(file)
                if bare is None:
                    raise
                found = Counter({METADATA: 1})
                image = _decode(bare, found)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        rule = f"an image may have {Image.MAX_IMAGE_PIXELS} pixels; this one unpacks to more"
        raise UserError("image", str(path), rule, hint=_SKIP) from None
    except Exception as error:  # decoders raise almost anything on a damaged file
        reason = "no known image format" if "cannot identify" in str(error) else str(error)
        if isinstance(error, OSError) and error.strerror:
            reason = error.strerror
        if not _holds_anything(path):
            reason = "it is empty"
        raise UserError("image", str(path), f"cannot be read ({reason})", hint=_SKIP) from None
    if seen is not None:
        seen.update(found)
    return image


def _decode(file: IO[bytes], seen: Counter[str]) -> Image.Image:
    with warnings.catch_warnings(record=True) as odd:
        warnings.simplefilter("always")  # on metadata, of no consequence for the pixels
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(file, formats=_FORMATS) as image:
            if getattr(image, "is_animated", False):
                seen[FRAMES] = 1
                image.seek(0)
            if image.mode == "CMYK":
                seen[INKS] = 1
            if _is_deep_colour(image):
                seen[COLOUR_BITS] = 1
            image.load()
            upright = _upright(image, seen)
            if any("EXIF" in str(warning.message) for warning in odd):
                seen[METADATA] = 1
            return _flatten(upright, seen)


def _is_deep_colour(image: Image.Image) -> bool:
    """Whether Pillow is about to make 8 bits of 16, as it does for all but plain grey."""
    tile = getattr(image, "tile", None)
    if image.mode.startswith(("I", "F")) or not tile:
        return False
    _, _, _, how = tile[0]
    raw, *more = how if isinstance(how, tuple) else (how,)
    largest = more[0] if more and image.format == "PPM" and isinstance(more[0], int) else 0
    return ";16" in str(raw) or largest > 255


def _upright(image: Image.Image, seen: Counter[str]) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # the pixels are there, whatever is wrong with what is said of them
        seen[METADATA] = 1
        return image


def _without_metadata(file: IO[bytes]) -> BytesIO | None:
    """A PNG file with its pixels alone; None where it is none, is damaged there, or has nothing else."""
    file.seek(0)
    data = file.read()
    if not data.startswith(_PNG):
        return None
    kept, at, kind = [_PNG], len(_PNG), b""
    while at + 12 <= len(data) and kind != b"IEND":
        (length,) = struct.unpack_from(">I", data, at)
        kind, end = data[at + 4 : at + 8], at + 12 + length
        if kind in _PIXELS:
            if end > len(data) or zlib.crc32(data[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end]):
                return None
            kept.append(data[at:end])
        at = end
    whole = kind == b"IEND" and sum(map(len, kept)) < len(data)
    return BytesIO(b"".join(kept)) if whole else None


def _holds_anything(path: Path | Member) -> bool:
    try:
        with path.open("rb") as file:
            return bool(file.read(1))
    except OSError:
        return True  # it cannot be opened, which has been said


def _flatten(image: Image.Image, seen: Counter[str]) -> Image.Image:
    if image.mode.startswith("I"):  # Pillow's own conversion would clip the levels at 255
        return Image.fromarray(np.asarray(image).astype(np.float32) / np.float32(257))
    if image.mode == "F":
        raise ValueError("floating-point pixels have no known range")
    mode = "L" if image.mode in _GREY else "RGB"
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        if np.asarray(layer.getchannel("A")).min() < 255:
            seen[CLEAR] = 1
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), layer).convert(mode)
    return image.convert(mode)


def to_pixels(image: Image.Image, height: int, width: int) -> np.ndarray:
    """Resized (C, height, width): C is 1 or 3; uint8, or float32 of an image in mode ``F``."""
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
