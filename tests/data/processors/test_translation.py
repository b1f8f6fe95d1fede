"""Lines that are to be translated: none is lost by another one."""

import gzip
import io
from pathlib import Path

import pytest
import torch

from anncestry.data.processors import TranslationProcessor, processor_from_json
from anncestry.signature import END, UNKNOWN
from anncestry.tokenizers.vocabulary import Vocabulary


@pytest.fixture
def processor():
    source = Vocabulary.learn(["a dog runs ."])
    return TranslationProcessor(source, Vocabulary.learn(["ein Hund läuft ."]), max_tokens=6)


def test_a_line_typed_out(processor):
    (item,) = processor.read_each("a dog runs")
    assert processor.source.decode(item.value) == item.label == "a dog runs"
    assert item.note == ""
    (item,) = processor.read_each("")
    assert item == ("", None, "")


def test_lines_of_a_file_keep_their_order(processor, tmp_path):
    lines = [b"a dog", b"", b"\xff bad", b"runs " * 10_000, "läuft".encode(), b"a"]
    path = tmp_path / "in.txt"
    path.write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(lines) + b"\r\n")
    given = processor.read_each(path)
    assert [item.label for item in given[:2]] == ["a dog", ""]
    assert [item.value is None for item in given] == [False, True, True, False, False, False]
    assert given[1].note == ""
    assert given[2].note == "is no UTF-8: the byte 0xff at position 0"
    assert len(given[3].value) == 6
    assert given[3].note == "only its first 6 of 10000 tokens were read"
    assert given[4].value == [UNKNOWN]
    (tmp_path / "in.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert processor.read_each(tmp_path / "in.gz") == given
    labels, inputs = processor.read(path)
    assert len(labels) == 4
    assert processor.lengths_of(inputs).tolist() == [2, 6, 1, 1]


def test_a_source_with_an_end(processor):
    ended = TranslationProcessor(processor.source, processor.target, 2, source_end=True)
    (item,) = ended.read_each("a dog runs")
    assert item.value == [*processor.source.encode("a dog"), END]
    assert ended.read_each(" ")[0].value is None
    assert ended.sequences(["a", "a dog runs"]).lengths.tolist() == [2, 3]
    assert processor_from_json(ended.to_json()) == ended
    assert processor_from_json(processor.to_json()) == processor


def test_standard_input(processor, monkeypatch):
    class Stdin:
        buffer = io.BytesIO(b"a\n\ndog")

    monkeypatch.setattr("sys.stdin", Stdin)
    assert [item.label for item in processor.read_each(Path("-"))] == ["a", "", "dog"]
    Stdin.buffer = io.BytesIO(b"")
    assert processor.read_each(Path("-")) == []


def test_what_is_refused(processor, tmp_path):
    with pytest.raises(ValueError, match="must be a text, or a file with one on each line"):
        processor.read("  ")
    (tmp_path / "x.txt").write_bytes("a dog".encode("utf-16"))
    with pytest.raises(ValueError, match="must be UTF-8 text; it is UTF-16"):
        processor.read_each(tmp_path / "x.txt")
    (tmp_path / "x.gz").write_bytes(gzip.compress(b"a dog")[:-6])
    with pytest.raises(ValueError, match="is not a whole gzip file"):
        processor.read_each(tmp_path / "x.gz")


def test_both_ways(processor):
    assert processor_from_json(processor.to_json()) == processor
    joint = TranslationProcessor(processor.source, processor.source, 6)
    assert processor_from_json(joint.to_json()) == joint
    tokens = torch.tensor([processor.target.encode("ein Hund")])
    outputs = torch.nn.functional.one_hot(tokens, len(processor.target)).float()
    assert processor.decode(outputs) == [{"translation": "ein Hund"}]
