"""What sets two models apart, on a terminal in the colours of git: red goes, green comes."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from anncestry.report.differences.behaviour import print_behaviour
from anncestry.report.numbers import count

GONE, NEW, HEAD, RESIZED = "red", "green", "cyan", "yellow"
COMMITS, CHANGES, VALUES, SAME, ALSO = 5, 18, 10, 6, 2  # lines of each before the rest is only counted
LONGEST = 24  # name at the head of a column

_FIGURES = {
    "parameters": "parameters",
    "flops": "FLOPs, forward",
    "training_flops": "FLOPs, training",
    "training_bytes": "training memory, bytes",
    "sequential_steps": "sequential steps",
    "path_length": "path length",
    "receptive_field": "receptive field",
}


def print_differences(found: dict[str, Any], full: bool = False, console: Console | None = None) -> None:
    """Print every layer that was compared; one line where nothing differs.

    Args:
        found: what ``anncestry diff --json`` prints.
        full: leave nothing out.
    """
    console = console or Console()
    out = _Lines(console)
    a, b = found["a"], found["b"]
    if found["equal"]:
        out(f"{a['name']} and {b['name']} are equal{_in(found)}.")
        return
    out(f"--- {a['name']}  {_about(a)}", GONE)
    out(f"+++ {b['name']}  {_about(b)}", NEW)
    for note in found["notes"]:
        out(f"note: {note}", "dim")
    if "declared" in found:
        _declared(out, found, full)
    if "structure" in found:
        _structure(out, found, full)
    if "cost" in found:
        _cost(out, found)
    if "behaviour" in found:
        print_behaviour(out, found, full)


class _Lines:
    """Writes lines; a terminal folds the long ones at words."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def __call__(self, text: str, style: str = "") -> None:
        self.console.print(Text(text, style), soft_wrap=not self.console.is_terminal)

    def head(self, text: str) -> None:
        self(f"@@ {text} @@", HEAD)


def _in(found: dict[str, Any]) -> str:
    """In what, where it is not in all that is compared by default."""
    layers = [layer for layer in ("declared", "structure", "cost", "behaviour") if layer in found]
    if found.get("declared", {}).get("missing"):
        layers.remove("declared")
    return "" if len(layers) >= 3 else f" in {' and '.join(layers)}"


def _about(side: dict[str, Any]) -> str:
    signature = side["signature"]
    shape = "" if signature is None else "x".join(map(str, signature["shape"]))
    asked = "" if signature is None else f", {signature['task']} of {signature['inputs']} {shape}"
    return f"{side['title']}{asked}"


def _cut(rows: Sequence[Any], limit: int, full: bool) -> tuple[Sequence[Any], int]:
    """The first rows, and how many are left out; a single one is never left out."""
    if full or len(rows) <= limit + 1:
        return rows, 0
    return rows[:limit], len(rows) - limit


# ---- declared -------------------------------------------------------------------------------------------


def _declared(out: _Lines, found: dict[str, Any], full: bool) -> None:
    declared = found["declared"]
    undone, done = declared["undone"], declared["done"]
    if declared["missing"]:
        missing = list(dict.fromkeys(declared["missing"]))
        out.head(
            f"declared: {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not on the timeline"
        )
    elif undone or done:
        common = declared["common"]
        out.head(f"declared: common ancestor {common}" if common else "declared: no common ancestor")
    elif any(declared[name] for name in ("config", "data", "training", "scores")):
        out.head(f"declared: both are {found['a']['architecture']}")
    else:
        out.head("declared: equal")
    half = COMMITS // 2 + 1
    ups, fewer = _cut(undone, half if done else COMMITS, full)
    downs, more = _cut(done[::-1], half if undone else COMMITS, full)
    for commit in ups:
        _commit(out, "revert", commit)
    if fewer + more:
        out(f"... and {fewer + more} more commits between them (--full)", "dim")
    for commit in reversed(downs):
        _commit(out, "commit", commit)
    for name, heading in (
        ("config", "config"),
        ("data", "data"),
        ("training", "settings"),
        ("scores", "scores"),
    ):
        if declared[name]:
            _values(out, heading, declared[name], full)


def _commit(out: _Lines, verb: str, commit: dict[str, Any]) -> None:
    out(f"{verb} {commit['commit']} ({commit['id']}, {commit['year']}) {commit['authors']}", RESIZED)
    for sign, style, lines in (("-", GONE, commit["removed"]), ("+", NEW, commit["added"])):
        for line in lines:
            out(f"{sign} {line}", style)


def _values(out: _Lines, heading: str, values: Sequence[dict[str, Any]], full: bool) -> None:
    shown, left = _cut(values, VALUES, full)
    width = max(len(value["name"]) for value in shown)
    out(f"{heading}:")
    for value in shown:
        out(f"~ {value['name']:<{width}}  {_plain(value['a'])} -> {_plain(value['b'])}", RESIZED)
    if left:
        out(f"... and {left} more (--full)", "dim")


def _plain(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:.6g}"
    return ", ".join(map(_plain, value)) if isinstance(value, list | tuple) else str(value)


# ---- structure ------------------------------------------------------------------------------------------


def _structure(out: _Lines, found: dict[str, Any], full: bool) -> None:
    every, same = found["structure"]["changes"], found["structure"]["same"]
    a, b = found["a"]["parameters"], found["b"]["parameters"]
    if not every:
        renamed = any(pair["a"].rpartition(".")[2] != pair["b"].rpartition(".")[2] for pair in same)
        out.head("structure: the same parts under other names" if renamed else "structure: equal")
        return
    out.head(f"structure: {a:,} -> {b:,} parameters")
    changes = _together([change for change in every if not _is_root(change) or change["shapes"]])
    most = sorted(changes, key=_size, reverse=True)
    chosen, left = _cut(most, CHANGES, full)
    kept = {id(change) for change in chosen}
    for change in changes:
        if id(change) in kept:
            _change(out, change)
    if left:
        out(f"... and {left} more changes to smaller parts (--full)", "dim")
    if same:
        _same(out, same, full)


