"""The scores of a run, on its own test data or on other data read the same way."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from anncestry.cli.given import flag, given
from anncestry.cli.groups import DATA, GENERATION, MACHINE, OUTPUT, group_of_data
from anncestry.cli.of_beams import OF_BEAMS, check_no_beams
from anncestry.data.options import DataOptions
from anncestry.data.sources.catalogue import Source

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
    beam: Annotated[int | None, GENERATION] = None
    """Translations and captions: how many hypotheses the search follows; 1, the default, takes the best token
    each time."""
    alpha: Annotated[float | None, GENERATION] = None
    """Translations and captions: the length penalty of a beam search, 0 for none; default: 0.6."""
    unfinished: Annotated[Literal["compared", "last"] | None, GENERATION] = None
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
    import json
    import math

    from anncestry.cli.by_class import class_lines
    from anncestry.cli.progress import reading
    from anncestry.errors import require
    from anncestry.inference.generation import usual_search
    from anncestry.runs.run import Run
    from anncestry.signature import GENERATION_TASKS

    trained = Run(arguments.run, arguments.precision)
    names = ("beam", *OF_BEAMS)
    told = {name: value for name in names if (value := getattr(arguments, name)) is not None}
    rule = f"is for texts that are written; the task of this run is {trained.signature.task}"
    for name, value in told.items():
        require(trained.signature.task in GENERATION_TASKS, f"--{name}", value, rule)
    if told.get("beam", 1) == 1:
        check_no_beams(told)
    options = None
    for name, value in arguments.data_options.items():
        require(
            arguments.data is not None, flag(name), value, "says how other data are read; give --data too"
        )
        options = replace(options or trained.data_options or DataOptions(), **{name: value})
    with reading():
        scored = trained.examples(arguments.data, arguments.split, options)
    counts: dict[str, list[int]] = {}
    figures, how, groups = trained.evaluate(scored, counts=counts), {}, {}
    if trained.signature.task in GENERATION_TASKS:
        search = usual_search(trained.signature, **told)
        written = trained.written(scored, search=search)
        figures, how, groups = figures | written.figures, written.signatures, written.groups
    unit = "tokens" if trained.signature.task == "language-model" else "examples"
    notes = list(scored.notes) if arguments.data is not None else []
    if arguments.json:
        named = {"classes": list(trained.class_names()), **counts} if counts else {}
        more = {"by class": named, "signatures": how, "exact by group": groups, "notes": notes}
        numbers = {name: value if math.isfinite(value) else None for name, value in figures.items()}
        print(json.dumps(numbers | {unit: len(scored)} | {k: v for k, v in more.items() if v}))
        return 0
    for name, value in figures.items():
        shown = f"{value:.6g}" if math.isfinite(value) else "not defined on these"
        print(f"{name:>22}  {shown}" + (f"  {how[name]}" if name in how else ""))
    print(f"{unit:>22}  {len(scored):,}")
    for line in class_lines(trained.class_names(), counts):
        print(line)
    if groups:
        print("exact matches: " + ", ".join(f"{group} {share:.1%}" for group, share in groups.items()))
    for note in notes:
        print(f"Data: {note}")
    return 0
