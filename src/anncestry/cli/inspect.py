"""Look inside a recurrent model while it reads: states, gates, and which inputs each output still knows."""

from dataclasses import dataclass
from pathlib import Path

import tyro


@dataclass(frozen=True)
class Arguments:
    """Which run, and what it shall read."""

    run: tyro.conf.Positional[Path]
    """A run folder of a recurrent model."""
    input: tyro.conf.Positional[str]
    """A text, a file, or - for standard input; numbers for a series."""
    out: Path | None = None
    """The page to write; inside.html in the run folder unless told."""
    units: int = 32
    """How many units of each layer are shown: those that vary most."""
    max_steps: int = 120
    """Longest sequence that is read; the rest is left out."""


def run(arguments: Arguments) -> int:
    """Write the page; print where it is and what stands out."""
    from anncestry.errors import require
    from anncestry.inspection.influence import influence, reach
    from anncestry.inspection.traces import traces
    from anncestry.report.inside import inside_page
    from anncestry.runs import Run

    require(arguments.units >= 1, "--units", arguments.units, "must be at least 1")
    require(arguments.max_steps >= 2, "--max-steps", arguments.max_steps, "must be at least 2")
    trained = Run(arguments.run)
    _, inputs = trained.processor.read(arguments.input)
    inputs = inputs[:1, : arguments.max_steps]
    matrix = influence(trained.model, inputs)
    found = traces(trained.model, inputs)
    name = trained.architecture.name
    facts = [f"On average an output of this {name} looks {reach(matrix):.1f} steps back."]
    facts.append("(Steps weighted by influence, over the later half of the text.)")
    facts += _path_length(trained.model)
    layers = [
        (trace.name, {part: _most(v, arguments.units) for part, v in trace.values.items()}) for trace in found
    ]
    labels = _labels(trained, inputs)
    out = arguments.out or arguments.run / "inside.html"
    page = inside_page(f"Inside {name}", facts, labels, layers, matrix.cpu().numpy())
    out.write_text(page, encoding="utf-8")
    for fact in facts:
        print(fact)
    print(f"Page: {out}")
    return 0


def _path_length(model) -> list[str]:
    """How far inputs are from later outputs, where there is more to say than one step after the other."""
    from anncestry.errors import UserError
    from anncestry.inspection.path_length import layer_lags, mean_recurrent_length

    try:
        lags = layer_lags(model)
    except UserError:
        return []  # both directions, or convolutions: no such length
    period = max(max(layer) for layer in lags)
    if period == 1:
        return []
    shown = ", ".join("/".join(map(str, sorted(layer))) for layer in lags)
    length = mean_recurrent_length(lags, period)
    return [f"Its layers reach back {shown} steps: mean recurrent length {length:.2f} over {period} lags."]


def _most(values, count: int):
    """The units (columns) that vary most, (T, at most count)."""
    chosen = values.std(0).topk(min(count, values.shape[1])).indices.sort().values
    return values[:, chosen].cpu().numpy()


def _labels(trained, inputs) -> list[str]:
    """One for each step: the token, or its number."""
    vocabulary = getattr(trained.processor, "vocabulary", None)
    if vocabulary is None or inputs.dim() != 2:
        return [str(step + 1) for step in range(inputs.shape[1])]
    return [str(vocabulary[token]).replace("\n", "⏎").replace(" ", "␣") for token in inputs[0].tolist()]
