"""Image files of every common mode become upright 8-bit pixels."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anncestry.data.readers.images import (
    CLEAR,
    COLOUR_BITS,
    FRAMES,
    INKS,
    METADATA,
    read_image,
    read_images,
    to_pixels,
    with_channels,
)
from anncestry.data.readers.watching import watched
from anncestry.errors import UserError

GREY = np.array([[0, 64, 128], [192, 255, 32]], dtype=np.uint8)


def pixels_of(path: Path) -> np.ndarray:
    image = read_image(path)
    return to_pixels(image, image.height, image.width)


def test_grey_stays_grey_and_colour_is_rgb(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "grey.png")
    assert (pixels_of(tmp_path / "grey.png") == GREY[None]).all()
    colour = np.stack([GREY, GREY[::-1], 255 - GREY], axis=2)
    Image.fromarray(colour).save(tmp_path / "colour.png")
    assert (pixels_of(tmp_path / "colour.png") == colour.transpose(2, 0, 1)).all()


def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path) -> None:
    Image.fromarray(GREY.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    assert (pixels_of(tmp_path / "deep.png") == GREY[None]).all()


def test_transparency_lies_on_white(tmp_path: Path) -> None:
    image = Image.new("RGBA", (2, 1), (10, 20, 30, 255))
    image.putpixel((1, 0), (0, 0, 0, 0))
    image.save(tmp_path / "rgba.png")
    assert pixels_of(tmp_path / "rgba.png")[:, 0].T.tolist() == [[10, 20, 30], [255, 255, 255]]
    grey = Image.new("LA", (2, 1), (50, 255))
    grey.putpixel((1, 0), (0, 0))
    grey.save(tmp_path / "la.png")
    assert pixels_of(tmp_path / "la.png").tolist() == [[[50, 255]]]


def test_palettes_and_bits_are_unpacked(tmp_path: Path) -> None:
    colour = Image.fromarray(np.stack([GREY, GREY, 255 - GREY], axis=2))
    colour.convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "palette.png")
    assert pixels_of(tmp_path / "palette.png").shape == (3, 2, 3)
    clear = Image.new("P", (2, 1))
    clear.putpalette([255, 0, 0, 0, 255, 0])
    clear.putpixel((1, 0), 1)
    clear.save(tmp_path / "clear.gif", transparency=1)
    assert pixels_of(tmp_path / "clear.gif")[:, 0].T.tolist() == [[255, 0, 0], [255, 255, 255]]
    Image.fromarray(GREY > 100).save(tmp_path / "bits.png")
    assert pixels_of(tmp_path / "bits.png").tolist() == [[[0, 0, 255], [255, 255, 0]]]


def test_the_camera_may_have_been_turned(tmp_path: Path) -> None:
    image = Image.fromarray(GREY)
    exif = image.getexif()
    exif[0x0112] = 6  # orientation: turn by 90 degrees clockwise to see it upright
    image.save(tmp_path / "turned.png", exif=exif)
    assert (pixels_of(tmp_path / "turned.png")[0] == np.rot90(GREY, -1)).all()


def test_a_damaged_image_is_named(tmp_path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(256, size=(40, 40), dtype=np.uint8)).save(
        tmp_path / "whole.png"
    )
    data = (tmp_path / "whole.png").read_bytes()
    for name, content in {"cut.png": data[: len(data) // 2], "text.png": b"hello", "empty.jpg": b""}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=f"image: got '.*/{name}'; cannot be read .* set skip_bad"):
            read_image(tmp_path / name)
    with pytest.raises(UserError, match="no known image format"):
        read_image(tmp_path / "text.png")
    with pytest.raises(UserError, match="it is empty"):
        read_image(tmp_path / "empty.jpg")


def test_a_decompression_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("L", (30, 10)).save(tmp_path / "bomb.png")
    for limit in (200, 100):  # Pillow warns above the limit and raises above twice the limit
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises(
            UserError, match=f"bomb.png'; an image may have {limit} pixels; this one unpacks to more"
        ):
            read_image(tmp_path / "bomb.png")


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, depth: int, rows: bytes) -> bytes:
    """A file of RGB pixels, whatever its header claims."""
    header = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_a_small_file_that_claims_2500_million_pixels(tmp_path: Path) -> None:
    (tmp_path / "bomb.png").write_bytes(png(50_000, 50_000, 8, bytes(1000)))
    rule = (
        "bomb.png'; an image may have 89478485 pixels; this one unpacks to more. Delete it, or set skip_bad"
    )
    with pytest.raises(UserError, match=rule):
        read_image(tmp_path / "bomb.png")


def test_sixteen_bits_of_colour(tmp_path: Path) -> None:
    colour = np.stack([GREY, GREY[::-1], 255 - GREY], axis=2)
    rows = b"".join(b"\0" + row.tobytes() for row in (colour.astype(np.uint16) * 257).astype(">u2"))
    (tmp_path / "deep.png").write_bytes(png(3, 2, 16, rows))
    assert (pixels_of(tmp_path / "deep.png") == colour.transpose(2, 0, 1)).all()


def test_printing_inks_become_rgb(tmp_path: Path) -> None:
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))  # no cyan: red
    for name in ("ink.tif", "ink.jpg"):
        image.save(tmp_path / name)
        red, green, blue = pixels_of(tmp_path / name)
        assert (red > 250).all()
        assert (green < 5).all()
        assert (blue < 5).all()


def test_a_palette_may_be_half_transparent(tmp_path: Path) -> None:
    image = Image.new("P", (3, 1))
    image.putpalette([255, 0, 0, 0, 0, 0, 0, 255, 0])
    image.putdata([0, 1, 2])
    image.save(tmp_path / "half.png", transparency=bytes([255, 128, 0]))
    assert pixels_of(tmp_path / "half.png")[:, 0].T.tolist() == [[255, 0, 0], [127] * 3, [255] * 3]


def test_channels_are_changed_as_pillow_does() -> None:
    colour = np.random.default_rng(0).integers(256, size=(3, 5, 4), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(colour.transpose(1, 2, 0)).convert("L")).astype(int)
    assert np.abs(with_channels(colour, 1)[0].astype(int) - expected).max() <= 1
    assert (with_channels(colour[:1], 3) == colour[:1]).all()
    assert with_channels(colour[:1], 3).shape == (3, 5, 4)


def test_a_larger_image_is_averaged_when_it_shrinks() -> None:
    stripes = np.tile(np.array([0, 255], dtype=np.uint8), (8, 4))
    small = to_pixels(Image.fromarray(stripes), 2, 2)
    assert np.abs(small.astype(int) - 127).max() <= 32


BROKEN = {
    "a large text": chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(2**21))),
    "camera data that are none": chunk(b"tEXt", b"Raw profile type exif\0\nexif\n   4\nzzzz"),
    "a wrong checksum": chunk(b"tEXt", b"Title\0a picture")[:-1] + b"?",
    "a profile that is none": chunk(b"iCCP", b"x"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_pixels_are_read_whatever_is_said_of_them(tmp_path: Path, what: str) -> None:
    Image.fromarray(GREY).save(tmp_path / "plain.png")
    data = (tmp_path / "plain.png").read_bytes()
    header = 8 + 25
    (tmp_path / "odd.png").write_bytes(data[:header] + BROKEN[what] + data[header:])
    read = read_images([tmp_path / "odd.png", tmp_path / "plain.png"])
    assert (read.pixels == GREY).all()
    assert read.notes == [f"1 of 2 images have {METADATA}"]
    (tmp_path / "cut.png").write_bytes((data[:header] + BROKEN[what] + data[header:])[:-30])
    with pytest.raises(UserError, match=r"cut\.png"):
        read_image(tmp_path / "cut.png")


def test_a_photograph_with_broken_camera_data(tmp_path: Path) -> None:
    image = Image.new("RGB", (4, 6), "red")
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "photo.jpg", exif=exif)
    assert read_images([tmp_path / "photo.jpg"]).pixels.shape == (1, 3, 4, 6)
    data = (tmp_path / "photo.jpg").read_bytes()
    at = data.index(b"Exif\0\0MM") + 14  # how many entries there are
    (tmp_path / "photo.jpg").write_bytes(data[:at] + b"\0\x09" + data[at + 2 :])
    read = read_images([tmp_path / "photo.jpg"])
    assert read.notes == [f"1 of 1 images have {METADATA}"]
    assert read.pixels.shape[:2] == (1, 3)


def test_deep_grey_keeps_its_levels(tmp_path: Path) -> None:
    levels = np.array([[1030, 1031, 4095], [0, 1, 65535]], np.uint16)
    Image.fromarray(levels).save(tmp_path / "deep.png")
    Image.fromarray(levels.astype(np.int32) * 2).save(tmp_path / "deeper.tif")
    (tmp_path / "deep.pgm").write_bytes(b"P5 3 2 65535\n" + levels.astype(">u2").tobytes())
    for name, times in (("deep.png", 1), ("deep.pgm", 1), ("deeper.tif", 2)):
        pixels = pixels_of(tmp_path / name)
        assert pixels.dtype == np.float32
        np.testing.assert_allclose(pixels[0], levels * (times / 257), rtol=1e-6)
    Image.fromarray(GREY).save(tmp_path / "usual.png")
    mixed = read_images([tmp_path / "deep.png", tmp_path / "usual.png"])
    assert mixed.pixels.shape == (2, 1, 2, 3)
    assert (mixed.pixels[1] == GREY).all()
    assert mixed.notes == []
    assert read_images([tmp_path / "deep.png"], size=(4, 6), channels=3).pixels.shape == (1, 3, 4, 6)


def test_what_is_not_kept_is_reported(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "green", "blue")]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / "pages.tif", save_all=True, append_images=frames[1:])
    Image.new("CMYK", (4, 4)).save(tmp_path / "ink.tif")
    Image.new("RGBA", (4, 4), (1, 2, 3, 0)).save(tmp_path / "clear.png")
    Image.new("RGBA", (4, 4), (1, 2, 3, 255)).save(tmp_path / "opaque.png")
    (tmp_path / "deep.png").write_bytes(png(3, 2, 16, bytes(2 * 19)))
    (tmp_path / "deep.ppm").write_bytes(b"P6 1 1 4095\n" + bytes(6))
    notes = read_images(sorted(tmp_path.iterdir()), size=(4, 4)).notes
    counts = {FRAMES: 2, INKS: 1, CLEAR: 1, COLOUR_BITS: 2}
    assert sorted(notes) == sorted(f"{count} of 7 images have {what}" for what, count in counts.items())


def test_who_watches_is_reported(tmp_path: Path) -> None:
    for number in range(3):
        Image.fromarray(GREY).save(tmp_path / f"{number}.png")
    told = []
    with watched(lambda *where: told.append(where)):
        read_images(sorted(tmp_path.iterdir()))
    assert told == [("images", done, 3) for done in range(4)]
    read_images(sorted(tmp_path.iterdir()))
    assert len(told) == 4
