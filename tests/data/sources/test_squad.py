"""Questions in files of SQuAD's form: how they are split, answers in other places, and what is damaged."""

import json
from pathlib import Path
from typing import Any

import pytest

from anncestry.data import DataOptions, load_data
from anncestry.data.processors import SpanProcessor
from anncestry.data.readers.squad import read_squad
from anncestry.data.splits.questions import Questions
from anncestry.errors import UserError

SMALL = DataOptions(level="wordpiece", vocab_size=90, max_tokens=48)


def article(number: int, lacking: bool = False) -> dict:
    context = (
        f"In the year 19{number:02} the old hall of the town was cold, and the film was shown to nobody."
    )
    asked = [
        {"id": f"{number}a", "question": "what was cold",
         "answers": [{"text": "the old hall", "answer_start": context.index("the old hall")}]},
        {"id": f"{number}b", "question": "what was shown",
         "answers": [{"text": "the film", "answer_start": context.index("the film")}]},
    ]  # fmt: skip
    if lacking:
        asked.append({"id": f"{number}c", "question": "who was warm", "answers": [], "is_impossible": True})
    return {"title": str(number), "paragraphs": [{"context": context, "qas": asked}]}


def write(path: Path, numbers, **options) -> str:
    path.write_text(json.dumps({"version": "1.1", "data": [article(n, **options) for n in numbers]}))
    return f"squad:{path}"


def test_one_file_is_split_by_articles(tmp_path: Path) -> None:
    dataset = load_data(write(tmp_path / "all.json", range(20)), SMALL)
    parts: list[Any] = [dataset.train, dataset.validation, dataset.test]
    assert all(isinstance(part, Questions) for part in parts)
    texts = [{question.context for question in part.questions} for part in parts]
    assert [len(found) for found in texts] == [14, 3, 3]
    assert not texts[0] & texts[1]
    assert not texts[0] & texts[2]
    assert dataset.signature.task == "span"
    processor = dataset.processor
    assert isinstance(processor, SpanProcessor)
    assert not processor.may_lack
    for part in parts:
        windows = processor.windows(part.questions)
        for row, number in enumerate(windows.question.tolist()):
            first, last = part.targets[row].tolist()
            question = part.questions[number]
            assert question.context[windows.begins[row, first] : windows.ends[row, last]] in question.answers
    again = load_data(f"squad:{tmp_path / 'all.json'}", SMALL, processor=processor)
    assert again.fingerprint() == dataset.fingerprint()


def test_a_folder_with_its_own_parts(tmp_path: Path) -> None:
    write(tmp_path / "train-v2.0.json", range(20), lacking=True)
    write(tmp_path / "dev-v2.0.json", range(20, 24), lacking=True)
    dataset: Any = load_data(f"squad:{tmp_path}", SMALL)
    assert [len(part.questions) for part in (dataset.train, dataset.validation, dataset.test)] == [54, 6, 12]
    assert dataset.processor.may_lack
    assert int((dataset.test.targets.sum(1) == 0).sum()) == 4
    assert "the validation file is the test part" in dataset.notes[1]


def test_answers_in_other_places(tmp_path: Path) -> None:
    whole = {"data": [article(n) for n in range(12)]}
    answers = [a["paragraphs"][0]["qas"][0]["answers"] for a in whole["data"]]
    answers[0][0]["answer_start"] = 3
    answers[1][0]["text"] = "the new hall"
    (tmp_path / "all.json").write_text(json.dumps(whole))
    found = read_squad(tmp_path / "all.json")
    assert (found.moved, found.lost) == (1, 1)
    assert found.articles[0][0].context[found.articles[0][0].starts[0] :].startswith("the old hall")
    assert found.articles[1][0].answers == ("the new hall",)
    assert found.articles[1][0].starts == ()
    dataset: Any = load_data(f"squad:{tmp_path / 'all.json'}", SMALL)
    assert any(note.startswith("1 answers do not begin") for note in dataset.notes)
    assert all(question.starts for question in dataset.train.questions)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not readable JSON"),
        ("[]", "must hold a list 'data'"),
        ('{"data": [{}]}', "article 1'; must hold a list 'paragraphs'"),
        ('{"data": [{"paragraphs": [{"qas": []}]}]}', "article 1, paragraph 1'; must hold a text 'context'"),
        ('{"data": [{"paragraphs": [{"context": "a", "qas": [{}]}]}]}', "must hold a text 'question'"),
        ('{"data": []}', "holds no question"),
        ("[" * 100_000, "is not readable JSON"),
    ],
)
def test_damaged_files(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "all.json").write_text(content)
    with pytest.raises(UserError, match=message):
        load_data(f"squad:{tmp_path / 'all.json'}")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("answers", 3, "paragraph 1, question 0a'; must hold a list 'answers'"),
        ("answers", {"text": "the film"}, "must hold a list 'answers'"),
        ("answers", ["the film"], "must hold a text 'text'"),
        ("question", ["who"], "must hold a text 'question'"),
        ("is_impossible", "false", r"got 'false'; must be true or false \(article 1, paragraph 1"),
    ],
)
def test_parts_of_other_types_are_named(tmp_path: Path, field: str, value: Any, message: str) -> None:
    whole = {"data": [article(n) for n in range(12)]}
    whole["data"][0]["paragraphs"][0]["qas"][0][field] = value
    (tmp_path / "all.json").write_text(json.dumps(whole))
    with pytest.raises(UserError, match=message):
        read_squad(tmp_path / "all.json")


def test_too_few_questions(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"are too few for training, validation and test"):
        load_data(write(tmp_path / "all.json", range(2)), SMALL)


def test_questions_without_answers_are_reported(tmp_path: Path) -> None:
    articles = [article(n) for n in range(20)]
    for one in articles[:3]:
        del one["paragraphs"][0]["qas"][1]["answers"]
    (tmp_path / "all.json").write_text(json.dumps({"data": articles}))
    notes = load_data(f"squad:{tmp_path / 'all.json'}", SMALL).notes
    assert "3 questions have no answers and are not said to be impossible; they are read as such" in notes
