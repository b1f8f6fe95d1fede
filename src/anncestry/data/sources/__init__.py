"""Data sources, one file per family; the catalogue names them all.

A source's file is imported when it is opened, so that ``anncestry.data.sources.catalogue`` costs nothing.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from anncestry.data.options import DataOptions
from anncestry.data.sources.catalogue import Source, find_source
from anncestry.errors import UserError, require

if TYPE_CHECKING:
    from anncestry.data.splits.dataset import Dataset, Processor, Whole

DEFAULTS = DataOptions()
__all__ = ["check_heeded", "load_data", "load_whole"]


def load_data(
    name: str, options: DataOptions = DEFAULTS, seed: int = 0, processor: Processor | None = None
) -> Dataset:
    """Open a data set.

    >>> digits = anncestry.load_data("digits")
    >>> digits.signature.inputs, digits.signature.shape, digits.signature.output_size
    ('image', (1, 8, 8), 10)
    >>> len(digits.train), len(digits.test)
    (1257, 270)

    Args:
        name: a source of the catalogue, with its path or variant behind a colon: ``digits``, ``csv:PATH``.
        options: how to read it.
        seed: fixes the split, and the points of generated data.
        processor: that of a trained model, to see other data as it does: with its columns, means, classes
            and vocabulary. The options that these decide are then without effect. The data are split as
            always, so that the held-out parts of its own data stay held out.

    Returns:
        Its splits, its signature, its processor, and notes on what was understood.

    Raises:
        UserError: there is no such source or file, an option is not for this source, the data are bad, or
            they are not such as the processor reads.
    """
    source, argument = _open(name)
    for field in fields(options):
        value = getattr(options, field.name)
        if processor is None and value != field.default and field.name not in source.options:
            rule = f"is no option of the data source {source.name}; it has"
            raise UserError(field.name, value, rule, source.options or ("none",))
    if processor is None and options.task is not None and options.task not in source.tasks:
        raise UserError("task", options.task, f"is no task of the data source {source.name}", source.tasks)
    if options.level is not None and options.level not in source.levels and "level" in source.options:
        raise UserError(
            "level", options.level, f"is no level of the data source {source.name}", source.levels
        )
    return _function(source, source.loader)(argument, options, seed, processor)


def load_whole(name: str, options: DataOptions, processor: Processor, seed: int = 0) -> Whole:
    """All of the data that a name stands for, to be scored: one row is enough.

    Args:
        name: as for `load_data`.
        options: how they are read, as far as the processor does not decide it.
        processor: that of the trained model which is scored.
        seed: the points of generated data.

    Raises:
        UserError: there is no such source or file, the data are bad, or are not such as the processor reads.
    """
    source, argument = _open(name)
    if source.reader:
        return _function(source, source.reader)(argument, options, processor)
    made: Dataset = _function(source, source.loader)(argument, options, seed, processor)
    return made.whole()


def check_heeded(name: str, given: Mapping[str, Any], processor: Processor, task: str) -> None:
    """Raise a `UserError` where an option cannot change how a trained model reads other data.

    Args:
        name: as for `load_data`.
        given: the fields of `DataOptions` that differ from those it was trained with.
        processor: the model's.
        task: what the model does.
    """
    source, _ = _open(name)
    layout = getattr(processor, "layout", None)
    for field, value in given.items():
        if layout is not None and field in ("target", "drop"):
            layout.check_columns(field, value)
            continue
        heeded = () if layout is not None else source.heeds
        rule = "is decided by the run; of other data it heeds"
        fits = field in heeded or (field == "task" and value == task)
        require(fits, field, value, rule, heeded or ("no option",))


def _open(name: str) -> tuple[Source, str]:
    """The source that a name begins with, and what stands behind the colon."""
    source, argument = find_source(name), name.strip().partition(":")[2]
    if source.argument and not argument:
        raise UserError("data", name, f"needs something behind a colon: {source.usage}")
    if argument and not source.argument:
        raise UserError("data", name, f"takes nothing behind a colon: {source.usage}")
    return source, argument


def _function(source: Source, name: str) -> Any:
    return getattr(importlib.import_module(f"anncestry.data.sources.{source.module}"), name)
