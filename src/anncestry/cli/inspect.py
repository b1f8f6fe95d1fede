"""Look inside a model at work, as one HTML page: hidden states and gates of a recurrent net, feature maps of
a convolutional net, attention heads of a Transformer. Nets without any of these have no page."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from anncestry.cli.given import given
from anncestry.files import check_writable
from anncestry.runs.inside.options import InspectOptions

GivenOptions: Any = given(InspectOptions, without=("layer",))


@dataclass(frozen=True)
class Arguments:
    """Which run, and what it shall read."""

    run: tyro.conf.Positional[Path]
    """A run folder of a recurrent net, of a convolutional net, or of a Transformer."""
    input: tyro.conf.Positional[str]
    """A text, a file, or - for standard input; numbers for a series; an image file."""
    out: Path | None = None
    """The page to write; default: inside.html in the run folder."""
    layer: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """Nets of images: a layer whose feature maps are shown, as `anncestry show RUN` names it; default: the
    last layer of every resolution. Transformers: a layer's number, 1 being the first; default: the last. May
    be given several times."""
    options: Annotated[GivenOptions, tyro.conf.arg(name="")] = field(default_factory=dict)


def run(arguments: Arguments) -> int:
    """Write the page; print what stands out, and where it is."""
    from anncestry.cli.inputs import input_of
    from anncestry.runs.run import Run

    if arguments.out is not None:
        check_writable(arguments.out, "--out")
    trained = Run(arguments.run)
    layers = {"layer": arguments.layer} if arguments.layer else {}
    source = input_of(arguments.input, trained.processor)
    page = trained.inspect(source, **arguments.options, **layers)
    out = page.write(arguments.out or arguments.run / "inside.html", "--out")
    print(page)
    print(f"Page: {out}")
    return 0
