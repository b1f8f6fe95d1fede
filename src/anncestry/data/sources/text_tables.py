"""Tables and lines of JSON with texts in their columns: which ones are read, and what is asked of them."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

from anncestry.data.options import DataOptions
from anncestry.data.processors.given import Text
from anncestry.data.processors.packed_targets import (
    PackedClassesProcessor,
    PackedLabelsProcessor,
    PackedValuesProcessor,
)
from anncestry.data.readers.labels import JOINT, find_targets, label_sets, separator_of, several_labels_note
from anncestry.data.readers.parts import Part, official_parts
from anncestry.data.readers.tables import Table, is_missing, parse_table
from anncestry.data.sources.labelled_texts import Labelled, labelled_texts, read_labelled
from anncestry.data.splits.dataset import Dataset, Processor, Whole
from anncestry.errors import UserError, nearest, require
from anncestry.signature import Task
from anncestry.user_files import absolute, existing_file, read_text, split_lines, whole_characters

TABLES = (".tsv", ".csv", ".txt")
TEXT_TASKS = ("classification", "regression", "multi-label")
_TASKS: dict[type, Task] = {
    PackedClassesProcessor: "classification",
    PackedLabelsProcessor: "multi-label",
    PackedValuesProcessor: "regression",
}
TEXTS = ("text", "sentence", "sentence1,sentence2", "premise,hypothesis", "question,sentence")
"""Where texts are looked for in lines of JSON by default."""
TARGETS = ("label", "labels", "target", "score", "class")
"""The same for targets."""


def load_text_table(
    argument: str, options: DataOptions, seed: int, processor: Processor | None = None
) -> Dataset:
    """``csv:PATH --text COLUMN``: a file, or a folder with train and dev or test files."""
    path, tables, names, notes = _open_tables(argument, options)
    return text_table(tables, names, options, seed, processor, name=f"csv:{path}", source=path, notes=notes)


def read_text_table(argument: str, options: DataOptions, processor: Processor) -> Whole:
    """All rows of ``csv:PATH``, where a trained model reads texts of it."""
    path, tables, names, notes = _open_tables(argument, options, train=False)
    return read_tables(tables, names, options, processor, name=f"csv:{path}", notes=notes)


def _open_tables(
    argument: str, options: DataOptions, train: bool = True
) -> tuple[Path, dict[Part, Table], dict[Part, str], list[str]]:
    """The path, the table of each part, the names of the files, and notes."""
    path, notes = absolute(argument), []
    for name in ("drop", "window", "horizon"):
        value = getattr(options, name)
        rule = "is for tables of numbers; of one with texts the texts and the target alone are read"
        require(value == getattr(DataOptions, name), name, value, rule)
    files = (
        official_parts(path, TABLES, notes, train) if path.is_dir() else {"train": existing_file(argument)}
    )
    wanted = [name.strip() for name in (options.text or "").split(",")]
    known = {name for name in (*wanted, options.target) if name and not name.isdecimal()}
    tables = {
        part: parse_table(read_text(file), str(file), options.header, known, strip=False, ragged=True)
        for part, file in files.items()
    }
    return path, tables, {part: file.name for part, file in files.items()}, notes


def load_jsonl(argument: str, options: DataOptions, seed: int, processor: Processor | None = None) -> Dataset:
    """``jsonl:PATH``: an object on each line, a file or a folder with train and dev or test files."""
    path, tables, names, options, notes = _open_objects(argument, options)
    return text_table(tables, names, options, seed, processor, name=f"jsonl:{path}", source=path, notes=notes)


def read_jsonl(argument: str, options: DataOptions, processor: Processor) -> Whole:
    """All objects of ``jsonl:PATH``."""
    path, tables, names, options, notes = _open_objects(argument, options, train=False)
    return read_tables(tables, names, options, processor, name=f"jsonl:{path}", notes=notes)


def _open_objects(
    argument: str, options: DataOptions, train: bool = True
) -> tuple[Path, dict[Part, Table], dict[Part, str], DataOptions, list[str]]:
    """The path, the table of each part, the names of the files, the options with the fields that hold texts
    and targets, and notes."""
    path, notes = absolute(argument), []
    suffixes = (".jsonl", ".json", ".ndjson")
    files = (
        official_parts(path, suffixes, notes, train) if path.is_dir() else {"train": existing_file(argument)}
    )
    records = {part: read_objects(file) for part, file in files.items()}
    first = list(next(iter(records.values()))[0][1])
    text = options.text or next((t for t in TEXTS if set(t.split(",")) <= set(first)), None)
    target = options.target or next((t for t in TARGETS if t in first), None)
    for field, value in (("text", text), ("target", target)):
        if value is None:
            rule = f"must say which field holds the {'texts' if field == 'text' else 'targets'}"
            raise UserError(field, None, rule, first)
    options = dataclasses.replace(options, text=text, target=target)
    columns = [name.strip() for name in f"{text},{target}".split(",")]
    tables = {part: _as_table(rows, columns, str(files[part])) for part, rows in records.items()}
    return path, tables, {part: file.name for part, file in files.items()}, options, notes


def text_table(
    tables: Mapping[Part, Table],
    files: Mapping[Part, str],
    options: DataOptions,
    seed: int,
    processor: Processor | None = None,
    *,
    name: str,
    source: Path | None = None,
    notes: Sequence[str] = (),
) -> Dataset:
    """The learning problem in tables of texts.

    The target is by default the last column, and its cells decide the task. A test file without
    the target is left out.

    Args:
        tables: by part.
        files: the names of what they were read from.
        options: text, target and task, and how texts are read.
        seed, processor, name, source, notes: as in `labelled_texts`.
    """
    found = _choose(tables, files, options)
    return labelled_texts(
        found.parts, options, seed, processor, task=found.task, name=name, target=found.target, source=source,
        notes=[*notes, *found.notes], separator=found.separator,
    )  # fmt: skip


def read_tables(
    tables: Mapping[Part, Table],
    files: Mapping[Part, str],
    options: DataOptions,
    processor: Processor,
    *,
    name: str,
    notes: Sequence[str] = (),
) -> Whole:
    """All rows of tables of texts, as a trained model reads them; see `text_table`."""
    found = _choose(tables, files, options, processor)
    require(bool(found.parts), "data", name, f"has no targets to compare with: {found.target}")
    whole = read_labelled(found.parts, processor, name=name, target=found.target)
    return Whole(whole.parts, (*notes, *found.notes, *whole.notes))


class _Chosen(NamedTuple):
    """The learning problem in tables of texts.

    Attributes:
        parts: the texts with their targets.
        task: what is learnt.
        target: the name of the targets.
        separator: between labels in a cell.
        notes: what was left out.
    """

    parts: dict[Part, Labelled]
    task: Task
    target: str
    separator: str
    notes: list[str]


def _choose(
    tables: Mapping[Part, Table],
    files: Mapping[Part, str],
    options: DataOptions,
    processor: Processor | None = None,
) -> _Chosen:
    """The texts with their targets, of the task that is asked for, or that the processor is for, or that the
    cells of the first table look like."""
    train = next(iter(tables.values()))
    texts = [_find(train, wanted.strip(), "text") for wanted in (options.text or "").split(",")]
    if len(texts) > 2 or len(set(texts)) < len(texts):
        raise UserError("text", options.text, "must be one column, or two different ones")
    targets = [len(train.names) - 1] if options.target is None else _find_targets(train, options)
    for target in targets:
        if target in texts:
            raise UserError("target", train.names[target], "holds the texts", train.names)
    target, task = targets[0], _TASKS.get(type(processor), options.task)
    lists = len(targets) > 1 or any(JOINT in cell for cell in train.columns[target])
    task = task or ("multi-label" if lists else train.usual_task(target))
    fits = task == "multi-label" or not lists
    require(fits, "task", task, f"has one target for a text, and {train.label(target)} holds lists")
    if task not in ("classification", "regression", "multi-label"):
        raise UserError("task", task, "is not for texts with targets", TEXT_TASKS)
    several, notes = len(tables) > 1, []
    for part, table in tables.items():
        notes += [f"{files[part]}: {note}" if several else note for note in table.notes]
    notes += several_labels_note(train, target, task)
    separator = getattr(processor, "separator", "")
    if len(targets) == 1 and separator in ("", JOINT):  # of lists in JSON: another file may have texts
        separator = separator_of(train.columns[target])
    parts: dict[Part, Labelled] = {}
    for part, table in tables.items():
        columns = [_same(train, table, column) for column in (*texts, *targets)]
        if None in columns[len(texts) :]:
            missing = targets[columns[len(texts) :].index(None)]
            notes.append(f"{files[part]} has no {train.label(missing)}: it is left out")
            continue
        labels = None
        if task == "multi-label":
            names = [train.names[target] for target in targets]
            labels = label_sets(table, columns[len(texts) :], names, separator)  # pyright: ignore
            columns = columns[: len(texts)]
        parts[part] = _labelled(table, columns, files[part], labels)
    label = ", ".join(train.names[target] for target in targets) if train.has_header else "value"
    return _Chosen(parts, task, label, separator, notes)


def read_objects(path: Path) -> list[tuple[int, dict[str, Any]]]:
    """The objects of a file with one on each line, and their lines.

    Raises:
        UserError: a line is no object of JSON.
    """
    objects = []
    for number, line in enumerate(split_lines(read_text(path)), 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line, object_pairs_hook=_once)
        except UserError as error:
            raise UserError("file", str(path), f"line {number} names {error.value!r} twice") from None
        except (ValueError, RecursionError) as error:
            rule = f"line {number} must be a JSON object ({error})"
            raise UserError("file", str(path), rule) from error
        if not isinstance(found, dict):
            hint = "A list of objects is to be written with one object on each line." if found else None
            raise UserError("file", str(path), f"line {number} must be a JSON object", hint=hint)
        objects.append((number, found))
    return objects


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, of whose names none comes twice."""
    found = dict(pairs)
    twice = next((name for name, _ in pairs if sum(name == other for other, _ in pairs) > 1), None)
    require(len(found) == len(pairs), "name", twice, "comes twice")
    return found


