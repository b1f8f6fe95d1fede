"""A text is cut once; what was interrupted goes on; damaged files are made again."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from anncestry.data.readers import token_files
from anncestry.data.readers.lines import lines_of_text
from anncestry.data.readers.token_files import TokenFile, cache_folder, cut_text
from anncestry.errors import UserError
from anncestry.tokenizers.spec import Special
from anncestry.tokenizers.tokenizer import Tokenizer

TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "c")
TOKENIZER = Tokenizer("wordpiece", TOKENS, Special(0, 1, 2, 3, 3, 4), "bert")
TEXT = "\na b\n  c\n\n\na a a\n\nb\n"


def facts(text: TokenFile) -> list[list[int]]:
    return [text.tokens.tolist(), text.lines.tolist(), text.documents.tolist()]


def test_blank_lines_part_documents() -> None:
    text = cut_text(lines_of_text(TEXT), "", TOKENIZER, None, None)
    assert facts(text) == [[5, 6, 7, 5, 5, 5, 6], [0, 2, 3, 6, 7], [0, 2, 3, 4]]
    assert text.tokens.dtype == np.uint16
    apart = cut_text(lines_of_text(TEXT), "", TOKENIZER, 3, None)
    assert facts(apart) == [[5, 6, 7, 3, 5, 5, 5, 3, 6], [0, 2, 4, 8, 9], [0, 2, 3, 4]]
    assert text.checksum.tolist() != apart.checksum.tolist()


def test_large_vocabularies_take_32_bits() -> None:
    many = Tokenizer("wordpiece", TOKENS + tuple(f"w{i}" for i in range(70_000)), TOKENIZER.special, "bert")
    text = cut_text(lines_of_text("a w69999\n"), "", many, None, None)
    assert text.tokens.tolist() == [5, 70_007]


def test_files_are_read_where_they_lie_and_cut_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = cut_text(lines_of_text(TEXT), "key", TOKENIZER, 3, tmp_path)
    assert isinstance(first.tokens, np.memmap)
    assert facts(first) == facts(cut_text(lines_of_text(TEXT), "key", TOKENIZER, 3, None))

    def unread() -> list[str]:
        raise AssertionError("it is cut already")

    again = cut_text(unread, "key", TOKENIZER, 3, tmp_path)
    assert facts(again) == facts(first)
    assert again.checksum.tolist() == first.checksum.tolist()
    with pytest.raises(AssertionError):
        cut_text(unread, "another text", TOKENIZER, 3, tmp_path)


@pytest.mark.parametrize("stop", range(8))
def test_what_was_interrupted_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int) -> None:
    monkeypatch.setattr(token_files, "CHUNK", 4)

    def breaks() -> Iterator[str]:
        for number, line in enumerate(lines_of_text(TEXT)()):
            if number == stop:
                raise KeyboardInterrupt
            yield line

    with pytest.raises(KeyboardInterrupt):
        cut_text(breaks, "key", TOKENIZER, 3, tmp_path)
    (part,) = tmp_path.glob("*.part")
    with (part / "tokens").open("ab") as file:
        file.write(b"half a tok")  # written behind the last place that is known
    place = part / "place.json"
    done = json.loads(place.read_text())["counts"]["read"] if place.exists() else 0
    assert done >= stop - 4
    cut: list[str] = []
    encode = Tokenizer.encode_all
    monkeypatch.setattr(
        Tokenizer, "encode_all", lambda self, texts: (cut.extend(texts), encode(self, texts))[1]
    )
    whole = cut_text(lines_of_text(TEXT), "key", TOKENIZER, 3, tmp_path)
    assert cut == [line for line in list(lines_of_text(TEXT)())[done:] if line]
    assert facts(whole) == facts(cut_text(lines_of_text(TEXT), "key", TOKENIZER, 3, None))
    assert not list(tmp_path.glob("*.part"))


def test_a_damaged_file_is_made_again(tmp_path: Path) -> None:
    first = facts(cut_text(lines_of_text(TEXT), "key", TOKENIZER, None, tmp_path))
    (tokens,) = tmp_path.glob("*/tokens")
    tokens.write_bytes(tokens.read_bytes()[:-1])
    assert facts(cut_text(lines_of_text(TEXT), "key", TOKENIZER, None, tmp_path)) == first


def test_a_cache_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cache: got '.*file'; cannot be written .*`cache`"):
        cut_text(lines_of_text(TEXT), "key", TOKENIZER, None, tmp_path / "file")


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "anncestry"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path("~/.cache/anncestry").expanduser()
    assert cache_folder("~/x") == Path("~/x").expanduser()
