"""The scores of a run, on its own test data or on other data read the same way."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from anncestry.cli.given import flag, given
from anncestry.cli.groups import DATA, MACHINE, OUTPUT, SEARCH, group_of_data
from anncestry.data.options import DataOptions
from anncestry.data.sources.catalogue import Source
from anncestry.report.by_class import class_lines

if TYPE_CHECKING:
    from anncestry.runs.evaluation import Evaluation

_SEARCH = ("beam", "alpha", "unfinished")  # how texts are generated
GivenData: Any = given(
    DataOptions, without=("split",), group_of=group_of_data
)  # whose name is that of the part to score


@dataclass(frozen=True)
class Arguments:
    """Which run, on what."""

    run: tyro.conf.Positional[Path]
    """A run folder."""
    data: Annotated[str | None, DATA, tyro.conf.arg(metavar="SOURCE")] = None
    """Other data than the run's own, of the same kind: all of it is scored, be it one row."""
    split: Annotated[Literal["train", "validation", "test", "held-out"] | None, DATA] = None
    """Of the run's own data: the split to score; default: the test split."""
    beam: Annotated[int | None, SEARCH] = None
    """Translations and captions: how many hypotheses the search follows; 1, the default, takes the best token
    each time."""
    alpha: Annotated[float | None, SEARCH] = None
    """Translations and captions: the length penalty of a beam search, 0 for none; default: 0.6."""
    unfinished: Annotated[Literal["compared", "last"] | None, SEARCH] = None
    """Translations and captions: texts that a beam search cuts at the greatest length are compared with
    finished ones by score, which is the default, or put last."""
    precision: Annotated[Literal["32", "bf16", "int8"], MACHINE] = "32"
    """As for `anncestry predict`: what the scores are in fewer bits."""
    json: Annotated[bool, OUTPUT] = False
    """Print JSON."""
    data_options: Annotated[GivenData, tyro.conf.arg(name="")] = field(default_factory=dict)


def heeded(source: Source) -> tuple[str, ...]:
    """The options that count where a trained model decides how other data are read."""
    return source.heeds


def run(arguments: Arguments) -> int:
    """Print the metrics."""
    from anncestry.cli.progress import long_work
    from anncestry.errors import require
    from anncestry.inference.options import settings_of_search
    from anncestry.runs.run import Run
    from anncestry.signature import GENERATION_TASKS

    trained, search = Run(arguments.run, arguments.precision), None
    given = {name: v for name in _SEARCH if (v := getattr(arguments, name)) is not None}
    rule = f"is for texts that are generated; the task of this run is {trained.signature.task}"
    for name, value in given.items():
        require(trained.signature.task in GENERATION_TASKS, flag(name), value, rule)
    if given:
        search = settings_of_search(trained.signature, given)
    options = None
    for name, value in arguments.data_options.items():
        rule = "says how other data are read; give --data too"
        require(arguments.data is not None, flag(name), value, rule)
        options = replace(options or trained.data_options or DataOptions(), **{name: value})
    with long_work() as bar:
        scored = trained.examples(arguments.data, arguments.split, options)
        found = trained.evaluate(scored, search=search, progress=bar("scoring"))
    notes = found.notes if arguments.data is not None else ()
    (_print_json if arguments.json else _print)(found, notes)
    return 0


def _print_json(found: "Evaluation", notes: Sequence[str]) -> None:
    named = {"classes": list(found.classes), **found.by_class} if found.by_class else {}
    more = {
        "by class": named, "signatures": found.signatures, "exact by group": found.groups,
        "notes": list(notes),
    }  # fmt: skip
    numbers = {name: value if math.isfinite(value) else None for name, value in found.items()}
    counted = {found.unit: found.num_examples}
    print(json.dumps(numbers | counted | {name: value for name, value in more.items() if value}))


def _print(found: "Evaluation", notes: Sequence[str]) -> None:
    for name, value in found.items():
        shown = f"{value:.6g}" if math.isfinite(value) else "not defined on these"
        how = f"  {found.signatures[name]}" if name in found.signatures else ""
        print(f"{name:>22}  {shown}{how}")
    print(f"{found.unit:>22}  {found.num_examples:,}")
    for line in class_lines(found.classes, found.by_class):
        print(line)
    if found.groups:
        print("exact matches: " + ", ".join(f"{group} {share:.1%}" for group, share in found.groups.items()))
    for note in notes:
        print(f"Data: {note}")
