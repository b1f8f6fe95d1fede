"""Questions about texts, whose answers are spans of the text: SQuAD 1.1 and 2.0, and files like theirs."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from anncestry.data.options import DataOptions
from anncestry.data.processors.common import expect
from anncestry.data.processors.packed_spans import SpanProcessor
from anncestry.data.readers.parts import Part, official_parts
from anncestry.data.readers.squad import Question, Squad, read_squad
from anncestry.data.sources.labelled_texts import stored, task_tokenizer
from anncestry.data.splits.dataset import Dataset, Processor, Whole
from anncestry.data.splits.holdout import generator, random_split
from anncestry.data.splits.questions import Questions
from anncestry.errors import UserError, require
from anncestry.signature import Signature
from anncestry.user_files import absolute, existing_file

WINDOW = 384
"""Tokens of a window, with the question; the default."""
FEWEST_ARTICLES = 10
"""With fewer ones, paragraphs are split."""
Parts = dict[Part, list[Question]]


def load_squad(argument: str, options: DataOptions, seed: int, processor: Processor | None = None) -> Dataset:
    """``squad:PATH``: a folder with train and dev files, or one file."""
    path, read, notes = _read(argument)
    parts = _split(read, seed, notes)
    return question_dataset(parts, options, processor, name=f"squad:{path}", source=path, notes=notes)


def read_questions(argument: str, options: DataOptions, processor: Processor) -> Whole:
    """All questions of ``squad:PATH``."""
    path, read, notes = _read(argument, train=False)
    parts = {part: _flat(squad.articles) for part, squad in read.items()}
    return encode_questions(parts, processor, name=f"squad:{path}", notes=notes)


def _read(argument: str, train: bool = True) -> tuple[Path, dict[Part, Squad], list[str]]:
    """The path, what each file holds, and notes."""
    path, notes = absolute(argument), []
    suffixes = (".json",)
    files = (
        official_parts(path, suffixes, notes, train) if path.is_dir() else {"train": existing_file(argument)}
    )
    read = {part: read_squad(file) for part, file in files.items()}
    for field, what in (
        ("moved", "answers do not begin where the file says; the first occurrence is taken"),
        ("lost", "answers are not in their text and cannot be trained on"),
        ("unanswered", "questions have no answers and are not said to be impossible; they are read as such"),
    ):
        count = sum(getattr(squad, field) for squad in read.values())
        notes += [f"{count} {what}"] if count else []
    return path, read, notes


def encode_questions(
    parts: Mapping[Part, Sequence[Question]], processor: Processor, *, name: str, notes: Sequence[str] = ()
) -> Whole:
    """All questions of all parts, as a trained model reads them."""
    reader = expect(processor, SpanProcessor, name)
    return Whole(tuple(_encode(questions, reader) for questions in parts.values()), tuple(notes))


def _encode(questions: Sequence[Question], processor: SpanProcessor) -> Questions:
    windows = processor.windows(questions)
    targets = processor.targets(questions, windows)
    return Questions(windows.inputs, targets, windows.lengths, tuple(questions))


def question_dataset(
    parts: Mapping[Part, Sequence[Question]],
    options: DataOptions,
    processor: Processor | None = None,
    *,
    name: str,
    source: Path | None = None,
    notes: Sequence[str] = (),
) -> Dataset:
    """The learning problem in questions.

    Questions of the training part whose answer is not in their text are left out.

    Args:
        parts: training, validation and test.
        options: how texts are read.
        processor: that of a trained model, which decides that instead.
        name, source, notes: as in `Dataset`.
    """
    notes = list(notes)
    given = processor is not None
    if processor is None:
        tokenizer, longest = task_tokenizer(options, _texts(parts["train"]))
        lacking = any(not question.answers for part in parts.values() for question in part)
        longest = longest if options.max_tokens else min(longest, WINDOW)
        processor = SpanProcessor(tokenizer, longest, options.cut, may_lack=lacking)
    processor = expect(processor, SpanProcessor, name)
    made: dict[Part, Questions] = {}
    for part, questions in parts.items():
        if part == "train":
            questions = [question for question in questions if question.starts or not question.answers]
            require(bool(questions), "data", name, "has no question whose answer is in its text")
        made[part] = _encode(questions, processor)
    if not given:
        count = len(made["train"])
        notes.append(f"{count:,} windows of at most {processor.max_tokens} tokens to train on")
    shape = (max(split.inputs.shape[1] for split in made.values()),)
    return Dataset(
        name=name,
        options=stored(options),
        signature=Signature(
            "span",
            "tokens",
            shape,
            2,
            len(processor.tokenizer),
            separator=processor.tokenizer.special.separator,
        ),
        processor=processor,
        train=made["train"],
        validation=made["validation"],
        test=made["test"],
        source=source,
        notes=tuple(notes),
    )


def _texts(questions: Sequence[Question]) -> Iterable[str]:
    yield from dict.fromkeys(question.context for question in questions)
    for question in questions:
        yield question.text


def _split(read: Mapping[Part, Squad], seed: int, notes: list[str]) -> Parts:
    """Training, validation and test. What is split is split by articles: questions about the same text stay
    together."""
    train = read["train"].articles
    others: list[Part] = [part for part in ("validation", "test") if part in read]
    flat = {part: _flat(read[part].articles) for part in others}
    if len(others) == 2:
        return {"train": _flat(train), **flat}
    unit = "articles"
    if len(train) < FEWEST_ARTICLES:
        train, unit = _paragraphs(train), "paragraphs"
    shares = (0.1,) if others else (0.15, 0.15)
    rows = random_split(len(train), generator(seed), shares)
    if not all(map(len, rows)):
        raise UserError("data", f"{len(train)} {unit}", "are too few for training, validation and test")
    split = [_flat([train[row] for row in sorted(chosen)]) for chosen in rows]
    sizes = " / ".join(f"{len(part):,}" for part in split)
    if others:
        notes.append(
            f"validation is a tenth of the training {unit}, at random with seed {seed}: {sizes} questions; "
            f"the {others[0]} file is the test part"
        )
        return {"train": split[0], "validation": split[1], "test": flat[others[0]]}
    notes.append(f"{unit} split at random with seed {seed}: {sizes} questions for training, validation, test")
    return {"train": split[0], "validation": split[1], "test": split[2]}


def _flat(articles: Iterable[Sequence[Question]]) -> list[Question]:
    return [question for article in articles for question in article]


def _paragraphs(articles: Sequence[Sequence[Question]]) -> list[list[Question]]:
    found: dict[str, list[Question]] = {}
    for question in _flat(articles):
        found.setdefault(question.context, []).append(question)
    return list(found.values())


def questions_of(rows: Iterable[dict[str, Any]]) -> list[Question]:
    """The questions of rows with ``question``, ``context`` and ``answers`` (``text``, ``answer_start``)."""
    found = []
    for row in rows:
        answers = row["answers"]
        texts, starts = tuple(answers["text"]), tuple(answers["answer_start"])
        found.append(Question(row["question"], row["context"], texts, starts, str(row.get("id", ""))))
    return found
