"""Captions: the forms a folder may have, and scenes whose captions are true."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from anncestry.data import DataOptions, load_data
from anncestry.data.processors import CaptionProcessor, processor_from_json
from anncestry.data.sources.captions import captions_of
from anncestry.signature import END

NAMES = [f"{number:02}.png" for number in range(10)]


def png(level: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (12, 10), (level, 0, 255 - level)).save(buffer, format="png")
    return buffer.getvalue()


def captions_file(folder: Path, names=NAMES, header="image,caption\n", extra="") -> None:
    lines = [f"{name},a picture of shade {name[:2]} ." for name in names]
    lines += [f'{name},"a shade , nothing more"' for name in names]
    (folder / "captions.txt").write_text(header + "\n".join(lines) + "\n" + extra)


@pytest.fixture
def folder(tmp_path):
    captions_file(tmp_path)
    for number, name in enumerate(NAMES):
        (tmp_path / name).write_bytes(png(20 * number))
    return tmp_path


def load(folder: Path, **options):
    return load_data(f"captions:{folder}", DataOptions(**options))


def test_a_folder(folder):
    dataset = load(folder, image_size=8)
    splits = (dataset.train, dataset.validation, dataset.test)
    assert [split.num_sources for split in splits] == [8, 1, 1]
    assert [len(split) for split in splits] == [16, 2, 2]
    assert dataset.train.references[3] == ("a picture of shade 03 .", "a shade , nothing more")
    assert dataset.test.references[0][0] == "a picture of shade 09 ."
    assert dataset.signature.shape == (3, 8, 8)
    assert dataset.train.sources.shape == (8, 3, 8, 8)  # captions of one image share it
    assert dataset.train.source_of.tolist() == [row for row in range(8) for _ in range(2)]
    assert abs(dataset.train.sources[:, 0].mean()) < 1e-5
    assert dataset.train.targets.row(1)[-1] == END
    assert dataset.processor.target.decode(dataset.train.targets.row(1)) == "a shade , nothing more"
    assert processor_from_json(dataset.processor.to_json()) == dataset.processor


def test_an_archive_is_the_same(folder, tmp_path_factory):
    packed = tmp_path_factory.mktemp("packed")
    captions_file(packed, header="")
    with tarfile.open(packed / "images.tar", "w") as archive:
        for name in NAMES:
            archive.add(folder / name, f"images/{name}")
    assert load(packed).fingerprint() == load(folder).fingerprint()


def test_a_sub_folder_of_images_is_the_same(folder):
    before = load(folder).fingerprint()
    (folder / "images").mkdir()
    for name in NAMES:
        (folder / name).rename(folder / "images" / name)
    assert load(folder).fingerprint() == before


def test_what_does_not_belong_together_is_left_out(folder):
    captions_file(folder, [*NAMES[:-1], "lost.png"])
    notes = " ".join(load(folder).notes)
    assert "1 captions are of images that are not there: lost.png" in notes
    assert "1 images have no caption: 09.png" in notes


def test_bad_images(folder):
    (folder / NAMES[2]).write_bytes(b"no image")
    with pytest.raises(ValueError, match="cannot be read"):
        load(folder)
    dataset = load(folder, skip_bad=True)
    assert sum(split.num_sources for split in (dataset.train, dataset.validation, dataset.test)) == 9
    assert f"left out 1 unreadable images: {NAMES[2]}" in dataset.notes


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "captions.txt").unlink(), "must hold a file of captions with lines image,caption"),
        (
            lambda f: (f / "captions.txt").write_text("00.png,a\n01.png\n"),
            "line 2 must be the name of an image",
        ),
        (lambda f: [path.unlink() for path in f.glob("*.png")], "must hold images, or an archive of them"),
        (lambda f: captions_file(f, NAMES[:2]), "needs at least 3 images with captions; has 2"),
    ],
)
def test_bad_folders(folder, damage, message):
    damage(folder)
    with pytest.raises(ValueError, match=message):
        load(folder)


def test_the_processor_reads_a_folder_and_loses_no_other_image(folder):
    processor = load(folder, image_size=8).processor
    assert isinstance(processor, CaptionProcessor)
    (folder / NAMES[1]).write_bytes(b"no image")
    given = processor.read_each(folder)
    assert [item.label for item in given] == [str(folder / name) for name in NAMES]
    assert [item.value is None for item in given] == [False, True] + [False] * 8
    assert "cannot be read" in given[1].note
    labels, images = processor.read(folder)
    assert len(labels) == len(images) == 9
    assert torch.equal(processor.batch([given[0].value])[0][0], images[0])


# ---- scenes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layout", "numbers", "wanted"),
    [
        ("one", [7], ("a seven", "there is a seven", "the digit seven")),
        (
            "above",
            [3, 8],
            ("a three above an eight", "an eight below a three", "there is a three above an eight"),
        ),
        ("row", [5, 1, 5], ("two fives and a one in a row", "a five, a one and a five from left to right")),
        ("column", [6, 6, 6], ("three sixes in a column", "a six, a six and a six from top to bottom")),
    ],
)
def test_captions_of_scenes(layout, numbers, wanted):
    assert captions_of(layout, numbers) == wanted


def test_scenes():
    dataset = load_data("scenes")
    splits = (dataset.train, dataset.validation, dataset.test)
    assert [split.num_sources for split in splits] == [4000, 500, 500]
    assert all(2 <= len(references) <= 3 for split in splits for references in split.references)
    assert dataset.signature.shape == (1, 24, 24)
    assert dataset.fingerprint() == load_data("scenes").fingerprint()


def test_digits_stand_where_the_caption_says():
    split = load_data("scenes").test
    ink = (split.sources - split.sources.amin()).squeeze(1).numpy()
    seen = set()
    for image, references in zip(ink, split.references, strict=True):
        rows, columns = np.nonzero(image > 0.5)
        tall, wide = np.ptp(rows) > 8, np.ptp(columns) > 8
        for words, expected in (
            (" above ", (True, False)),
            (" left of ", (False, True)),
            (" row", (False, True)),
        ):
            if words in references[0]:
                seen.add(words)
                assert (tall, wide) == expected
    assert len(seen) == 3


def test_the_real_captions(shared):
    dataset = load(shared / "flickr8k-1000", image_size=16, lowercase=True)
    splits = (dataset.train, dataset.validation, dataset.test)
    assert [split.num_sources for split in splits] == [800, 100, 100]
    assert all(len(references) == 5 for split in splits for references in split.references)


def test_an_open_quotation_mark_takes_in_no_other_line(folder):
    captions_file(folder, extra='00.png,"a dog sits\n01.png,a "cat" runs\n02.png,"a bird"\n')
    with pytest.raises(ValueError, match=r"captions\.txt'; line 22 cannot be read .* A cell that begins"):
        load(folder)


@pytest.mark.parametrize(("count", "sizes"), [(3, [1, 1, 1]), (4, [2, 1, 1]), (5, [3, 1, 1]), (6, [4, 1, 1])])
def test_few_images_are_in_every_part(folder, count, sizes):
    captions_file(folder, NAMES[:count])
    dataset = load(folder, image_size=8, min_count=1)
    assert [split.num_sources for split in (dataset.train, dataset.validation, dataset.test)] == sizes


@pytest.mark.parametrize(
    ("name", "form", "header"),
    [
        ("captions.txt", "{name};a shade, nothing {i}", "image;caption\n"),
        ("Flickr8k.token.txt", "{name}#{i}\ta shade, nothing {i}", ""),
        ("results.csv", "{name}| {i}| a shade, nothing {i}", "image_name| comment_number| comment\n"),
        ("captions.csv", '"a shade, nothing {i}",{name}', "caption,image\n"),
        ("captions.csv", '{i},images/{stem},"a shade, nothing {i}",x', "nr,file,caption,by\n"),
        ("captions.txt", "{name},a shade, nothing {i}", "filename,text\n"),
    ],
)
def test_captions_are_found_in_any_table(folder, name, form, header):
    (folder / "captions.txt").unlink()
    lines = [form.format(name=name, stem=name[:2], i=i) for i, name in enumerate(NAMES)]
    (folder / name).write_text(header + "\n".join(lines) + "\n")
    dataset = load(folder, image_size=8)
    assert dataset.train.references[3] == ("a shade, nothing 3",)
    assert [split.num_sources for split in (dataset.train, dataset.validation, dataset.test)] == [8, 1, 1]
    assert not [note for note in dataset.notes if "not there" in note]


def test_a_file_that_names_none_of_the_images_is_refused(folder):
    captions_file(folder, ["cat.png", "dog.png"])
    with pytest.raises(ValueError, match=r"names no image that is there; its first row names cat\.png"):
        load(folder)


def test_a_caption_has_no_greatest_length(folder):
    captions_file(folder, extra=f"{NAMES[0]},{'x ' * 100_000}\n")
    assert max(map(len, load(folder).train.references[0])) > 150_000
