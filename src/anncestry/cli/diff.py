"""What sets two models apart: declared ideas, structure, cost and behaviour, in the look of git."""

from dataclasses import dataclass
from typing import Annotated

import tyro

Flag = tyro.conf.FlagCreatePairsOff[bool]


@dataclass(frozen=True)
class Arguments:
    """Which two models, and in what they are compared; default: in all but behaviour."""

    a: tyro.conf.Positional[str]
    """An architecture or preset of `anncestry list`, a run folder, or module:attribute of your own."""
    b: tyro.conf.Positional[str]
    """What it is compared with."""
    declared: Flag = False
    """The ideas undone and done on the way from A to B; config, settings and scores of two runs."""
    structure: Flag = False
    """The parts that are new, gone, of another size, or the same."""
    cost: Flag = False
    """Parameters, FLOPs, memory, sequential steps, path length and receptive field."""
    behaviour: Flag = False
    """Run both on the same input: where their activations part, and what each output depends on."""
    input: str | None = None
    """The input of both, as for `anncestry show`; default: one that both fit."""
    task: str | None = None
    """What is asked of both, as for `anncestry show`."""
    full: Annotated[Flag, tyro.conf.arg(aliases=["--all"])] = False
    """Print every part by itself, and all of the way."""
    json: Flag = False
    """Print JSON."""


def run(arguments: Arguments) -> int:
    """Print what was asked for."""
    import json

    from anncestry.inspection.differences.diff import LAYERS, USUAL
    from anncestry.runs.overview import diff

    layers = [layer for layer in LAYERS if getattr(arguments, layer)] or USUAL
    sizes = {"input": arguments.input, "task": arguments.task}
    found = diff(arguments.a, arguments.b, layers=layers, **sizes, full=arguments.full)
    if arguments.json:
        print(json.dumps(found.to_json(), indent=1, ensure_ascii=False))
    else:
        found.show()
    return 0
