"""Classes, values and tags of texts in pieces: what is read, what is refused, and one tag for every word."""

import dataclasses
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anncestry.data.processors import (
    PackedClassesProcessor,
    PackedTagsProcessor,
    PackedValuesProcessor,
    SpanProcessor,
    processor_from_json,
)
from anncestry.errors import UserError
from anncestry.protocols import IGNORED
from anncestry.tokenizers.learning import learn_tokenizer
from anncestry.tokenizers.source import for_a_task

TEXTS = ["the film was dull and the hall was cold", "a fine and warm film"] * 4
PIECES = learn_tokenizer(TEXTS, "wordpiece", 80)
GPT = for_a_task(learn_tokenizer(TEXTS, "word-bpe", 40))
CLASSES = PackedClassesProcessor(PIECES, 24, classes=("bad", "good"))
PAIRS = dataclasses.replace(CLASSES, pairs=True)
VALUES = PackedValuesProcessor(PIECES, 24, mean=2.0, scale=0.5, name="stars")
TAGS = PackedTagsProcessor(PIECES, 12, cut=True, tags=("NOUN", "VERB", "X"))
SPANS = SpanProcessor(PIECES, 24, stride=7, may_lack=True)


@pytest.mark.parametrize("processor", [CLASSES, PAIRS, VALUES, TAGS, SPANS], ids=lambda p: p.kind)
def test_json_keeps_everything(processor) -> None:
    assert processor_from_json(processor.to_json()) == processor


def test_a_text_and_a_pair_stand_between_special_tokens() -> None:
    begin, separator = PIECES.special.begin, PIECES.special.separator
    _, inputs = CLASSES.read("a fine film")
    assert inputs[0].tolist() == [begin, *PIECES.encode("a fine film"), separator]
    _, inputs = PAIRS.read("a fine film\ta dull film")
    halves = PIECES.encode("a fine film"), PIECES.encode("a dull film")
    assert inputs[0].tolist() == [begin, *halves[0], separator, *halves[1], separator]
    start, delimiter, extract = range(len(GPT) - 3, len(GPT))
    _, inputs = dataclasses.replace(PAIRS, tokenizer=GPT).read("a fine film\ta dull film")
    halves = GPT.encode("a fine film"), GPT.encode("a dull film")
    assert inputs[0].tolist() == [start, *halves[0], delimiter, *halves[1], extract]


def test_lines_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "pairs.txt").write_text("a film\ta dull film\n\nwarm\tcold\n")
    texts = PAIRS.texts(tmp_path / "pairs.txt")
    assert [PAIRS.is_blank(text) for text in texts] == [False, True, False]
    labels, inputs = PAIRS.read([text for text in texts if not PAIRS.is_blank(text)])
    assert labels == ["a film\ta dull film", "warm\tcold"]
    assert (PAIRS.lengths_of(inputs) < inputs.shape[1]).tolist() == [False, True]


