"""Words as characters: how they are encoded, batch by batch, and what sources make of it."""

import json

import pytest
import torch

from anncestry.data import DataOptions, load_data
from anncestry.data.processors import processor_from_json
from anncestry.data.processors.characters import (
    CharacterClassProcessor,
    CharacterTagProcessor,
    CharacterWordsProcessor,
)
from anncestry.data.sources.catalogue import usual_options
from anncestry.data.splits.character_encoding import CharacterEncoder, encode_characters, encode_word
from anncestry.errors import UserError
from anncestry.protocols import IGNORED
from anncestry.signature import BEGIN_TEXT, BEGIN_WORD, END_TEXT, END_WORD, FILLER, Signature

SPELT = DataOptions(level="characters")
LINES = ["the cat sat on the mat", "the dog sat", "", "a cat and a dog sat on the mat and sat on"]


def text_file(tmp_path, lines=LINES):
    path = tmp_path / "some.txt"
    path.write_text("\n".join(lines * 20))
    return path


def read(row: torch.Tensor) -> str:
    """The word of a row of characters."""
    kind = int(row[1])
    if kind in (BEGIN_TEXT, END_TEXT):
        return {BEGIN_TEXT: "<S>", END_TEXT: "</S>"}[kind]
    return bytes(c - 1 for c in row.tolist() if 0 < c < BEGIN_TEXT).decode()


def test_a_word_is_its_bytes_between_marks():
    assert encode_word("ab", 6) == [BEGIN_WORD, 98, 99, END_WORD, FILLER, FILLER]
    assert encode_word("é", 6) == [BEGIN_WORD, 0xC3 + 1, 0xA9 + 1, END_WORD, FILLER, FILLER]
    long = encode_word("x" * 60)
    assert len(long) == 50
    assert (long[0], long[1:-1], long[-1]) == (BEGIN_WORD, [ord("x") + 1] * 48, END_WORD)


def test_the_published_numbers():
    """258 and 259 around a word, 260 behind it, 256 and 257 for the ends of a text; all 1 higher here."""
    assert (BEGIN_TEXT, END_TEXT, BEGIN_WORD, END_WORD, FILLER) == (257, 258, 259, 260, 261)
    assert CharacterEncoder(5).characters().tolist() == [
        [0] * 5,
        [259, 257, 260, 261, 261],
        [259, 258, 260, 261, 261],
    ]


def test_sentences_are_padded_with_no_word():
    inputs, lengths = encode_characters([["ab", "c"], ["ab"]], 6)
    assert lengths.tolist() == [2, 1]
    assert inputs.tolist() == [[encode_word("ab", 6), encode_word("c", 6)], [encode_word("ab", 6), [0] * 6]]


def test_a_text_asks_for_the_word_behind_and_the_one_before(tmp_path):
    data = load_data(f"text:{text_file(tmp_path)}", SPELT)
    vocabulary = data.processor.vocabulary
    assert vocabulary[:4] == ("</S>", "<S>", "<unk>", "sat")
    (batch,) = list(data.train.batches(1000))
    assert data.signature == Signature("bidirectional-lm", "characters", (14, 50), len(vocabulary), 262)
    assert batch.inputs.dtype == torch.int64
    seen = set()
    for x, y, length in zip(batch.inputs, batch.targets, batch.lengths.tolist(), strict=True):
        words = [read(row) for row in x[:length]]
        seen.add(" ".join(words))
        assert [vocabulary[w] for w in y[:-1, 0].tolist() if w != IGNORED] == words[1:]
        assert [vocabulary[w] for w in y[:, 1].tolist() if w != IGNORED] == words[:-1]
        assert y[length - 1, 0] == y[0, 1] == IGNORED
        assert (y[length:] == IGNORED).all()
        assert not x[length:].any()
    assert "<S> the dog sat </S>" in seen


def test_a_long_line_is_cut_but_asked_for_whole(tmp_path):
    data = load_data(f"text:{text_file(tmp_path)}", DataOptions(level="characters", window=4))
    rows = data.train.rows
    assert rows.lengths[:2].tolist() == [4, 4]  # <S> the cat sat | on the mat </S>
    words = [
        [data.processor.vocabulary[w] if w != IGNORED else "" for w in way] for way in rows.targets[1].t()
    ]
    assert words == [["the", "mat", "</S>", ""], ["sat", "on", "the", "mat"]]
    assert [read(row) for row in data.train.characters[rows.inputs[1]]] == ["on", "the", "mat", "</S>"]


def test_words_that_occur_once_are_asked_for_as_unknown():
    lines = [["a", "b", "a", "c"], ["b", "d"]]
    learnt = CharacterWordsProcessor.learn(lines)
    assert learnt.vocabulary == ("</S>", "<S>", "<unk>", "a", "b")
    assert learnt.words_of(["d", "a", "<S>"], learnt.index()) == [2, 3, 2]
    marked = CharacterWordsProcessor.learn([*lines, ["<unk>"]])
    assert marked.vocabulary == ("</S>", "<S>", "<unk>", "a", "b", "c", "d")
    assert CharacterWordsProcessor.learn(lines, 4).vocabulary == ("</S>", "<S>", "<unk>", "a")