def _as_table(rows: Sequence[tuple[int, dict[str, Any]]], columns: list[str], path: str) -> Table:
    """The wanted fields of objects as a table, without those that no object has."""
    first = rows[0][1]
    for name in columns:
        if name not in first and name != columns[-1]:
            raise UserError(
                "text", name, f"is no field of line {rows[0][0]} of {path}", nearest(name, list(first))
            )
    if columns[-1] not in first and not any(columns[-1] in row for _, row in rows):
        columns = columns[:-1]
    cells = []
    for number, row in rows:
        for name in columns:
            value = row.get(name)
            if name == columns[-1] and _is_list_of_labels(value):
                row[name] = JOINT.join(map(str, value)) + JOINT  # so that a list of one differs from a text
            elif not isinstance(value, str | int | float):
                near = nearest(name, list(row))
                rule = f"line {number} must hold a text or a number '{name}'"
                raise UserError("file", path, rule, near or ["no field"])
        cells.append([whole_characters(str(row[name])) for name in columns])
    lines = tuple(number for number, _ in rows)
    return Table(tuple(columns), True, tuple(zip(*cells, strict=True)), lines)


def _is_list_of_labels(value: Any) -> TypeGuard[list]:
    return isinstance(value, list) and all(isinstance(label, str | int) for label in value)


