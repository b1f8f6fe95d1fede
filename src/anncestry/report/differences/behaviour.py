"""Two models on the same input, on a terminal: where they part, and maps of influence side by side."""

from collections.abc import Callable, Sequence
from typing import Any

ROWS = 10  # activations that are shown
SHADES = " ░▒▓█"  # of influence, up to that of the strongest input of a row
NOTHING = "·"


def print_behaviour(out: Any, found: dict[str, Any], full: bool = False) -> None:
    """Print the activations of paired parts, and both maps.

    Args:
        out: writes lines and headings.
        found: what ``anncestry diff --json`` prints.
    """
    seen, a, b = found["behaviour"], found["a"]["name"], found["b"]["name"]
    first, activations = seen["parts_at"], seen["activations"]
    if first is not None:
        out.head(f"behaviour: they part at {first['a'] or 'the output'}")
    elif activations:
        out.head("behaviour: equal activations")
    else:
        out.head("behaviour")
    for missing in seen["missing"]:
        out(f"missing: {missing}", "yellow")
    if seen.get("shared_weights") and activations:
        out("(made with one seed; parts of the same shape have the same weights)", "dim")
    if first is not None:
        _activations(out, activations, full)
    maps = seen["influence"]
    if maps["a"] or maps["b"]:
        _maps(out, (a, b), (maps["a"], maps["b"]))


def _activations(out: Callable[..., None], activations: Sequence[dict[str, Any]], full: bool) -> None:
    """In the order of the calls: the last equal ones, where they part, and the outer parts behind that."""
    parted = next(place for place, row in enumerate(activations) if not row["equal"])
    equal, rest = activations[:parted], activations[parted:]
    if not full:
        equal = equal[-2:]
        outer = [row for row in rest[1:-1] if row["a"].count(".") <= 1]
        rest = [rest[0], *_spread(outer, ROWS - 2), *rest[1:][-1:]]
    width = max(len(row["a"] or "output") for row in (*equal, *rest))
    for row in (*equal, *rest):
        name = f"{row['a'] or 'output':<{width}}"
        if row["equal"]:
            out(f"  {name}  equal", "dim")
        elif row["difference"] is None:
            shapes = ("x".join(map(str, row[side])) for side in ("shape_a", "shape_b"))
            out(f"~ {name}  {' -> '.join(shapes)}", "yellow")
        else:
            cosine = "" if row["cosine"] is None else f", cosine {row['cosine']:.3f}"
            out(f"~ {name}  differs by {row['difference']:.2g} of its size{cosine}", "yellow")
    left = len(activations) - len(equal) - len(rest)
    if left:
        out(f"... and {left} more (--full)", "dim")


def _spread(rows: Sequence[Any], most: int) -> list[Any]:
    """So many at most, from all along."""
    if len(rows) <= most:
        return list(rows)
    return [rows[place * (len(rows) - 1) // (most - 1)] for place in range(most)]


def _maps(out: Callable[..., None], names: tuple[str, str], maps: Sequence[list[list[float]] | None]) -> None:
    """Rows are outputs, columns inputs; exact zeros are dots."""
    blocks = [_map(name, of) for name, of in zip(names, maps, strict=True) if of]
    height = max(map(len, blocks))
    width = max(len(line) for block in blocks for line in block)
    out("influence of each input (column, as read) on each output (row); a dot is none at all:")
    for place in range(height):
        lines = [block[place] if place < len(block) else "" for block in blocks]
        out("   ".join(f"{line:<{width}}" for line in lines).rstrip())


def _map(name: str, rows: list[list[float]]) -> list[str]:
    return [name, *("".join(2 * _shade(value, max(row)) for value in row) for row in rows)]


def _shade(value: float, most: float) -> str:
    if value == 0 or most == 0:
        return NOTHING
    return SHADES[min(len(SHADES) - 1, 1 + int(value / most * (len(SHADES) - 1)))]
