"""Data sets of Hugging Face's hub, where the package ``datasets`` is installed and there is a network."""

import dataclasses
import importlib
import json
from collections.abc import Mapping
from typing import Any

from anncestry.data.dataset import Dataset, Processor
from anncestry.data.options import DataOptions
from anncestry.data.readers.tables import Table
from anncestry.data.sources.labelled_texts import Part
from anncestry.data.sources.squad import question_dataset, questions_of
from anncestry.data.sources.text_tables import TARGETS, TEXTS, text_table
from anncestry.data.splits import generator, random_split
from anncestry.errors import UserError, nearest

FILES = "Without it, get its files and give them as jsonl:PATH, csv:PATH or squad:PATH."
PARTS: dict[str, Part] = {"train": "train", "validation": "validation", "dev": "validation", "test": "test"}
UNKNOWN = -1  # the class of what the hub keeps to itself


def load_hugging_face(
    argument: str, options: DataOptions, seed: int, processor: Processor | None = None
) -> Dataset:
    """``hf:NAME``, or ``hf:NAME,CONFIG``: texts with a class or a value, pairs of them, or questions."""
    name, _, config = (part.strip() for part in argument.partition(","))
    splits = _download(name, config or None)
    parts = {PARTS[key]: split for key, split in splits.items() if key in PARTS}
    if "train" not in parts:
        raise UserError("--data", f"hf:{argument}", "has no training part", list(splits))
    columns = list(parts["train"].column_names)
    full = f"hf:{argument}"
    if {"question", "context", "answers"} <= set(columns):
        read = {part: questions_of(split) for part, split in parts.items()}
        return question_dataset(_three(read, seed), options, processor, name=full)
    text = options.text or next((t for t in TEXTS if set(t.split(",")) <= set(columns)), None)
    target = options.target or next((t for t in TARGETS if t in columns), None)
    for field, value in (("text", text), ("target", target)):
        if value is None:
            raise UserError(field, None, "must say which column it is", columns)
    assert text is not None
    assert target is not None
    options = dataclasses.replace(options, text=text, target=target)
    wanted = [column.strip() for column in f"{text},{target}".split(",")]
    for column in wanted:
        if column not in columns:
            raise UserError("text", column, f"is no column of {full}", nearest(column, columns))
    tables = {part: _table(split, wanted) for part, split in parts.items()}
    kept = {part: table for part, table in tables.items() if table is not None}
    return text_table(kept, dict.fromkeys(kept, argument), options, seed, processor, name=full)


def _download(name: str, config: str | None) -> Mapping[str, Any]:
    try:
        datasets = importlib.import_module("datasets")
    except ImportError:
        rule = "needs the package `datasets`, which is not installed"
        raise UserError("--data", f"hf:{name}", rule, hint=f"Install anncestry[hub]. {FILES}") from None
    try:
        found = datasets.load_dataset(name, config)
    except Exception as error:  # whatever is wrong with the name, the network or the files
        reason = json.dumps(str(error).split("\n")[0][:200])
        raise UserError("--data", f"hf:{name}", f"cannot be had: {reason}", hint=FILES) from error
    return found


def _table(split: Any, columns: list[str]) -> Table | None:
    """The columns of a part; None where its classes are kept secret."""
    names = getattr(split.features[columns[-1]], "names", None)
    answers = list(split[columns[-1]])
    if names is not None:
        if all(answer == UNKNOWN for answer in answers):
            return None
        answers = [names[answer] for answer in answers]
    cells = [*(list(split[column]) for column in columns[:-1]), answers]
    texts = tuple(tuple(str(cell) for cell in column) for column in cells)
    return Table(tuple(columns), True, texts, tuple(range(1, len(answers) + 1)))


def _three(read: dict[Part, list], seed: int) -> dict[Part, list]:
    """The parts, with a tenth of the training part for validation where there is only one other part."""
    others: list[Part] = [part for part in ("validation", "test") if part in read]
    if len(others) == 2:
        return read
    if not others:
        rows = random_split(len(read["train"]), generator(seed))
        train, validation, test = ([read["train"][row] for row in chosen] for chosen in rows)
        return {"train": train, "validation": validation, "test": test}
    rows = random_split(len(read["train"]), generator(seed), (0.1,))
    train, validation = ([read["train"][row] for row in chosen] for chosen in rows)
    return {"train": train, "validation": validation, "test": read[others[0]]}
