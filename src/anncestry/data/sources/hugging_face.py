"""Data sets of Hugging Face's hub, where the package ``datasets`` is installed and there is a network."""

import dataclasses
import importlib
import json
from collections.abc import Mapping
from typing import Any

from anncestry.data.options import DataOptions
from anncestry.data.readers.parts import Part
from anncestry.data.readers.tables import Table
from anncestry.data.sources.squad import encode_questions, question_dataset, questions_of
from anncestry.data.sources.text_tables import TARGETS, TEXTS, read_tables, text_table
from anncestry.data.splits.dataset import Dataset, Processor, Whole
from anncestry.data.splits.holdout import generator, random_split
from anncestry.errors import UserError, nearest

FILES = "Without it, get its files and give them as jsonl:PATH, csv:PATH or squad:PATH."
PARTS: dict[str, Part] = {"train": "train", "validation": "validation", "dev": "validation", "test": "test"}
UNKNOWN = -1  # the class of what the hub keeps to itself


def load_hugging_face(
    argument: str, options: DataOptions, seed: int, processor: Processor | None = None
) -> Dataset:
    """``hf:NAME``, or ``hf:NAME,CONFIG``: texts with a class or a value, pairs of them, or questions."""
    full = f"hf:{argument}"
    parts = _open(argument, "train")
    if _asks(parts):
        read = {part: questions_of(split) for part, split in parts.items()}
        return question_dataset(_three(read, seed), options, processor, name=full)
    tables, options = _tables(parts, options, full)
    return text_table(tables, dict.fromkeys(tables, argument), options, seed, processor, name=full)


def read_hugging_face(argument: str, options: DataOptions, processor: Processor) -> Whole:
    """All parts of ``hf:NAME``."""
    full = f"hf:{argument}"
    parts = _open(argument)
    if _asks(parts):
        read = {part: questions_of(split) for part, split in parts.items()}
        return encode_questions(read, processor, name=full)
    tables, options = _tables(parts, options, full)
    return read_tables(tables, dict.fromkeys(tables, argument), options, processor, name=full)


def _open(argument: str, needed: Part | None = None) -> dict[Part, Any]:
    """The parts of a data set, the training part first if there is one."""
    name, _, config = (part.strip() for part in argument.partition(","))
    splits = _download(name, config or None)
    parts = {PARTS[key]: splits[key] for key in PARTS if key in splits}
    if not parts or (needed is not None and needed not in parts):
        raise UserError("data", f"hf:{argument}", "has no training part", list(splits))
    return parts


def _asks(parts: Mapping[Part, Any]) -> bool:
    return {"question", "context", "answers"} <= set(next(iter(parts.values())).column_names)


def _tables(
    parts: Mapping[Part, Any], options: DataOptions, full: str
) -> tuple[dict[Part, Table], DataOptions]:
    """The columns that are read, and the options with their names."""
    columns = list(next(iter(parts.values())).column_names)
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
    return {part: table for part, table in tables.items() if table is not None}, options


def _download(name: str, config: str | None) -> Mapping[str, Any]:
    try:
        datasets = importlib.import_module("datasets")
    except ImportError:
        rule = "needs the package `datasets`, which is not installed"
        raise UserError("data", f"hf:{name}", rule, hint=f"Install anncestry[hub]. {FILES}") from None
    try:
        found = datasets.load_dataset(name, config)
    except Exception as error:  # whatever is wrong with the name, the network or the files
        reason = json.dumps(str(error).partition("\n")[0][:200])
        raise UserError("data", f"hf:{name}", f"cannot be had: {reason}", hint=FILES) from error
    return found


def _table(split: Any, columns: list[str]) -> Table | None:
    """The columns of a part; None where its classes are kept secret."""
    names = getattr(split.features[columns[-1]], "names", None)
    targets = list(split[columns[-1]])
    if names is not None:
        if all(value == UNKNOWN for value in targets):
            return None
        targets = [names[value] for value in targets]
    cells = [*(list(split[column]) for column in columns[:-1]), targets]
    texts = tuple(tuple(str(cell) for cell in column) for column in cells)
    return Table(tuple(columns), True, texts, tuple(range(1, len(targets) + 1)))


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