def test_the_same_memory_for_a_word_however_often(tmp_path):
    data = load_data(f"text:{text_file(tmp_path)}", SPELT)
    assert data.train.characters.shape == (3 + 8, 50)
    assert data.train.characters.dtype == torch.int16
    assert data.fingerprint() == load_data(f"text:{text_file(tmp_path)}", SPELT).fingerprint()


def test_tags_for_words_nobody_has_seen(tmp_path):
    path = tmp_path / "tags.tsv"
    path.write_text("the\tD\ncat\tN\n\nsits\tV\n\n" * 8)
    data = load_data(f"conllu:{path}", SPELT)
    assert data.signature == Signature("tagging", "characters", (2, 50), 3, 262)
    rows = data.train.rows
    assert [read(row) for row in data.train.characters[rows.inputs[0]]] == ["the", "cat"]
    assert rows.targets[:2].tolist() == [[0, 1], [2, IGNORED]]
    assert data.processor == CharacterTagProcessor(tags=("D", "N", "V"))
    labels, inputs = data.processor.read("zorgs zorg")
    assert labels == ["zorgs zorg"]
    assert data.processor.lengths_of(inputs).tolist() == [2]
    plain = load_data(f"conllu:{path}")
    again = load_data(f"conllu:{path}", processor=data.processor)
    assert (plain.signature.inputs, again.signature.inputs) == ("tokens", "characters")
    assert again.fingerprint() == data.fingerprint()


def test_classes(tmp_path):
    path = tmp_path / "classes.tsv"
    path.write_text("a good film\tgood\na bad one\tbad\n" * 20)
    data = load_data(f"sentences:{path}", SPELT)
    assert data.signature == Signature("classification", "characters", (3, 50), 2, 262)
    batch = next(iter(data.test.batches(1)))
    assert " ".join(read(row) for row in batch.inputs[0]) in ("a good film", "a bad one")
    assert batch.targets.shape == (1,)
    assert data.processor.decode(torch.tensor([[2.0, 1.0]]))[0]["class"] == "bad"


@pytest.mark.parametrize(
    "processor",
    [
        CharacterWordsProcessor(10, ("</S>", "<S>", "<unk>", "a")),
        CharacterTagProcessor(tags=("D", "N")),
        CharacterClassProcessor(classes=("x", "y")),
    ],
    ids=lambda p: p.kind,
)
def test_json_keeps_everything(processor):
    assert processor_from_json(json.loads(json.dumps(processor.to_json()))) == processor


def test_what_is_read_to_be_continued_has_its_marks():
    processor = CharacterWordsProcessor(8, ("</S>", "<S>", "<unk>", "a"))
    _, inputs = processor.read(["b a", "a"])
    assert processor.lengths_of(inputs).tolist() == [4, 3]
    assert [[read(row) for row in text if row.any()] for text in inputs] == [
        ["<S>", "b", "a", "</S>"],
        ["<S>", "a", "</S>"],
    ]
    scores = torch.zeros(1, 2, 2, 4)
    scores[0, 0, 0, 3] = scores[0, 1, 1, 1] = 1
    assert processor.decode(scores) == [{"next": ["a", "</S>"], "previous": ["</S>", "<S>"]}]
    vectors = CharacterWordsProcessor(8)
    assert vectors.read("b a")[1].shape == (1, 2, 8)
    assert vectors.decode(torch.ones(1, 2, 3)) == [{"vectors": [[1.0] * 3] * 2}]


def test_an_architecture_brings_its_way_of_reading():
    assert usual_options("elmo", "text:x") == {"level": "characters"}
    assert usual_options("elmo-small", "conllu:x") == {"level": "characters"}
    assert usual_options("elmo", "parallel:a,b") == {}
    assert usual_options("bilstm", "conllu:x") == {}


@pytest.mark.parametrize(
    ("lines", "options", "message"),
    [
        (
            ["one two three four five six seven eight"],
            SPELT,
            "must have a word that occurs twice|has no word",
        ),
        (
            LINES,
            DataOptions(level="characters", split="char-rnn"),
            "split: got 'char-rnn'; reads a text in order",
        ),
    ],
)
def test_mistakes(tmp_path, lines, options, message):
    path = tmp_path / "some.txt"
    path.write_text("\n".join(lines * (1 if len(lines) == 1 else 20)).ljust(120, "x"))
    with pytest.raises(UserError, match=message):
        load_data(f"text:{path}", options)


def test_a_processor_of_other_data_is_refused(tmp_path):
    with pytest.raises(UserError, match="holds other inputs than the model was trained on"):
        load_data(f"text:{text_file(tmp_path)}", processor=CharacterTagProcessor(tags=("x",)))
