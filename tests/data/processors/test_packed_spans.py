"""Answers as parts of a text: places of characters and of tokens, windows, questions without an answer."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anncestry.data.processors.packed_spans import NEVER, SpanProcessor, _bounds, _most_context
from anncestry.data.readers.squad import Question
from anncestry.errors import UserError
from anncestry.tokenizers.learning import learn_tokenizer
from anncestry.tokenizers.source import for_a_task
from anncestry.tokenizers.tokenizer import Tokenizer

TEXTS = ["where was the film shown", "the film was shown in the old hall, and it was cold (very cold)"] * 4
TOKENIZERS = [
    learn_tokenizer(TEXTS, "wordpiece", 45, lowercase=True),
    for_a_task(learn_tokenizer(TEXTS, "byte-bpe", 280)),
    for_a_task(learn_tokenizer(TEXTS, "word-bpe", 60)),
]
PROCESSOR = SpanProcessor(TOKENIZERS[0], 24, stride=6, cut=True)
LETTERS = st.characters(categories=("Lu", "Ll", "Nd"), max_codepoint=0x24F)
word = st.text(LETTERS, min_size=1, max_size=6) | st.sampled_from(["film", "hall", "cold"])


def outputs_at(targets: torch.Tensor, num_tokens: int) -> torch.Tensor:
    """Outputs that are sure of these places."""
    outputs = torch.zeros(len(targets), num_tokens, 2)
    return outputs.scatter(1, targets[:, None], 10.0)


@settings(max_examples=80, deadline=None)
@given(st.lists(word, min_size=1, max_size=40), st.data(), st.sampled_from(TOKENIZERS))
def test_what_is_answered_is_the_text_at_these_positions(
    words: list[str], data, tokenizer: Tokenizer
) -> None:
    context = data.draw(st.sampled_from(["", " ", "\n"])) + " ".join(words)
    first = data.draw(st.integers(0, len(words) - 1))
    last = data.draw(st.integers(first, min(len(words) - 1, first + 2)))
    start = len(context) - len(" ".join(words)) + sum(len(word) + 1 for word in words[:first])
    answer = " ".join(words[first : last + 1])
    assert context[start : start + len(answer)] == answer
    question = Question("where", context, (answer,), (start,))
    processor = dataclasses.replace(PROCESSOR, tokenizer=tokenizer, max_tokens=32)
    windows = processor.windows([question])
    targets = processor.targets([question], windows)
    held = targets[:, 0] != windows.nothing
    for row in held.nonzero()[:, 0].tolist():
        begin, end = (
            int(places[row, targets[row, i]]) for i, places in enumerate((windows.begins, windows.ends))
        )
        assert context[begin:end] == answer
    # the window that has most of the text around its first token has the answer too, where it is short enough
    whole = held & windows.central.gather(1, targets[:, :1])[:, 0]
    if whole.any():
        outputs = outputs_at(targets, windows.inputs.shape[1])
        outputs[~whole] = 0
        (found,) = processor.answers([question], windows, outputs)
        if int(targets[whole][0, 1] - targets[whole][0, 0]) < processor.max_answer:
            assert found["answer"] == answer
            assert context[slice(*found["places"])] == answer


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 90), st.integers(1, 20), st.integers(1, 20))
def test_windows_hold_every_token(length: int, room: int, stride: int) -> None:
    bounds = _bounds(length, room, min(stride, room))
    assert {place for begin, end in bounds for place in range(begin, end)} == set(range(length))
    assert all(end - begin <= room for begin, end in bounds)
    best = _most_context(bounds, length)
    assert all(bounds[window][0] <= place < bounds[window][1] for place, window in enumerate(best))


@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=lambda t: t.kind)
def test_positions_are_those_of_the_tokens(tokenizer: Tokenizer) -> None:
    question = Question("where was the film", " ".join(TEXTS))
    processor = dataclasses.replace(PROCESSOR, tokenizer=tokenizer)
    tokens, places = tokenizer.encode_with_offsets(question.context)
    windows = processor.windows([question])
    begin = 0
    for row in range(len(windows.inputs)):
        inside = windows.begins[row] >= 0
        read = windows.inputs[row][inside].tolist()
        found = list(
            zip(windows.begins[row][inside].tolist(), windows.ends[row][inside].tolist(), strict=True)
        )
        begin = next(i for i in range(begin, len(tokens)) if places[i : i + len(found)] == found)
        assert read == tokens[begin : begin + len(read)]
        assert windows.inputs[row, windows.nothing[row]] == tokenizer.special.begin


def naive(processor, question, windows, outputs) -> str:
    """Every pair of places of every window."""
    best, answer = NEVER, ""
    for row in range(len(outputs)):
        for first in windows.central[row].nonzero()[:, 0].tolist():
            for last in range(first, min(outputs.shape[1], first + processor.max_answer)):
                if windows.begins[row, last] >= 0 and outputs[row, first, 0] + outputs[row, last, 1] > best:
                    best = outputs[row, first, 0] + outputs[row, last, 1]
                    answer = question.context[windows.begins[row, first] : windows.ends[row, last]]
    return answer


@pytest.mark.parametrize("seed", range(4))
def test_the_best_answer_is_that_of_all_pairs(seed: int) -> None:
    question = Question("where", " ".join(TEXTS))
    processor = dataclasses.replace(PROCESSOR, max_answer=3 + seed)
    windows = processor.windows([question])
    assert len(windows.inputs) > 3
    generator = torch.Generator().manual_seed(seed)
    outputs = torch.randn(*windows.inputs.shape, 2, generator=generator)
    (found,) = processor.answers([question], windows, outputs)
    assert found["answer"] == naive(processor, question, windows, outputs)


def test_no_answer_is_the_first_token() -> None:
    question = Question("where", "the film was cold")
    processor = dataclasses.replace(PROCESSOR, may_lack=True)
    windows = processor.windows([question])
    assert processor.targets([question], windows).tolist() == [[0, 0]]
    outputs = torch.zeros(1, windows.inputs.shape[1], 2)
    outputs[0, 0] = 1.0
    assert processor.answers([question], windows, outputs) == [{"answer": "", "score": 2.0, "places": None}]
    lenient = dataclasses.replace(processor, threshold=2.5)
    assert lenient.answers([question], windows, outputs)[0]["answer"]
    sure = dataclasses.replace(processor, may_lack=False)
    assert sure.answers([question], windows, outputs)[0]["answer"]


def test_questions_of_lines_and_of_files(tmp_path: Path) -> None:
    (found,) = PROCESSOR.questions_of("where was it\tthe film was cold")
    assert (found.text, found.context) == ("where was it", "the film was cold")
    whole = {"data": [{"paragraphs": [{"context": "a film", "qas": [{"id": 7, "question": "what"}]}]}]}
    (tmp_path / "asked.json").write_text(json.dumps(whole))
    asked = PROCESSOR.split_inputs(tmp_path / "asked.json")
    assert asked.labels == ["what"]
    (row,) = asked.decode(torch.zeros(*asked.inputs.shape, 2))
    assert row["answer"] in ("a", "a film", "film")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("where was it", "must be a question, a tab and the text"),
        ("where\t", "must be a question, a tab and the text"),
        ("where was the film shown " * 9 + "\ta film", "has 180 tokens, and a question has at most 10"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        dataclasses.replace(PROCESSOR, cut=False).split_inputs(text)
