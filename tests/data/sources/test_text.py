"""Texts are split in order, and read with the characters of the training part."""

import gzip
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anncestry.data import DataOptions, Stream, load_data
from anncestry.data.processors import TextProcessor, WordTextProcessor, processor_from_json
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


def test_window_and_length_can_be_given(tmp_path: Path) -> None:
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
        (b"ab" * 95 + b"c" * 10, "a part of it has hardly anything that the training text has"),
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


def test_words_are_read_between_blanks_with_a_token_for_a_line_end(tmp_path: Path) -> None:
    text = "the cat sat\nthe dog sat\n" * 30
    dataset = load_data(write(tmp_path, text.encode()), DataOptions(level="word"))
    processor = dataset.processor
    assert isinstance(processor, WordTextProcessor)
    assert set(processor.vocabulary) == {"the", "cat", "sat", "dog", "<eos>", "<unk>"}
    assert processor.vocabulary[0] == "<unk>"
    tokens = processor.encode("the cat flew\nthe")
    assert [processor.vocabulary[token] for token in tokens.tolist()] == [
        "the",
        "cat",
        "<unk>",
        "<eos>",
        "the",
    ]
    assert processor.decode_tokens(tokens) == "the cat <unk>\nthe"
    assert processor_from_json(processor.to_json()) == processor


def test_the_vocabulary_of_words_keeps_the_most_frequent() -> None:
    text = "a a a a b b b c c d\n"
    assert WordTextProcessor.learn(text).vocabulary == (
        "<unk>",
        "a",
        "b",
        "c",
    )  # d and the line end occur once
    assert WordTextProcessor.learn(text, vocab_size=3).vocabulary == ("<unk>", "a", "b")
    marked = WordTextProcessor.learn("a <unk> b\n")  # a text that marks its unknown words keeps the others
    assert set(marked.vocabulary) == {"<unk>", "a", "b", "<eos>"}


def test_a_folder_has_its_own_split(tmp_path: Path) -> None:
    (tmp_path / "x.train.txt.gz").write_bytes(gzip.compress(b"a b c\n" * 40))
    (tmp_path / "x.valid.txt").write_text("b a\n" * 20)
    (tmp_path / "x.test.txt").write_text("c a zebra\n" * 10)
    dataset = load_data(f"text:{tmp_path}", DataOptions(level="word"))
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [160, 60, 40]
    assert "the folder's own split: x.train.txt.gz, x.valid.txt, x.test.txt" in dataset.notes[0]
    with pytest.raises(UserError, match="split: got 'tail-10'; the folder has its own split"):
        load_data(f"text:{tmp_path}", DataOptions(split="tail-10"))
    (tmp_path / "x.test.txt").unlink()
    with pytest.raises(UserError, match=r"must hold one \.txt or \.gz file for test, with test in its name"):
        load_data(f"text:{tmp_path}")


def test_a_damaged_gzip_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.txt.gz"
    path.write_bytes(gzip.compress(b"some words " * 100)[:-12])
    with pytest.raises(UserError, match="is not a whole gzip file"):
        load_data(f"text:{path}")


def test_the_last_tenth_can_be_both_validation_and_test(tmp_path: Path) -> None:
    dataset = load_data(write(tmp_path, bytes(range(65, 85)) * 50), DataOptions(split="tail-10"))
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [900, 100, 100]
    assert isinstance(dataset.validation, Stream)
    assert isinstance(dataset.test, Stream)
    assert torch.equal(dataset.validation.tokens, dataset.test.tokens)


def test_char_rnns_split_takes_the_end_of_every_stream() -> None:
    chunks, window = 45, 2
    text = "".join(chr(0x100 + i % 4001) for i in range(50 * window * chunks + 7))
    dataset = text_dataset(text, "text", DataOptions(split="char-rnn", window=window))
    parts = [dataset.train, dataset.validation, dataset.test]
    assert [part.num_batches(50) for part in parts] == [42, 2, 1]  # floor of 95 %, floor of 5 %, the rest
    expected = dataset.processor.lookup(text)  # pyright: ignore[reportAttributeAccessIssue]
    batches = [batch for part in parts for batch in part.batches(50)]
    assert all(batch.continues for batch in batches)
    inputs = torch.cat([batch.inputs for batch in batches], dim=1).flatten()
    targets = torch.cat([batch.targets for batch in batches], dim=1).flatten()
    assert inputs.tolist() == expected[: len(inputs)].tolist()
    assert targets[:-1].tolist() == expected[1 : len(inputs)].tolist()
    assert targets[-1] == expected[len(inputs)] or targets[-1] == expected[0]
    with pytest.raises(UserError, match="batch_size: got 32; must be the number of streams"):
        next(dataset.train.batches(32))
    with pytest.raises(UserError, match="the text has 4 chunks of 50 streams x 2, and needs 20"):
        text_dataset(text[:400], "text", DataOptions(split="char-rnn", window=window))


def test_a_text_of_characters_has_no_limit_to_its_vocabulary(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="vocab_size: got 5; is for words"):
        load_data(write(tmp_path, b"abc\n" * 100), DataOptions(vocab_size=5))
