"""What sets two models apart: declared ideas, structure, cost and behaviour."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch

from anncestry.errors import UserError
from anncestry.inspection.differences.behaviour import MAX_PARAMETERS, Behaviour, behaviour, share_weights
from anncestry.inspection.differences.cost import FIGURES, Cost, cost
from anncestry.inspection.differences.declared import Declared, declared
from anncestry.inspection.differences.parts import parts_of
from anncestry.inspection.differences.side import Side, same_input
from anncestry.inspection.differences.structure import Structure, structure
from anncestry.inspection.differences.values import values_apart
from anncestry.inspection.example_inputs import input_text
from anncestry.report.differences.summary import print_differences
from anncestry.report.shown import Shown
from anncestry.signature import Signature

if TYPE_CHECKING:
    from rich.console import Console

LAYERS = ("declared", "structure", "cost", "behaviour")
"""In what two models are compared."""
USUAL = LAYERS[:3]
"""By default: all but behaviour, for which both are run with weights."""
_OF_RUNS = ("data", "training", "scores")


@dataclass(frozen=True, repr=False)
class Diff(Shown):
    """What sets two models apart. ``str`` is what `anncestry diff` prints, and a notebook shows it.

    Attributes:
        found: ``a``, ``b``, ``notes``, ``equal``, and each layer that was compared, as plain data.
        full: whether every part is shown by itself, and all of the way.
    """

    found: dict[str, Any]
    full: bool = False

    @property
    def equal(self) -> bool:
        """Whether no layer that was compared differs."""
        return self.found["equal"]

    def to_json(self) -> dict[str, Any]:
        """Everything as plain data."""
        return self.found

    def show(self, console: "Console | None" = None) -> None:
        """Print every layer that was compared, in the look of git."""
        print_differences(self.found, full=self.full, console=console)


def differences(
    a: Side, b: Side, layers: Collection[str] = USUAL, *, notes: Sequence[str] = (), full: bool = False
) -> Diff:
    """What sets two models apart.

    Args:
        layers: in what they are compared, of `LAYERS`.
        notes: what a reader must know about what the two are given.
        full: show every part by itself, and all of the way.

    Raises:
        UserError: there is no such layer.
    """
    for layer in layers:
        if layer not in LAYERS:
            raise UserError("layers", layer, "is nothing that is compared", LAYERS)
    found: dict[str, Any] = {"a": a.to_json(), "b": b.to_json(), "notes": list(notes)}
    costs = _costs(a, b) if {"cost", "structure"} & set(layers) else {}
    if "declared" in layers:
        found["declared"] = _declared(a, b)
    if "structure" in layers:
        found["structure"] = _structure(a, b, costs, fold=not full).to_json()
    if "cost" in layers:
        found["cost"] = {key: value for key, value in costs.items() if key != "calls"}
    if "behaviour" in layers:
        found["behaviour"] = _behaviour(a, b, _structure(a, b, costs, fold=False))
    return Diff({**found, "equal": _equal(found)}, full)


def _declared(a: Side, b: Side) -> dict[str, Any]:
    """The way between them; where sizes are published or a run's own, the config; of two runs the rest."""
    found: dict[str, Any] = Declared(None, (), ()).to_json()
    found |= {"missing": [side.name for side in (a, b) if side.architecture is None]}
    if a.architecture is not None and b.architecture is not None:
        found |= declared(a.architecture.id, b.architecture.id).to_json()
    values: dict[str, Any] = dict.fromkeys(("config", *_OF_RUNS), ())
    if a.config is not None and b.config is not None and not (a.free and b.free):
        one, other = asdict(a.config), asdict(b.config)
        values["config"] = values_apart(
            {name: value for name, value in one.items() if name in other},
            {name: value for name, value in other.items() if name in one},
        )
    if a.records is not None and b.records is not None:
        one, other = a.records(), b.records()
        values |= {name: values_apart(one[name], other[name]) for name in _OF_RUNS}
    return {**found, **{name: [asdict(value) for value in of] for name, of in values.items()}}


def _costs(a: Side, b: Side) -> dict[str, Any]:
    """The figures of both on the same input, where there is one; what is missing where a model cannot run."""
    one, other, same = same_input(a, b)
    first, second = _cost(a, one), _cost(b, other)
    if isinstance(first, str) or isinstance(second, str):  # a net of one length alone
        whole = _cost(a, a.signature), _cost(b, b.signature)
        same, (first, second) = same and one == a.signature and other == b.signature, whole
    found: dict[str, Any] = {"same_input": same, "missing": [], "calls": {}}
    for key, side, figures in (("a", a, first), ("b", b, second)):
        if isinstance(figures, str):
            found[key] = {"parameters": side.num_parameters}
            found["missing"].append(figures)
        else:
            found[key] = figures.to_json()
            found["calls"][key] = figures.calls
    ratios = {}
    for field in FIGURES:
        x, y = found["a"].get(field), found["b"].get(field)
        plain = isinstance(x, int) and isinstance(y, int) and x > 0
        ratios[field] = y / x if plain and (same or field == "parameters") else None
    return {**found, "ratios": ratios}


def _cost(side: Side, signature: Signature | None) -> Cost | str:
    """The figures, or why there are none."""
    if signature is None:
        return f"{side.name} was not run: nothing says what it reads"
    try:
        return cost(side.shadow, signature)
    except UserError as error:
        return f"{side.name} {error.rule}"
    except Exception as error:  # a person's own module may raise anything
        reason = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        return f"{side.name} cannot be run on {input_text(signature)}: {reason}"


def _structure(a: Side, b: Side, costs: dict[str, Any], fold: bool) -> Structure:
    calls = costs.get("calls", {})
    both = len(calls) == 2
    first, second = (
        parts_of(side.shadow, calls[key] if both else None, fold) for key, side in (("a", a), ("b", b))
    )
    return structure(first, second)


def _behaviour(a: Side, b: Side, aligned: Structure) -> dict[str, Any]:
    """Both with weights, on the same input where they read the same."""
    one, other, _ = same_input(a, b)
    sizes = {side.name: side.num_parameters for side in (a, b)}
    missing = [
        f"{name} has {size:,} parameters, too many" for name, size in sizes.items() if size > MAX_PARAMETERS
    ]
    if one is None or other is None:
        missing.append("nothing says what the two read")
    if missing or one is None or other is None:
        return Behaviour(missing=tuple(missing)).to_json()
    made = []
    for side in (a, b):
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            made.append(side.make())
    shared = not (a.trained or b.trained)
    if shared:
        share_weights(made[0], made[1], aligned.pairs)
    found = behaviour((made[0], made[1]), (one, other), (a.name, b.name), aligned.pairs)
    return {"shared_weights": shared, **found.to_json()}


def _equal(found: dict[str, Any]) -> bool:
    """Whether no layer that was asked for differs."""
    declared, cost = found.get("declared", {}), found.get("cost")
    lists = ("undone", "done", "config", *_OF_RUNS)
    if any(declared.get(name) for name in lists) or len(declared.get("missing", [])) == 1:
        return False
    behaviour = found.get("behaviour", {})
    if found.get("structure", {}).get("changes") or behaviour.get("parts_at") or behaviour.get("missing"):
        return False
    return cost is None or (cost["a"] == cost["b"] and not cost["missing"])
