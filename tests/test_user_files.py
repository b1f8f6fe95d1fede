"""Text files as they are found: every bad one is refused by name, the merely odd ones just work."""

import io
import re
from pathlib import Path

import pytest

from anncestry import user_files as files
from anncestry.errors import UserError
from anncestry.user_files import (
    each_line,
    existing_file,
    existing_folder,
    is_file,
    read_standard_input,
    read_text,
    split_lines,
    whole_characters,
)

ROOT = Path(files.__file__).parent


def write(folder: Path, data: bytes) -> Path:
    path = folder / "file.txt"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"one\r\ntwo\r\n", "one\ntwo\n"),
        (b"one\rtwo\r", "one\rtwo\r"),
        (b"\xef\xbb\xbfone\ntwo", "one\ntwo"),
        (b"\xef\xbb\xbfone\r\n\r\ntwo", "one\n\ntwo"),
        ("Grüße, 世界 🦉".encode(), "Grüße, 世界 🦉"),
    ],
)
def test_marks_and_line_ends_are_removed(tmp_path: Path, data: bytes, text: str) -> None:
    assert read_text(write(tmp_path, data)) == text


def test_only_lf_and_crlf_end_a_line() -> None:
    odd = "one\x0b\x0c\x1c\x85\u2028\u2029\rtwo"
    assert split_lines(f"{odd}\r\n\n{odd}\n") == [odd, "", odd]
    assert split_lines("\n\nend") == ["", "", "end"]
    assert split_lines("") == []
    assert split_lines(f"{odd}\r\n\n{odd}".encode()) == [odd.encode(), b"", odd.encode()]
    assert list(each_line("a\rb\n\nend")) == ["a\rb\n", "\n", "end"]


def test_what_a_line_and_a_csv_is_stands_in_one_place() -> None:
    rooms = ("cli", "data", "inference", "runs", "tokenizers")
    sources = {path: path.read_text() for room in rooms for path in (ROOT / room).rglob("*.py")}
    lines = re.compile(r"splitlines\(|\.split\(b?[\"']\\n")
    assert [path.name for path, text in sources.items() if lines.search(text)] == []
    tables = re.compile(r"csv\.(reader|DictReader)\(")
    assert [path.name for path, text in sources.items() if tables.search(text)] == ["rows.py"]


def test_half_a_surrogate_pair_is_read_as_a_replacement() -> None:
    assert whole_characters("a\ud83d b🦉\udcff") == "a\ufffd b🦉\ufffd"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "must hold text; it is empty"),
        (b" \n\t\n", "it is empty or blank"),
        (b"\xef\xbb\xbf", "it is empty or blank"),
        (
            b"ab\ncaf\xe9\n",
            r"must be UTF-8 text; the byte 0xe9 at position 6 \(line 2\) is not. Save it again",
        ),
        (b"\xef\xbb\xbfcaf\xe9", r"the byte 0xe9 at position 6 \(line 1\)"),
        (b"a\nb\0c", r"must be a text file; there is a NUL byte at position 3 \(line 2\)"),
        ("Grüße".encode("utf-16"), "must be UTF-8 text; it is UTF-16. Save it again as UTF-8"),
        ("ab".encode("utf-16-le"), "there is a NUL byte at position 1"),
        ("ende ü".encode()[:-1], "the byte 0xc3 at position 5"),
    ],
)
def test_bad_text_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    path = write(tmp_path, data)
    with pytest.raises(UserError, match=message) as error:
        read_text(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("max_chars", range(1, 9))
def test_a_part_of_a_text_ends_between_characters(tmp_path: Path, max_chars: int) -> None:
    text = "a🦉ü世🦉🦉zz"
    assert read_text(write(tmp_path, b"\xef\xbb\xbf" + text.encode()), max_chars) == text[:max_chars]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"file: got '.*/nowhere.csv'; there is no such file\."):
        existing_file(str(tmp_path / "nowhere.csv"))
    with pytest.raises(UserError, match=r"folder: got '.*'; there is no such folder"):
        existing_folder(str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="must be a file; this is a folder"):
        existing_file(str(tmp_path))
    with pytest.raises(UserError, match="must be a folder; this is a file"):
        existing_folder(str(write(tmp_path, b"x")))
    with pytest.raises(UserError, match="the path of a file is missing"):
        existing_file(" ")
    with pytest.raises(UserError, match="there is no such file"):
        existing_file("a\0b")


def test_the_home_folder_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    path = write(tmp_path, b"x")
    assert existing_file("~/file.txt") == path
    assert is_file("~/file.txt")


@pytest.mark.parametrize("text", ["x" * 5000, "a\0b", "", "no such file"])
def test_any_text_may_be_asked_whether_it_is_a_file(text: str) -> None:
    assert not is_file(text)


def test_what_does_not_fit_into_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_BYTES", 2**30)
    path = write(tmp_path, b"")
    with path.open("r+b") as file:
        file.truncate(60 * 2**20)  # sparse
    with pytest.raises(UserError, match=r"needs about 1\.2 GB of memory; the limit is 1 GB. Read a part"):
        read_text(path)


def test_standard_input_is_checked_as_a_file_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbfa\r\nb")))
    assert read_standard_input() == "a\nb"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(UserError, match="file: got 'standard input'; must hold text; it is empty"):
        read_standard_input()
