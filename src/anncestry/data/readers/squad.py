"""Files of SQuAD's form, 1.1 and 2.0 (Rajpurkar et al., 1606.05250 and 1806.03822): articles of paragraphs,
each with questions."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anncestry.errors import UserError, require
from anncestry.stored import parse_json
from anncestry.user_files import existing_file, read_text, whole_characters

MAX_NAME = 200
"""Characters that are kept of the id of a question."""


@dataclass(frozen=True)
class Question:
    """A question, and a text that may hold its answer.

    Attributes:
        text: the question.
        context: the text.
        answers: what people answered, word for word; empty where the text has no answer.
        starts: at which character of the text each answer begins.
        id: its name in the file it is from.
    """

    text: str
    context: str
    answers: tuple[str, ...] = ()
    starts: tuple[int, ...] = ()
    id: str = ""


@dataclass(frozen=True)
class Squad:
    """What a file holds.

    Attributes:
        articles: the questions of each article.
        moved: answers that do not begin where the file says, but elsewhere in the text.
        lost: answers that the text does not hold.
        unanswered: questions without an answer that are not said to be impossible.
    """

    articles: list[list[Question]]
    moved: int = 0
    lost: int = 0
    unanswered: int = 0


def read_squad(path: str | Path) -> Squad:
    """The questions of a file, which may be gzipped.

    Raises:
        UserError: there is no such file, it is no JSON, or a part of it is missing.
    """
    file = existing_file(str(path))
    whole = parse_json(read_text(file), file)
    articles, counts = [], {"moved": 0, "lost": 0, "unanswered": 0}
    for number, article in enumerate(_list(whole, "data", str(file)), 1):
        questions = []
        for position, paragraph in enumerate(_list(article, "paragraphs", f"article {number}"), 1):
            where = f"article {number}, paragraph {position}"
            context = _text(paragraph, "context", where)
            for asked in _list(paragraph, "qas", where):
                questions.append(_question(asked, context, where, counts))
        if questions:
            articles.append(questions)
    if not articles:
        raise UserError("file", str(file), "holds no question")
    return Squad(articles, **counts)


def _question(asked: Any, context: str, where: str, counts: dict[str, int]) -> Question:
    text, name = _text(asked, "question", where), str(asked.get("id", ""))[:MAX_NAME]
    where = f"{where}, question {name or repr(text[:40])}"
    answers, starts, unplaced = [], [], []
    impossible = asked.get("is_impossible", False)
    rule = f"must be true or false ({where})"
    require(isinstance(impossible, bool), "is_impossible", impossible, rule)
    if not impossible:
        for answer in [] if asked.get("answers") is None else _list(asked, "answers", where):
            words, start = _text(answer, "text", where), answer.get("answer_start")
            if not isinstance(start, int) or context[start : start + len(words)] != words or start < 0:
                start = context.find(words)
                counts["moved" if start >= 0 else "lost"] += 1
            if start < 0:
                unplaced.append(words)  # it counts as an answer, and cannot be trained on
            else:
                answers.append(words)
                starts.append(start)
        counts["unanswered"] += "is_impossible" not in asked and not answers and not unplaced
    return Question(text.strip(), context, (*answers, *unplaced), tuple(starts), name)


def _list(value: Any, name: str, where: str) -> list[Any]:
    found = value.get(name) if isinstance(value, dict) else None
    if not isinstance(found, list):
        raise UserError("file", where, f"must hold a list '{name}', as files of SQuAD's form do")
    return found


def _text(value: Any, name: str, where: str) -> str:
    found = value.get(name) if isinstance(value, dict) else None
    if not isinstance(found, str) or not found.strip():
        raise UserError("file", where, f"must hold a text '{name}', as files of SQuAD's form do")
    return whole_characters(found)
