"""Tables: the task is found from the target column; columns become vectors or, to be forecast, series."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from anncestry.arrays import Tensor
from anncestry.data.options import DataOptions
from anncestry.data.processors.common import Layout, expect, mean_and_scale, relabel
from anncestry.data.processors.series import SeriesProcessor
from anncestry.data.processors.table import Column, TableProcessor
from anncestry.data.readers.columns import dressed_number, is_index, remarks, tells_target
from anncestry.data.readers.labels import (
    find_targets,
    label_notes,
    label_sets,
    learn_labels,
    separator_of,
    several_labels_note,
)
from anncestry.data.readers.parts import Part, official_parts
from anncestry.data.readers.tables import MAX_INTEGER_CLASSES, PLAIN, Table, as_numbers, parse_table
from anncestry.data.readers.time_order import in_order_of_time
from anncestry.data.sources.series import forecasts, learn_series, series_dataset
from anncestry.data.sources.text_tables import load_text_table, read_text_table
from anncestry.data.splits.dataset import Dataset, Examples, Processor, Whole
from anncestry.data.splits.holdout import (
    HELD_OUT,
    Shares,
    check_classes,
    describe_random_split,
    generator,
    random_split,
    stratified_split,
)
from anncestry.data.splits.repeats import repeats_note, row_keys
from anncestry.errors import UserError
from anncestry.signature import Signature
from anncestry.user_files import absolute, check_memory, existing_file, read_text

MAX_CATEGORIES = 32
"""A column of texts with more different ones is left out: a name, a date, a sentence."""

SUFFIXES = (".csv", ".tsv", ".txt")
OTHERS = {"validation", "test"}
SHARES: dict[int, Shares] = {0: (HELD_OUT, HELD_OUT), 1: (0.1,), 2: ()}
"""What is split off the training rows, by how many of `OTHERS` have a file of their own."""

TEXT_OPTIONS = ("tokenizer", "cut", "level", "vocab_size", "lowercase", "max_tokens")


def load_csv(argument: str, options: DataOptions, seed: int, processor: Processor | None = None) -> Dataset:
    """``csv:PATH``; see `table_dataset`, and `text_table` where its columns hold texts."""
    if options.text is not None or (processor is not None and processor.kind.startswith("packed-")):
        return load_text_table(argument, options, seed, processor)
    for name in TEXT_OPTIONS:
        value = getattr(options, name)
        if value != getattr(DataOptions, name) and processor is None:
            raise UserError(name, value, "is for texts; say with `text` which column holds them")
    path, files, notes = _files(argument)
    name = f"csv:{path}"
    train = files.pop("train")
    if processor is None:
        table = parse_table(read_text(train), str(train), header=options.header)
        known = table.names if table.has_header else ()
        beside = {part: parse_table(read_text(file), file.name, known=known) for part, file in files.items()}
    else:
        layout = _tabular(processor, name).layout
        table = layout.parse(read_text(train), str(train))
        beside = {part: layout.parse(read_text(file), file.name) for part, file in files.items()}
    return table_dataset(table, options, seed, processor, name=name, source=path, notes=notes, beside=beside)


def _files(argument: str, train: bool = True) -> tuple[Path, dict[Part, Path], list[str]]:
    """The path, the files by part, and notes."""
    path, notes = absolute(argument), []
    if not path.is_dir():
        return path, {"train": existing_file(argument)}, notes
    return path, official_parts(path, SUFFIXES, notes, train), notes


def read_csv(argument: str, options: DataOptions, processor: Processor) -> Whole:
    """All rows of ``csv:PATH``."""
    if processor.kind.startswith("packed-"):
        return read_text_table(argument, options, processor)
    path, files, notes = _files(argument, train=False)
    tabular, rows = _tabular(processor, f"csv:{path}"), []
    for file in files.values():
        table = tabular.layout.parse(read_text(file), str(file))
        rows.append(encode_table(table, tabular, f"csv:{file}"))
        notes += [*table.notes, *_on_reading(table, tabular)]
    return Whole(tuple(rows), tuple(notes))


def encode_table(table: Table, processor: TableProcessor | SeriesProcessor, name: str) -> Examples:
    """All rows of a table as a trained model reads them: vectors, or every forecast there is of a series."""
    inputs, targets = processor.layout.find_inputs(table, name), processor.layout.find_targets(table)
    if isinstance(processor, SeriesProcessor):
        return forecasts(_series(table, inputs), processor)
    check_memory(8 * len(table) * processor.width, "file", name, "Leave columns out.")
    return Examples(processor.encode(table, inputs), processor.encode_targets(table, targets))


def _on_reading(table: Table, processor: TableProcessor | SeriesProcessor) -> list[str]:
    """Notes on texts that training had not, where there are any, and on the order of a series."""
    if isinstance(processor, SeriesProcessor):
        return in_order_of_time(table)[1]
    unseen = processor.unseen(table, processor.layout.find_inputs(table, ""))
    if not unseen:
        return []
    row, column = unseen[0]
    first = f"the first is {table.columns[column][row]!r} in {table.location(row, column)}"
    return [f"{len(unseen)} cells hold texts that training had not, read as none of its: {first}"]


def _series(table: Table, columns: list[int]) -> np.ndarray:
    """(N, D) the values of some columns, in the order of time."""
    table, _ = in_order_of_time(table)
    table.check_missing(columns)
    return np.stack([table.numbers(column) for column in columns], axis=1)


def table_dataset(
    table: Table,
    options: DataOptions,
    seed: int,
    processor: Processor | None = None,
    *,
    name: str,
    source: Path | None = None,
    notes: list[str] | None = None,
    beside: Mapping[Part, Table] = MappingProxyType({}),
) -> Dataset:
    """The learning problem in a table.

    The default target is the last column that is not empty; `Table.usual_task` finds the task, and
    several targets are labels. Columns of numbers are standardised with the training split (so is the target
    of a regression), columns of few different texts become one-hot vectors, others are left out with a note.
    A forecast reads all columns of numbers in the order of the rows.

    Args:
        table: its cells.
        options: target, task, window and horizon.
        seed: fixes the split.
        processor: that of a trained model, which decides all this instead.
        name, source, notes: as in `Dataset`.
        beside: tables of other parts; what is missing of validation and test is split off at random. One
            without the target is left out with a note.
    """
    first, given = [*(notes or [])], processor
    notes = [*first, *table.notes]
    shares = SHARES[len(OTHERS & beside.keys())]
    if processor is None:
        processor, more = learn_table(table, options, seed, shares)
        notes = [*notes, *more]
    processor = _tabular(processor, name)
    for part, other in beside.items():
        if not processor.layout.has_targets(other):
            lacking = f"the {part} file has no {processor.layout.target_name}: it is left out"
            rest = {key: value for key, value in beside.items() if key != part}
            return table_dataset(
                table, options, seed, given, name=name, source=source, notes=[*first, lacking], beside=rest
            )
    if beside and isinstance(processor, SeriesProcessor):
        rule = "is of one file, whose parts follow each other in time"
        raise UserError("task", "forecasting", rule, hint="Give the file.")
    if isinstance(processor, SeriesProcessor):
        processor.layout.find_targets(table)
        notes += _on_reading(table, processor)
        values = _series(table, processor.layout.find_inputs(table, name))
        return series_dataset(values, processor, options, name=name, source=source, notes=tuple(notes))

    rows = encode_table(table, processor, name)
    notes += _on_reading(table, processor)
    parts = _split(rows.targets, seed, shares)
    split = {
        part: Examples(rows.inputs[chosen], rows.targets[chosen])
        for part, chosen in zip(("train", "validation", "test"), parts, strict=False)
    }
    if len(OTHERS & beside.keys()) == 1:
        (other,) = OTHERS & beside.keys()
        notes.append(
            f"validation is {len(parts[1])} of the training rows, at random with seed {seed}; the {other} "
            "file is the test part"
        )
        beside = {"test" if part == other else part: table for part, table in beside.items()}
    elif not beside:
        notes.append(describe_random_split(parts, seed, stratified=processor.task == "classification"))
    for part, other in beside.items():
        notes += [*other.notes, *_on_reading(other, processor)]
        split[part] = encode_table(other, processor, name)
    if processor.multi_label:
        notes += label_notes(split["train"].targets, processor.classes)
    train, test = (row_keys(split[part].inputs, split[part].targets) for part in ("train", "test"))
    notes += repeats_note(train, test, "rows")
    return Dataset(
        name=name,
        options=asdict(options),
        signature=Signature(processor.task, "vector", (processor.width,), len(processor.classes) or 1),
        processor=processor,
        train=split["train"],
        validation=split["validation"],
        test=split["test"],
        held_out=split.get("held-out"),
        classes=processor.classes,
        source=source,
        notes=tuple(notes),
    )


def _tabular(processor: Processor, name: str) -> TableProcessor | SeriesProcessor:
    return processor if isinstance(processor, SeriesProcessor) else expect(processor, TableProcessor, name)


def _split(targets: Tensor | np.ndarray, seed: int, shares: Shares) -> list[np.ndarray]:
    """Rows of training and of each held-out part: within each class if the targets are labels (N,)."""
    labels = np.asarray(targets)
    if labels.ndim == 1:
        parts = stratified_split(labels, generator(seed), shares)
    else:
        parts = random_split(len(labels), generator(seed), shares)
    if not all(map(len, parts)):
        raise UserError("rows", len(labels), "are too few to be split into training, validation and test")
    return parts


def learn_table(
    table: Table, options: DataOptions, seed: int, shares: Shares = SHARES[0]
) -> tuple[TableProcessor | SeriesProcessor, list[str]]:
    """The processor of a table, learnt from the training split alone, and notes on what it leaves out."""
    columns = range(len(table.names))
    used = [column for column in columns if not table.is_empty(column)]
    notes = [f"left out {table.label(column)}: it is empty" for column in columns if column not in used]
    given = [] if options.target is None else find_targets(table, options.target, options.task)
    if 0 not in given and len(used) > 1 and is_index(table, 0):
        notes.append(
            "left out column 1: it has no name and a number of its own in every row, as pandas' index"
        )
        used.remove(0)
    if used and options.drop is not None:
        dropped = {table.find(name.strip(), "drop") for name in options.drop.split(",")}
        notes += [f"left out {table.label(column)}: as asked" for column in sorted(dropped)]
        used = [column for column in used if column not in dropped]
        fewest = 1 if options.task == "forecasting" else 2  # a series is forecast from itself
        if len(used) < fewest:
            raise UserError("drop", options.drop, "leaves no column to predict from", table.names)
    if not used:
        raise UserError("columns", ", ".join(table.names), "every cell of the table is empty")
    targets = given or [used[-1]]
    for target in targets:
        if target not in used:
            choices = [table.names[column] for column in used]
            raise UserError("target", table.names[target], "is an empty column", choices)
    target, task = targets[0], options.task
    if task != "multi-label" and len(targets) == 1:
        table.check_missing(targets)
        task = task or table.usual_task(target)
        notes += several_labels_note(table, target, task)
        values = len(set(table.values(target).tolist())) if table.is_numeric(target) else 0
        if options.task is None and task == "classification" and values > 2:
            what = f"{table.label(target)} holds {values} different whole numbers, which are read as classes"
            notes.append(f"{what}; --task regression reads them as values")
    else:
        task = "multi-label"
    if task == "forecasting":
        processor, more = _learn_series(table, used, target, options)
        return processor, [*notes, *more]
    if options.window is not None or options.horizon != 1:
        rule = "a window and a horizon are for the task forecasting"
        raise UserError("task", task, rule, hint="Set the task, or leave them out.")
    processor, more = _learn_vectors(table, used, targets, task, seed, shares)
    return processor, [*notes, *more]


def _learn_vectors(
    table: Table, used: list[int], targets: list[int], task: str, seed: int, shares: Shares
) -> tuple[TableProcessor, list[str]]:
    target = targets[0]
    inputs, notes = _choose_inputs(table, [column for column in used if column not in targets])
    if not inputs:
        hint = "; ".join(notes) + "." if notes else None
        if len(table.names) == 1:
            hint = "Is it a table? Between its cells must be commas, semicolons, tabs or vertical bars."
        raise UserError("columns", ", ".join(table.names), "no input is left beside the target", hint=hint)
    table.check_missing(inputs)
    learnt: dict[str, Any] = {}
    if task == "multi-label":
        names = tuple(table.names[column] for column in targets)
        separator = "" if len(targets) > 1 else separator_of(table.columns[target])
        sets = label_sets(table, targets, names, separator)
        if len(targets) == 1 and not separator:
            notes.append(f"each cell of {table.label(target)} is one label: none holds |, ; or ,")
        classes = names if len(targets) > 1 else learn_labels(sets, table.label(target))
        train = _split(np.zeros((len(table), 1)), seed, shares)[0]
        learnt = {"classes": classes, "multi_label": True, "separator": separator}
    elif task == "classification":
        names = table.columns[target]
        classes = _in_order(set(names))
        example = dressed_number(classes) if len(classes) > MAX_INTEGER_CLASSES else None
        if example is not None:
            rule = f"is no number, and {len(classes)} classes are many"
            raise UserError(table.label(target), example, rule, hint=PLAIN)
        labels = relabel(names, classes, table.label(target))
        notes += check_classes(table.label(target), labels, classes)
        train = _split(labels, seed, shares)[0]
        learnt["classes"] = classes
    else:
        values = table.numbers(target)[:, None]
        if values.min() == values.max():
            rule = "has one value only; there is nothing to learn"
            raise UserError(table.label(target), table.columns[target][0], rule)
        train = _split(values, seed, shares)[0]
        mean, scale = mean_and_scale(values[train])
        learnt = {"target_mean": mean.item(), "target_deviation": scale.item()}
    left_out = [column for column in used if column not in inputs and column not in targets]
    notes += remarks(table, [*inputs, *left_out, *targets])
    notes += tells_target(table, inputs, target) if task != "multi-label" else []
    layout = Layout(table.names, table.has_header, target, tuple(inputs), tuple(targets[1:]))
    columns = tuple(_learn_column(table, column, train) for column in inputs)
    return TableProcessor(layout, columns, **learnt), notes


def _choose_inputs(table: Table, columns: list[int]) -> tuple[list[int], list[str]]:
    """The columns that can be inputs, and notes on those that cannot."""
    inputs, notes = [], []
    for column in columns:
        texts = set() if table.is_numeric(column) else set(table.columns[column])
        if len(texts) > MAX_CATEGORIES:
            reason = f"{len(texts)} different texts, at most {MAX_CATEGORIES} become inputs"
            notes.append(f"left out {table.label(column)}: {reason}")
        else:
            inputs.append(column)
    return inputs, notes


def _learn_column(table: Table, column: int, train: np.ndarray) -> Column:
    if not table.is_numeric(column):
        return Column(values=tuple(sorted(set(table.columns[column]))))
    mean, scale = mean_and_scale(table.numbers(column)[train, None])
    return Column(mean=mean.item(), scale=scale.item())


def _in_order(classes: set[str]) -> tuple[str, ...]:
    """By their size if all are numbers, else by the alphabet."""
    names = sorted(classes)
    return tuple(sorted(names, key=float) if np.isfinite(as_numbers(names)).all() else names)


def _learn_series(
    table: Table, used: list[int], target: int, options: DataOptions
) -> tuple[SeriesProcessor, list[str]]:
    inputs = [column for column in used if table.is_numeric(column)]
    if target not in inputs:
        choices = [table.names[column] for column in inputs]
        raise UserError("target", table.names[target], "must be a column of numbers to be forecast", choices)
    notes = [f"left out {table.label(column)}: no numbers" for column in used if column not in inputs]
    values = _series(table, inputs)
    layout = Layout(table.names, table.has_header, target, tuple(inputs))
    return learn_series(values, layout, options), notes
