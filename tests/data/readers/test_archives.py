"""Archives: what is in them is found, and nothing they claim is believed."""

import io
import tarfile
from pathlib import Path

import pytest

from anncestry.data.readers import archives
from anncestry.data.readers.archives import is_archive, read_archives
from anncestry.errors import UserError

MODES = {"x.tar": "w", "x.tar.gz": "w:gz", "x.tgz": "w:gz", "x.tar.xz": "w:xz", "x.tar.bz2": "w:bz2"}


def write(path: Path, files: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def listed(folder) -> dict[str, bytes]:
    """Every file below a folder, by its path from there."""
    found = {}
    for entry in folder.iterdir():
        if entry.is_dir():
            found |= {f"{entry.name}/{name}": data for name, data in listed(entry).items()}
        else:
            found[entry.name] = entry.open("rb").read()
    return found


@pytest.mark.parametrize("name", MODES)
def test_all_compressions_hold_the_same(tmp_path, name):
    files = {"a/1.png": b"one", "a/2.PNG": b"", "b/c/3.jpg": b"three"}
    path = write(tmp_path / name, files, MODES[name])
    assert is_archive(path)
    root = read_archives([path])
    assert listed(root) == files
    assert str(root / "b" / "c" / "3.jpg") == f"{path}/b/c/3.jpg"
    assert (root / "a" / "2.PNG").is_file()
    assert (root / "a" / "2.PNG").suffix == ".PNG"
    assert not (root / "nothing").is_file()
    assert not (root / "nothing").is_dir()
    assert sorted(root.iterdir())[0].name == "a"
    assert list(tmp_path.iterdir()) == [path]  # nothing was unpacked


def test_the_folder_that_holds_everything_is_left_out(tmp_path):
    files = {"./cifar/train/cat/1.png": b"1", "./cifar/train/dog/2.png": b"2"}
    assert set(listed(read_archives([write(tmp_path / "x.tar", files)]))) == {"cat/1.png", "dog/2.png"}
    only = read_archives([write(tmp_path / "y.tar", {"cat/1.png": b"1"})])
    assert set(listed(only)) == {"cat/1.png"}


def test_several_archives_are_one_tree(tmp_path):
    train = write(tmp_path / "train.tar", {"train/cat/1.png": b"1"})
    test = write(tmp_path / "test.tar", {"test/cat/2.png": b"2"})
    assert set(listed(read_archives([train, test]))) == {"train/cat/1.png", "test/cat/2.png"}


@pytest.mark.parametrize("name", ["../evil.png", "/etc/evil.png", "a/../../evil.png"])
def test_no_name_leaves_the_archive(tmp_path, name):
    with pytest.raises(UserError, match=r"archive: got '.*x.tar'; must hold names below itself; it holds"):
        read_archives([write(tmp_path / "x.tar", {name: b"1"})])
    assert [path.name for path in tmp_path.iterdir()] == ["x.tar"]


def test_links_and_devices_are_left_out(tmp_path):
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        for name, kind in (("a/link.png", tarfile.SYMTYPE), ("a/hard.png", tarfile.LNKTYPE),
                           ("a/device.png", tarfile.CHRTYPE), ("a/pipe.png", tarfile.FIFOTYPE)):  # fmt: skip
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/hostname"
            archive.addfile(member)
        member = tarfile.TarInfo("a/file.png")
        member.size = 1
        archive.addfile(member, io.BytesIO(b"1"))
    assert listed(read_archives([tmp_path / "x.tar"])) == {"a/file.png": b"1"}


@pytest.mark.parametrize("mode", ["w", "w:xz", "w:gz"])
def test_the_limit_is_for_what_comes_out(tmp_path, monkeypatch, mode):
    suffix = mode.replace("w:", "tar.").replace("w", "tar")
    one = write(tmp_path / f"1.{suffix}", {"a/zeros.png": bytes(60_000)}, mode)
    two = write(tmp_path / f"2.{suffix}", {"b/zeros.png": bytes(60_000)}, mode)
    monkeypatch.setattr(archives, "MAX_ARCHIVE_BYTES", 100_000)
    read_archives([one])
    with pytest.raises(UserError, match=r"2\.tar.*archives may unpack to .* GB; .* Unpack it and give the"):
        read_archives([one, two])


def test_a_header_that_claims_too_much_is_not_believed(tmp_path):
    member = tarfile.TarInfo("a/huge.png")
    member.size = 2**40
    (tmp_path / "x.tar").write_bytes(member.tobuf() + bytes(1024))
    with pytest.raises(UserError, match=r"archive: got '.*x.tar'; cannot be read"):
        read_archives([tmp_path / "x.tar"])


@pytest.mark.parametrize("name", ["x.tar", "x.tar.xz", "x.tar.gz"])
def test_damage_is_named(tmp_path, name):
    whole = write(tmp_path / name, {"a/1.png": bytes(range(256)) * 40}, MODES[name]).read_bytes()
    for data in (whole[: len(whole) // 2], b"hello", b""):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(UserError, match=r"archive: got '.*x.tar.*'; cannot be read"):
            read_archives([tmp_path / name])


@pytest.mark.parametrize("name", MODES)
def test_what_was_cut_is_no_smaller_archive(tmp_path, name):
    files = {f"{kind}/{number}.png": bytes([number] * 700) for kind in "ab" for number in range(6)}
    whole = write(tmp_path / name, files, MODES[name]).read_bytes()
    for share in (0.3, 0.6, 0.9, 0.97):
        (tmp_path / name).write_bytes(whole[: int(share * len(whole))])
        if name == "x.tar" and share > 0.9:
            continue  # cut within the zeros behind its end
        with pytest.raises(UserError, match=r"archive: got '.*x.t.*'; cannot be read"):
            read_archives([tmp_path / name])


def test_no_damaged_header_is_the_end(tmp_path):
    path = write(tmp_path / "x.tar", {f"a/{number}.png": bytes(10) for number in range(6)})
    whole = path.read_bytes()
    with tarfile.open(path) as archive:
        offsets = [member.offset for member in archive.getmembers()]
    for at in offsets[1:]:
        path.write_bytes(whole[:at])
        with pytest.raises(UserError, match=r"cannot be read .*it ends too early, behind .* bytes"):
            read_archives([path])
        path.write_bytes(whole[: at + 100])
        with pytest.raises(UserError, match="cannot be read"):
            read_archives([path])
        path.write_bytes(whole[: at + 10] + b"\xff" + whole[at + 11 :])
        with pytest.raises(UserError, match=r"cannot be read .*bad checksum"):
            read_archives([path])
    path.write_bytes(whole + whole)
    with pytest.raises(UserError, match="there is more behind its end, as when archives are joined"):
        read_archives([path])


def test_the_checksum_of_a_compressed_archive_is_read(tmp_path):
    path = write(tmp_path / "x.tar.gz", {"a/1.png": bytes(range(256)) * 40}, "w:gz")
    whole = path.read_bytes()
    path.write_bytes(whole[:-8] + bytes([whole[-8] ^ 1]) + whole[-7:])
    with pytest.raises(UserError, match=r"cannot be read .*CRC check failed"):
        read_archives([path])


def test_a_hard_link_is_the_file_that_it_names_and_what_is_left_out_is_reported(tmp_path):
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        member = tarfile.TarInfo("set/a/file.png")
        member.size = 1
        archive.addfile(member, io.BytesIO(b"1"))
        for name, kind in (("set/b/same.png", tarfile.LNKTYPE), ("set/b/soft.png", tarfile.SYMTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "set/a/file.png"
            archive.addfile(member)
    read = read_archives([path])
    assert listed(read) == {"a/file.png": b"1", "b/same.png": b"1"}
    assert read.left_out == ["set/b/soft.png"]
