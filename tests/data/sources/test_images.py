"""Folders of images: what is read, what is left out, what is refused."""

import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from anncestry import user_files as files
from anncestry.data import DataOptions, Examples, load_data, load_whole
from anncestry.data.processors import ImageProcessor
from anncestry.errors import UserError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of ten grey images of 6 x 4 pixels: dark ones and bright ones."""
    random = np.random.default_rng(0)
    for name, low in (("dark", 0), ("bright", 150)):
        (tmp_path / name).mkdir()
        for index in range(10):
            pixels = random.integers(low, low + 100, size=(6, 4), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{index}.png")
    return tmp_path


def test_sub_folders_are_classes(folder: Path) -> None:
    dataset = load_data(f"images:{folder}")
    assert dataset.classes == ("bright", "dark")
    assert dataset.signature.shape == (1, 6, 4)
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [14, 3, 3]  # type: ignore
    assert isinstance(dataset.train, Examples)
    assert abs(dataset.train.inputs.mean()) < 1e-5
    assert dataset.train.inputs.std(correction=0).item() == pytest.approx(1, abs=1e-4)
    bright = dataset.train.inputs.mean(dim=(1, 2, 3)) > 0
    assert (bright == (dataset.train.targets == 0)).all()
    again = load_data(dataset.name, DataOptions(**dataset.options))
    assert again.fingerprint() == dataset.fingerprint()
    assert load_data(f"images:{folder}", seed=1).fingerprint() != dataset.fingerprint()


def test_the_processor_reads_a_file_as_training_did(folder: Path) -> None:
    dataset = load_data(f"images:{folder}")
    read = dataset.processor.read(folder / "dark")[1]
    assert isinstance(dataset.train, Examples)
    own = dataset.train.inputs[dataset.train.targets == 1]
    distance = torch.cdist(own.flatten(1), read.flatten(1)).amin(1)
    assert distance.max() < 1e-4


def test_one_colour_image_makes_all_rgb(folder: Path) -> None:
    Image.new("RGB", (4, 6), "red").save(folder / "dark" / "red.jpg")
    dataset = load_data(f"images:{folder}")
    assert dataset.signature.shape == (3, 6, 4)
    assert isinstance(dataset.processor, ImageProcessor)
    assert len(dataset.processor.mean) == 3


def test_all_are_resized_to_the_first_or_as_asked(folder: Path) -> None:
    Image.new("L", (40, 60), 10).save(folder / "dark" / "large.png")
    assert load_data(f"images:{folder}").signature.shape == (1, 6, 4)
    assert load_data(f"images:{folder}", DataOptions(image_size=5)).signature.shape == (1, 5, 5)


def test_other_files_are_ignored_with_a_note(folder: Path) -> None:
    (folder / "dark" / "notes.txt").write_text("x")
    (folder / "dark" / "sub").mkdir()
    (folder / ".hidden").mkdir()
    (folder / "labels.csv").write_text("x")
    dataset = load_data(f"images:{folder}")
    assert "ignored 2 entries that are no images: dark/notes.txt, dark/sub" in dataset.notes
    assert dataset.classes == ("bright", "dark")


def test_a_damaged_image_stops_or_is_left_out(folder: Path) -> None:
    (folder / "dark" / "3.png").write_bytes((folder / "dark" / "3.png").read_bytes()[:50])
    with pytest.raises(UserError, match=r"image: got '.*/dark/3.png'; cannot be read .* set skip_bad"):
        load_data(f"images:{folder}")
    dataset = load_data(f"images:{folder}", DataOptions(skip_bad=True))
    assert "left out 1 unreadable images: dark/3.png" in dataset.notes
    assert len(dataset.train) + len(dataset.validation) + len(dataset.test) == 19
    for path in (folder / "dark").iterdir():
        path.write_bytes(b"x")
    with pytest.raises(
        UserError, match=r"images: got '.*/dark'; a class folder must hold images; none here can be read"
    ):
        load_data(f"images:{folder}", DataOptions(skip_bad=True))


def test_every_file_that_is_left_out_is_reported(folder: Path) -> None:
    for number in range(8):
        (folder / "dark" / f"bad{number}.png").write_bytes(b"text" * (number % 2))
    with pytest.raises(UserError, match=r"dark/bad0.png'; cannot be read \(it is empty\). Delete it, or set"):
        load_data(f"images:{folder}")
    (note, *_) = load_data(f"images:{folder}", DataOptions(skip_bad=True)).notes
    names = ", ".join(f"dark/bad{number}.png" for number in range(8))
    assert note == f"left out 8 unreadable images: {names}"


def packed(folder: Path, path: Path, *names: str) -> Path:
    with tarfile.open(path, "w:xz") as archive:
        for name in names:
            archive.add(folder / name, arcname=name)
    return path


def test_an_archive_is_read_as_its_folder(folder: Path, tmp_path_factory) -> None:
    path = packed(folder, tmp_path_factory.mktemp("packed") / "all.tar.xz", "dark", "bright")
    unpacked, dataset = load_data(f"images:{folder}"), load_data(f"images:{path}")
    assert dataset.name == f"images:{path}"
    assert dataset.fingerprint() == unpacked.fingerprint()
    assert load_data(dataset.name, DataOptions(**dataset.options)).fingerprint() == dataset.fingerprint()
    assert [entry.name for entry in path.parent.iterdir()] == ["all.tar.xz"]


def test_a_folder_of_archives_may_hold_the_official_split(folder: Path, tmp_path_factory) -> None:
    for part in ("train", "test"):
        shutil.copytree(folder / "dark", folder / part / "dark")
        shutil.copytree(folder / "bright", folder / part / "bright")
    home = tmp_path_factory.mktemp("archives")
    for part in ("train", "test"):
        packed(folder, home / f"{part}.tar.xz", part)
    (home / "README.txt").write_text("x")
    dataset = load_data(f"images:{home}")
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [18, 2, 20]  # type: ignore
    assert "official test split (20 images)" in dataset.notes[0]
    assert dataset.classes == ("bright", "dark")


def test_a_bad_image_in_an_archive_is_named(folder: Path, tmp_path_factory) -> None:
    (folder / "dark" / "3.png").write_bytes(b"text")
    path = packed(folder, tmp_path_factory.mktemp("packed") / "all.tar.xz", "dark", "bright")
    with pytest.raises(UserError, match=r"image: got '.*all.tar.xz/dark/3.png'; cannot be read \(no known"):
        load_data(f"images:{path}")
    notes = load_data(f"images:{path}", DataOptions(skip_bad=True)).notes
    assert notes[0] == "left out 1 unreadable images: dark/3.png"


def test_what_is_neither_folder_nor_archive(folder: Path) -> None:
    (folder / "x.zip").write_bytes(b"x")
    with pytest.raises(
        UserError, match=r"images: got '.*x.zip'; must be a folder or an archive. Choices: .tar,"
    ):
        load_data(f"images:{folder / 'x.zip'}")
    with pytest.raises(UserError, match="there is no such folder"):
        load_data(f"images:{folder / 'nowhere'}")


def test_empty_and_single_classes_are_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "empty").mkdir()
    with pytest.raises(
        UserError, match=r"images: got '.*/empty'; a class folder must hold images; there is none.$"
    ):
        load_data(f"images:{folder}")
    (folder / "empty" / "deeper").mkdir()
    with pytest.raises(UserError, match="Give the folder whose sub-folders are the classes"):
        load_data(f"images:{folder}")
    only = tmp_path / "only"
    only.mkdir()
    with pytest.raises(UserError, match="must hold one sub-folder for each class; there is none"):
        load_data(f"images:{only}")
    (folder / "dark").rename(only / "dark")
    with pytest.raises(
        UserError, match=r"images: got '.*/dark'; a classification needs at least two classes"
    ):
        load_data(f"images:{only}")


def test_too_much_for_the_memory_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_BYTES", 4 * 20 * 3 * 24 - 1)
    rule = "images: got '20 images of 6 x 4 pixels'; needs about .* GB of memory; .* Set a smaller image_size"
    with pytest.raises(UserError, match=rule):
        load_data(f"images:{folder}")
    monkeypatch.setattr(files, "MAX_BYTES", 4 * 20 * 3 * 24)
    load_data(f"images:{folder}")


def test_train_and_test_folders_are_the_official_split(folder: Path) -> None:
    for part, numbers in (("train", range(8)), ("test", range(8, 10))):
        for name in ("dark", "bright"):
            (folder / part / name).mkdir(parents=True)
            for number in numbers:
                (folder / name / f"{number}.png").rename(folder / part / name / f"{number}.png")
    dataset = load_data(f"images:{folder}")
    assert dataset.classes == ("bright", "dark")
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [14, 2, 4]  # type: ignore
    assert isinstance(dataset.test, Examples)
    assert dataset.test.targets.tolist() == [0, 0, 1, 1]
    assert "official test split (4 images)" in dataset.notes[0]
    assert load_data(dataset.name).fingerprint() == dataset.fingerprint()
    (folder / "test" / "dark").rename(folder / "test" / "dim")
    with pytest.raises(UserError, match="dim"):
        load_data(f"images:{folder}")


def spread(folder: Path, **parts: range) -> None:
    """Put the images of both classes into the folders of parts."""
    for part, numbers in parts.items():
        for name in ("dark", "bright"):
            (folder / part / name).mkdir(parents=True)
            for number in numbers:
                (folder / name / f"{number}.png").rename(folder / part / name / f"{number}.png")
    for name in ("dark", "bright"):
        (folder / name).rmdir()


@pytest.mark.parametrize("validation", ["val", "Valid", "validation_set", "dev-images"])
def test_three_folders_are_the_official_split(folder: Path, validation: str) -> None:
    spread(folder, train=range(5), **{validation: range(5, 7)}, test=range(7, 10))
    dataset = load_data(f"images:{folder}")
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [10, 4, 6]
    assert "official split: 10 / 4 / 6 images for training, validation, test" in dataset.notes[0]
    assert load_data(f"images:{folder}", seed=5).fingerprint() == dataset.fingerprint()
    whole = load_whole(f"images:{folder}", DataOptions(), dataset.processor)
    assert [len(part) for part in whole.parts] == [10, 4, 6]


@pytest.mark.parametrize("other", ["val", "test"])
def test_one_folder_beside_training_is_the_test_part(folder: Path, other: str) -> None:
    spread(folder, train=range(8), **{other: range(8, 10)})
    (folder / "masks" / "deeper").mkdir(parents=True)
    dataset = load_data(f"images:{folder}")
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [14, 2, 4]
    assert f"the official {other} split (4 images)" in dataset.notes[0]
    assert f"not used, beside train, {other}: masks" in dataset.notes


def test_a_training_folder_alone_is_split(folder: Path) -> None:
    spread(folder, train=range(10))
    (folder / "test").mkdir()
    Image.new("L", (4, 6)).save(folder / "test" / "unknown.png")
    dataset = load_data(f"images:{folder}")
    assert dataset.classes == ("bright", "dark")
    assert "not used, beside train: test" in dataset.notes
    assert "14 / 3 / 3 rows" in " ".join(dataset.notes)


def test_parts_are_no_classes(folder: Path) -> None:
    (folder / "dark").rename(folder / "train")
    (folder / "bright").rename(folder / "val")
    with pytest.raises(UserError, match="holds train and val, and these no sub-folder for each class"):
        load_data(f"images:{folder}")
    (folder / "val").rename(folder / "plane")  # a class may be called train
    assert load_data(f"images:{folder}").classes == ("plane", "train")
    (folder / "valid" / "a").mkdir(parents=True)
    (folder / "val" / "a").mkdir(parents=True)
    with pytest.raises(UserError, match="two folders for validation, val and valid"):
        load_data(f"images:{folder}")


def test_classes_of_the_parts_may_differ_one_way_alone(folder: Path) -> None:
    spread(folder, train=range(5), val=range(5, 7), test=range(7, 10))
    shutil.rmtree(folder / "test" / "dark")
    (folder / "val" / "dark").rename(folder / "val" / "dim")
    with pytest.raises(UserError, match="class of val: got 'dim'; is no class the model was trained on"):
        load_data(f"images:{folder}")
    (folder / "val" / "dim").rename(folder / "val" / "dark")
    notes = load_data(f"images:{folder}").notes
    assert "test has no images of 1 classes: dark" in notes


def test_what_of_the_files_is_lost_is_noted(folder: Path) -> None:
    frames = [Image.new("RGB", (4, 6), colour) for colour in ("red", "blue")]
    frames[0].save(folder / "dark" / "moving.gif", save_all=True, append_images=frames[1:])
    notes = load_data(f"images:{folder}").notes
    assert "1 of 21 images have several frames or pages; only the first one is read" in notes


def test_names_may_be_of_any_kind_and_links_may_go_round(folder: Path) -> None:
    odd = "d $x [a] ü\u200b"
    (folder / "dark").rename(folder / odd)
    (folder / odd / "0.png").rename(folder / odd / "-0 [$HOME].png")
    (folder / "bright" / "round.png").symlink_to("round.png")
    (folder / "loop").symlink_to("loop")
    (folder / "bright" / "gone.png").symlink_to("nowhere.png")
    dataset = load_data(f"images:{folder}")
    assert dataset.classes == ("bright", odd)
    assert "ignored 2 entries that are no images: bright/gone.png, bright/round.png" in dataset.notes


def test_one_class_is_enough_to_draw_images_again(folder: Path) -> None:
    shutil.rmtree(folder / "bright")
    with pytest.raises(UserError, match="a classification needs at least two classes"):
        load_data(f"images:{folder}")
    dataset = load_data(f"images:{folder}", DataOptions(task="reconstruction"))
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [6, 2, 2]
    again = load_data(f"images:{folder}", processor=dataset.processor)
    assert again.fingerprint() == dataset.fingerprint()