def _find_targets(table: Table, options: DataOptions) -> list[int]:
    """The columns of the target; several hold labels."""
    wanted = options.target or ""
    if "," in wanted and wanted not in table.names:
        return find_targets(table, wanted, options.task)
    return [_find(table, wanted, "target")]


def _find(table: Table, wanted: str, field: str) -> int:
    if table.has_header and wanted not in table.names and not wanted.isdecimal():
        near = nearest(wanted, list(table.names), 5)
        raise UserError(field, wanted, f"names none of the {len(table.names)} columns", near)
    return table.find(wanted, field)


def _same(train: Table, table: Table, column: int) -> int | None:
    """Where a column of the training table is in another one."""
    if train.has_header and table.has_header:
        return table.names.index(train.names[column]) if train.names[column] in table.names else None
    return column if column < len(table.names) else None


def _labelled(
    table: Table, columns: Sequence[int | None], name: str, labels: list[Any] | None = None
) -> Labelled:
    """The texts of a table with the targets of its last column, or with the given ones."""
    texts, target = (columns, None) if labels is not None else (columns[:-1], columns[-1])
    for column in texts:
        if column is None:
            raise UserError("file", name, "lacks a column of the training file", table.names)
    for column in columns:
        assert column is not None
        for row, cell in enumerate(table.columns[column]):
            if not cell.strip() or (column == target and is_missing(cell)):
                rule = f"must not be empty ({name})"
                raise UserError(table.location(row, column), cell, rule, hint="Fill it in or delete the row.")
    # Texts are read as they stand; the name of a class has no blanks round it.
    found: list[Text] = list(table.columns[texts[0]])  # pyright: ignore
    if len(texts) == 2:
        found = list(zip(table.columns[texts[0]], table.columns[texts[1]], strict=True))  # pyright: ignore
    if target is not None:
        labels = list(map(str.strip, table.columns[target]))
    return Labelled(found, labels or [])
