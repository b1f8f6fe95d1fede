"""A model from outside: its layers with shapes, parameters and FLOPs, and what running it costs."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from anncestry.cli.overrides import Overrides
from anncestry.errors import require
from anncestry.report.ledger import Ledger


@dataclass(frozen=True)
class Arguments:
    """Which model, and at what size."""

    name: tyro.conf.Positional[str]
    """An architecture or preset of `anncestry list`, or a run folder."""
    input: str | None = None
    """The shape of one input: 64 (a vector), 50x8 (a series: steps x features), 1x28x28 (an image),
    tokens:35x10000 (steps x vocabulary), characters:24x50 (words x characters of each)."""
    task: str | None = None
    """What is asked: classification, regression, forecasting, language-model, tagging, next-frame,
    reconstruction, translation or captioning."""
    width: int | None = None
    """The one number that scales the architecture: hidden units, or channels."""
    batch_size: int = 1
    """Examples that FLOPs and memory are counted for."""
    set: Overrides = ()
    """Fields of the architecture's config, as name=value."""
    ledger: tyro.conf.FlagCreatePairsOff[bool] = False
    """What paper, authors' code and this project do, and the test that holds it."""
    diagram: Path | None = None
    """Draw the module tree into this SVG file."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print JSON."""


def run(arguments: Arguments) -> int:
    """Print the layers and the summary; of what has attention heads, also the other kinds of layer.

    Or the ledger, where that is asked for; a drawing alone is announced in a line.
    """
    sizes = {"input": arguments.input, "task": arguments.task, "width": arguments.width}
    drawn_alone = arguments.diagram is not None and not arguments.json
    if arguments.ledger or drawn_alone:
        rule = "has no effect: neither a ledger nor a drawing counts FLOPs"
        require(arguments.batch_size == Arguments.batch_size, "batch_size", arguments.batch_size, rule)
    sized = arguments.set or any(value is not None for value in sizes.values())
    if arguments.ledger and not (sized or arguments.diagram or Path(arguments.name).expanduser().exists()):
        _print_ledger(Ledger.of_name(arguments.name), arguments.json)
        return 0

    from anncestry.cli.overrides import parse_overrides
    from anncestry.runs.subjects import config_class, configured

    values = parse_overrides(arguments.set, config_class(arguments.name)) if arguments.set else {}
    if arguments.diagram is not None:
        from anncestry.drawings.architecture import write_diagram

        write_diagram(*configured(arguments.name, **sizes, values=values), arguments.diagram)
        if drawn_alone and not arguments.ledger:
            print(f"Drew {arguments.diagram}.")
            return 0
    if arguments.ledger:
        architecture, config = configured(arguments.name, **sizes, values=values)
        _print_ledger(Ledger(architecture, vars(config)), arguments.json)
        return 0

    from anncestry.runs.overview import summary

    found = summary(arguments.name, **sizes, batch_size=arguments.batch_size, **values)
    _print_json(found.to_json()) if arguments.json else found.show()
    return 0


def _print_ledger(ledger: Ledger, json: bool) -> None:
    _print_json(ledger.to_json()) if json else ledger.show()


def _print_json(described: object) -> None:
    import json

    print(json.dumps(described, indent=1, ensure_ascii=False))
