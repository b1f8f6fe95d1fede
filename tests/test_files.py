"""Files are written whole or not at all, and nothing of a killed process stays for ever."""

import os

import pytest

from anncestry.errors import UserError
from anncestry.files import check_writable, remove_leftovers, write_bytes, write_text


def test_a_file_is_written_whole(tmp_path):
    write_text(tmp_path / "page.html", "a\ud83db")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == "a\ufffdb"
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_a_failure_keeps_the_old_file_and_names_what_was_set(tmp_path, monkeypatch):
    (tmp_path / "page.html").write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("anncestry.files.os.replace", full)
    with pytest.raises(UserError, match=r"out: got .*; the disk is full"):
        write_bytes(tmp_path / "page.html", b"new", "--out")
    assert (tmp_path / "page.html").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_a_pipe_is_written_to_and_not_replaced(tmp_path):
    read, write = os.pipe()
    write_bytes(f"/dev/fd/{write}", b"through")
    assert os.read(read, 10) == b"through"
    os.close(read)
    os.close(write)


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    left = tmp_path / "checkpoints" / ".0123456789abcdef.tmp"
    mine = tmp_path / ".notes.tmp"
    for path in (left, mine):
        path.write_text("x")
    remove_leftovers(tmp_path)
    assert mine.exists()
    assert not left.exists()


@pytest.mark.parametrize(("place", "rule"), [("", "is a folder"), ("no/page.html", "there is no folder")])
def test_what_could_not_be_written_is_refused_before_the_work(tmp_path, place, rule):
    with pytest.raises(UserError, match=f"out: .*{rule}"):
        check_writable(tmp_path / place, "--out")
