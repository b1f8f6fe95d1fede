"""Lines are read as often as wanted, from files of any kind."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anncestry.data.readers import lines as reading
from anncestry.data.readers.lines import lines_of_file, lines_of_text, survey
from anncestry.errors import UserError
from anncestry.user_files import split_lines


@settings(deadline=None, max_examples=60)
@given(text=st.text(st.sampled_from("ab é\n🦉 \r\u2028\x0c"), max_size=80))
def test_lines_are_those_of_the_text(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("lines") / "a.txt"
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    expected = [line.strip() for line in split_lines(text)]
    expected = expected if expected and (expected[-1] or text.endswith("\n")) else expected[:-1]
    read = lines_of_file(path)
    assert list(read()) == list(read()) == list(lines_of_text(text)()) == expected
    zipped = path.with_suffix(".gz")
    zipped.write_bytes(gzip.compress(text.encode()))
    assert list(lines_of_file(zipped)()) == expected
    assert survey(read) == survey(lines_of_text(text))


def test_long_lines_are_cut_at_blanks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_LINE", 10)
    assert list(lines_of_text("one two three four\nfive")()) == ["one two", "three four", "five"]
    assert list(lines_of_text("abcdefghijklmno")()) == ["abcdefghij", "klmno"]


def test_so_many_characters_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("abc\nde\nfgh\n")
    assert list(lines_of_file(tmp_path / "a.txt", 8)()) == ["abc", "de", "f"]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.txt", b"good\n\xff bad\n", "must be UTF-8 text; it is not near line 1"),
        ("a.txt", b"good\nb\0d\n", "there is a NUL byte in line 2"),
        ("a.gz", gzip.compress(b"some words " * 100, mtime=0)[:-12], "is not a whole gzip file"),
        ("a.gz", b"plain", "is not a whole gzip file"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=message):
        list(lines_of_file(tmp_path / name)())