def _together(changes: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Parts of which the same setting changes alone are shown in one line, with the first of them."""
    found: dict[Any, dict[str, Any]] = {}
    for change in changes:
        alone = change["kind"] == "changed" and change["a"]["type"] == change["b"]["type"]
        key = repr(change["settings"]) if alone else id(change)
        if key in found:
            found[key]["others"].append(change)
        else:
            found[key] = {**change, "others": []}
    return list(found.values())


def _is_root(change: dict[str, Any]) -> bool:
    return (change["a"] or change["b"])["path"] == ""


def _size(change: dict[str, Any]) -> tuple[bool, int]:
    """First what is new, gone or of another size, and more of it."""
    places = [place for place in (change["a"], change["b"]) if place is not None]
    return (change["kind"] != "changed", max(place["parameters"] for place in places))


def _change(out: _Lines, change: dict[str, Any]) -> None:
    a, b = change["a"], change["b"]
    if change["kind"] in ("gone", "new"):
        place = a or b
        sign, style = ("-", GONE) if a else ("+", NEW)
        what = _type(place)
        if change["around"] is not None:
            what += f" around {change['around']}"
        elif place["inside"]:
            what += f" ({', '.join(_number(count, kind) for kind, count in place['inside'])})"
        for name, values in place["varied"]:
            what += f", {name} {_several(values)}"
        out(f"{sign} {place['path']}  {what}{_parameters(place)}", style)
        return
    paths = [_moved(a["path"], b["path"])]
    paths += [other["a"]["path"] for other in change["others"][:ALSO]]
    more = len(change["others"]) - ALSO
    also = f" and {more} more" if more > 0 else ""
    out(f"~ {', '.join(paths)}{also}  {'; '.join(_facts(change))}", RESIZED)


def _moved(a: str, b: str) -> str:
    """The path on both sides; where what is around it has another name, that was shown already."""
    if a.rpartition(".")[2] == b.rpartition(".")[2]:
        return a or "the whole"
    return f"{a} -> {b}"


def _type(place: dict[str, Any]) -> str:
    return _number(place["repeats"], place["type"])


def _number(count: int, kind: str) -> str:
    return f"{count} x {kind}" if count > 1 else kind


def _parameters(place: dict[str, Any]) -> str:
    return f", {place['parameters']:,} parameters" if place["parameters"] else ""


def _facts(change: dict[str, Any]) -> Iterable[str]:
    a, b = change["a"], change["b"]
    if a["type"] != b["type"] or a["repeats"] != b["repeats"] or _is_shared(a, b) or _is_shared(b, a):
        yield f"{_used(a, b)} -> {_used(b, a)}"
    for value in change["shapes"]:
        yield f"{value['name']} {_shapes(value['a'])} -> {_shapes(value['b'])}"
    for value in change["settings"]:
        yield f"{value['name']} {_several(value['a'])} -> {_several(value['b'])}"


def _used(place: dict[str, Any], other: dict[str, Any]) -> str:
    if not _is_shared(place, other):
        return _type(place)
    each = f"one {place['type']}" if place["repeats"] == 1 else f"{_type(place)}, each"
    return f"{each} used {place['calls']} times"


def _is_shared(place: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether one module does the work of several."""
    return (place["calls"] or 0) > max(1, other["calls"] or 0)


def _shapes(shapes: Sequence[Sequence[int] | None] | None) -> str:
    if shapes is None:
        return "none"
    words = ["none" if shape is None else "x".join(map(str, shape)) or "one number" for shape in shapes]
    return words[0] if len(words) == 1 else f"{words[0]}..{words[-1]}"


def _several(values: Sequence[Any] | None) -> str:
    if values is None:
        return "none"
    words = list(map(_plain, values))
    return ", ".join(words) if len(words) <= 4 else f"{words[0]}..{words[-1]}"


def _same(out: _Lines, same: Sequence[dict[str, Any]], full: bool) -> None:
    biggest = sorted(same, key=lambda pair: pair["parameters"], reverse=True)
    shown, left = _cut(biggest, SAME, full)
    names = [_moved(pair["a"], pair["b"]).replace(" -> ", " = ") for pair in shown]
    total = sum(pair["parameters"] for pair in same)
    more = f" and {left} more" if left else ""
    out(f"  the same, {total:,} parameters: {', '.join(names)}{more}", "dim")


# ---- cost -----------------------------------------------------------------------------------------------


def _cost(out: _Lines, found: dict[str, Any]) -> None:
    cost = found["cost"]
    about = "of one example" if cost["same_input"] else "of one example, each on an input of its own"
    out.head(f"cost: {about}")
    for missing in cost["missing"]:
        out(f"missing: {missing}", RESIZED)
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for heading in (_short(found["a"]["name"]), _short(found["b"]["name"]), "ratio"):
        table.add_column(heading, justify="right", overflow="fold")
    for field, name in _FIGURES.items():
        values = [cost[side].get(field) for side in ("a", "b")]
        if values != [None, None]:
            ratio = cost["ratios"][field]
            table.add_row(name, *map(_figure, values), "" if ratio is None else _ratio(ratio))
    out.console.print(table)


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"...{name[-LONGEST + 3 :]}"


def _figure(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, list | tuple):
        return "x".join(map(str, value))
    return f"{value:,}" if value < 1e15 else count(value)


def _ratio(ratio: float) -> str:
    return f"x {ratio:,.0f}" if ratio >= 100 else f"x {ratio:.3g}"
