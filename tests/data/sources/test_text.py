"""Texts are split in order, and read with the characters of the training part."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anncestry.data import DataOptions, Stream, load_data
from anncestry.data.processors import TextProcessor
from anncestry.data.sources.text import text_dataset
from anncestry.errors import UserError


def write(folder: Path, data: bytes) -> str:
    (folder / "file.txt").write_bytes(data)
    return f"text:{folder / 'file.txt'}"


@settings(deadline=None, max_examples=50)
@given(st.text("ab \n🦉", min_size=200, max_size=400).map(lambda text: "ab \n🦉" + text))
def test_the_parts_are_the_text_again(text: str) -> None:
    dataset = text_dataset(text, "text", DataOptions())
    assert isinstance(dataset.processor, TextProcessor)
    assert dataset.processor.vocabulary == "".join(sorted(set(text)))
    parts = [
        split.tokens
        for split in (dataset.train, dataset.validation, dataset.test)
        if isinstance(split, Stream)
    ]
    assert dataset.processor.decode_tokens(torch.cat(parts)) == text
    assert [len(part) for part in parts[:2]] == [
        round(0.9 * len(text)),
        round(0.95 * len(text)) - len(parts[0]),
    ]


def test_mark_and_line_ends_change_nothing(tmp_path: Path) -> None:
    lines = ["to be", "or not", "to be"] * 20
    plain = load_data(write(tmp_path, "\n".join(lines).encode()))
    odd = load_data(write(tmp_path, b"\xef\xbb\xbf" + "\r\n".join(lines).encode()))
    assert odd.fingerprint() == plain.fingerprint()
    assert odd.processor == plain.processor


def test_characters_that_training_lacks_are_left_out_with_a_note(tmp_path: Path) -> None:
    dataset = load_data(write(tmp_path, ("ab" * 95 + "aéb" + "é" * 2 + "babab").encode()))
    assert isinstance(dataset.processor, TextProcessor)
    assert dataset.processor.vocabulary == "ab"
    assert len(dataset.train) + len(dataset.validation) + len(dataset.test) == 197
    assert "left out 3 characters that the training text lacks: 'é'" in dataset.notes[1]


def test_window_and_length_can_be_told(tmp_path: Path) -> None:
    name = write(tmp_path, b"abc\n" * 200)
    dataset = load_data(name)
    assert dataset.signature.shape == (64,)
    dataset = load_data(name, DataOptions(window=5, max_chars=300))
    assert dataset.signature.shape == (5,)
    assert len(dataset.train) == 270
    assert next(dataset.train.batches(2)).inputs.shape == (2, 5)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "must hold text; it is empty"),
        (b"short", "text: got '.*file.txt'; must have at least 100 characters; it has 5"),
        (b"z" * 200, "must have at least two different characters; it has only 'z'"),
        (b"ab" * 100 + b"\xff", "must be UTF-8 text; the byte 0xff at position 200"),
        (b"ab" * 100 + b"\0", "there is a NUL byte at position 200"),
        (b"ab" * 95 + b"c" * 10, "a part of it has hardly any character that the training text has"),
    ],
)
def test_bad_texts_are_refused(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_data(write(tmp_path, data))


def test_pydoc_is_english_about_python() -> None:
    dataset = load_data("pydoc")
    assert isinstance(dataset.train, Stream)
    assert isinstance(dataset.processor, TextProcessor)
    text = dataset.processor.decode_tokens(dataset.train.tokens)
    assert len(text) > 300_000
    assert text.count(" the ") > 3000
    assert "assert" in text