@pytest.mark.parametrize(
    ("processor", "text", "message"),
    [
        (CLASSES, "a film\ta film", "must be one text"),
        (PAIRS, "a film", "must be two texts with a tab"),
        (PAIRS, "a film\t", "must be two texts with a tab"),
        (PAIRS, "a\tb\tc", "must be two texts with a tab"),
        (CLASSES, "a film " * 20, "has 40 tokens, and the model reads 22"),
        (PAIRS, ("a film", "b\tc"), "must be two texts with a tab"),
        (CLASSES, 3, "got 'int'; must be a text, a pair of texts as a tuple, a Path"),
    ],
)
def test_what_is_refused(processor, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        processor.read(text)


def test_texts_are_read_as_they_stand() -> None:
    tokenizer = for_a_task(learn_tokenizer(["a film "], "byte-bpe", 270))
    processor = dataclasses.replace(CLASSES, tokenizer=tokenizer)
    (ends, plain), _ = processor.read(["a film ", "a film"])[1], None
    assert tokenizer.decode(ends.tolist()) == "a film "
    assert ends.tolist() != plain.tolist()
    assert dataclasses.replace(processor, pairs=True).text_of("a \t b") == ("a ", " b")


def test_a_blank_text_is_special_tokens_alone() -> None:
    _, inputs = CLASSES.read(["", "a film"])
    assert CLASSES.lengths_of(inputs).tolist()[0] == 2
    with pytest.raises(UserError, match="must hold at least one token"):
        CLASSES.encode([""])


def test_texts_that_are_cut_are_counted() -> None:
    cutting = dataclasses.replace(CLASSES, cut=True)
    inputs, lengths, num_cut = cutting.encode_counted(["a film", "a film " * 20, ("a film", "cold " * 30)])
    assert num_cut == 2
    assert lengths.tolist()[1:] == [24, 24]
    assert inputs[1, -1] == PIECES.special.separator


def test_values_come_back_in_their_unit() -> None:
    targets = VALUES.encode_targets([1.0, 2.0, 4.5])
    assert targets[:, 0].tolist() == [-2.0, 0.0, 5.0]
    assert [row["stars"] for row in VALUES.decode(targets)] == [1.0, 2.0, 4.5]
    assert VALUES.target_scale == (0.5,)


def test_a_class_has_its_score() -> None:
    assert CLASSES.decode(torch.tensor([[0.25, 0.75]])) == [
        {"class": "good", "scores": {"bad": 0.25, "good": 0.75}}
    ]


def test_a_word_is_tagged_at_its_first_piece() -> None:
    sentence = ["the", "coldest", "hall"]
    pieces = PIECES.encode_words(sentence)
    assert len(pieces[1]) > 1
    words = TAGS.encode_words([sentence])
    targets = words.at_first([[0, 1, 2]])
    expected = [IGNORED] * (2 + sum(map(len, pieces)))
    for tag in range(3):
        expected[1 + sum(map(len, pieces[:tag]))] = tag
    assert targets[0].tolist() == expected
    with pytest.raises(UserError, match=r"sentence: got 'hall hall.*has 11 tokens, and the model reads 10"):
        TAGS.encode_words([["hall"] * 11], cut=False)
    with pytest.raises(UserError, match="must hold at least one word"):
        TAGS.encode_words([[]])


words = st.lists(
    st.text(st.characters(exclude_categories=("Z", "C")), min_size=1, max_size=8), min_size=1, max_size=30
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(words, min_size=1, max_size=4), st.randoms(use_true_random=False), st.sampled_from([PIECES, GPT])
)
def test_every_word_has_one_tag(sentences, random, tokenizer) -> None:
    processor = dataclasses.replace(TAGS, tokenizer=tokenizer)
    tags = [[random.randrange(3) for _ in sentence] for sentence in sentences]
    read = processor.encode_words(sentences)
    assert int(read.lengths.max()) <= processor.max_tokens
    targets = read.at_first(tags)
    assert int((targets != IGNORED).sum()) == sum(map(len, tags))
    assert read.of_words(targets, len(sentences)) == tags
    asked = processor.split_inputs([" ".join(sentence) for sentence in sentences])
    rows = asked.decode(torch.nn.functional.one_hot(targets.clamp(min=0), 3).float())
    assert [row["tags"] for row in rows] == [[processor.tags[tag] for tag in row] for row in tags]


def test_what_fills_up_is_never_what_an_input_ends_with():
    """GPT's tokenizer has no filler; its extract token, which is answered from, is the end."""
    learnt = learn_tokenizer(["a cat sat!"], "byte-bpe", 270)
    processor = PackedClassesProcessor(for_a_task(learnt), classes=("x", "y"))
    inputs, lengths = processor.encode(["!", "a cat sat!"])
    assert processor.lengths_of(inputs).tolist() == lengths.tolist()
    assert (inputs[torch.arange(2), lengths - 1] == processor.tokenizer.special.end).all()
