"""What sets two models apart: declared ideas, structure, cost and behaviour, in the look of git."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from anncestry.errors import UserError

if TYPE_CHECKING:
    from anncestry.cli.sides import Side
    from anncestry.inspection.differences.cost import Cost
    from anncestry.inspection.differences.structure import Structure
    from anncestry.signature import Signature

Flag = tyro.conf.FlagCreatePairsOff[bool]


@dataclass(frozen=True)
class Arguments:
    """Which two models, and in what they are compared: in all but behaviour unless told."""

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
    """The input of both, as for `anncestry show`; one that both fit unless given."""
    task: str | None = None
    """What is asked of both, as for `anncestry show`."""
    full: Annotated[Flag, tyro.conf.arg(aliases=["--all"])] = False
    """Print every part by itself, and all of the way."""
    json: Flag = False
    """Print JSON."""


LAYERS = ("declared", "structure", "cost", "behaviour")


def run(arguments: Arguments) -> int:
    """Print what was asked for."""
    import json

    from anncestry.report.differences.summary import print_differences

    found = differences(arguments)
    if arguments.json:
        print(json.dumps(found, indent=1, ensure_ascii=False))
    else:
        print_differences(found, full=arguments.full)
    return 0


def differences(arguments: Arguments) -> dict[str, Any]:
    """Every layer that was asked for, as plain data.

    Raises:
        UserError: see `anncestry.cli.sides.find_sides`.
    """
    from anncestry.cli.sides import find_sides

    asked = [layer for layer in LAYERS if getattr(arguments, layer)] or list(LAYERS[:3])
    a, b, notes = find_sides(arguments.a, arguments.b, arguments.input, arguments.task)
    found: dict[str, Any] = {"a": _described(a), "b": _described(b), "notes": notes}
    costs = _costs(a, b) if {"cost", "structure"} & set(asked) else {}
    if "declared" in asked:
        found["declared"] = _declared(a, b)
    if "structure" in asked:
        found["structure"] = _structure(a, b, costs, fold=not arguments.full).to_json()
    if "cost" in asked:
        found["cost"] = {key: value for key, value in costs.items() if key != "calls"}
    if "behaviour" in asked:
        found["behaviour"] = _behaviour(a, b, _structure(a, b, costs, fold=False))
    return {**found, "equal": _equal(found)}


def _described(side: "Side") -> dict[str, Any]:
    signature = side.signature
    return {
        "name": side.name,
        "title": side.architecture.name if side.architecture is not None else type(side.shadow).__name__,
        "architecture": None if side.architecture is None else side.architecture.id,
        "signature": None if signature is None else signature.to_json(),
        "parameters": sum(parameter.numel() for parameter in side.shadow.parameters()),
    }


def _declared(a: "Side", b: "Side") -> dict[str, Any]:
    """The way between them; where sizes are published or a run's own, the config; of two runs the rest."""
    from anncestry.cli.sides import is_free
    from anncestry.inspection.differences.declared import Declared, declared
    from anncestry.inspection.differences.values import values_apart

    found: dict[str, Any] = Declared(None, (), ()).to_json()
    found |= {"missing": [side.name for side in (a, b) if side.architecture is None]}
    if a.architecture is not None and b.architecture is not None:
        found |= declared(a.architecture.id, b.architecture.id).to_json()
    config, training, data, scores = (), (), (), ()
    if a.config is not None and b.config is not None and not (is_free(a.name) and is_free(b.name)):
        one, other = asdict(a.config), asdict(b.config)
        config = values_apart(
            {name: value for name, value in one.items() if name in other},
            {name: value for name, value in other.items() if name in one},
        )
    if a.run is not None and b.run is not None:
        from anncestry.runs.run import Run

        runs = Run(a.run), Run(b.run)
        training = values_apart(*(run.config["training"] for run in runs))
        data = values_apart(*(run.config["data"] or {} for run in runs))
        scores = values_apart(*(run.scores() for run in runs))
    values = {"config": config, "data": data, "training": training, "scores": scores}
    return {**found, **{name: [asdict(value) for value in of] for name, of in values.items()}}


def _costs(a: "Side", b: "Side") -> dict[str, Any]:
    """The figures of both on the same input, where there is one; what is missing where a model cannot run."""
    from anncestry.cli.sides import same_input
    from anncestry.inspection.differences.cost import FIGURES

    one, other, same = same_input(a, b)
    first, second = _cost(a, one), _cost(b, other)
    if isinstance(first, str) or isinstance(second, str):  # a net of one length alone
        whole = _cost(a, a.signature), _cost(b, b.signature)
        same, (first, second) = same and one == a.signature and other == b.signature, whole
    found: dict[str, Any] = {"same_input": same, "missing": [], "calls": {}}
    for key, side, cost in (("a", a, first), ("b", b, second)):
        found[key] = (
            {"parameters": _described(side)["parameters"]} if isinstance(cost, str) else cost.to_json()
        )
        if isinstance(cost, str):
            found["missing"].append(cost)
        else:
            found["calls"][key] = cost.calls
    ratios = {}
    for field in FIGURES:
        x, y = found["a"].get(field), found["b"].get(field)
        plain = isinstance(x, int) and isinstance(y, int) and x > 0
        ratios[field] = y / x if plain and (same or field == "parameters") else None
    return {**found, "ratios": ratios}


def _cost(side: "Side", signature: "Signature | None") -> "Cost | str":
    """The figures, or why there are none."""
    from anncestry.cli.sides import spelled
    from anncestry.inspection.differences.cost import cost

    if signature is None:
        return f"{side.name} was not run: nothing says what it reads"
    try:
        return cost(side.shadow, signature)
    except UserError as error:
        return f"{side.name} {error.rule}"
    except Exception as error:  # a person's own module may raise anything
        reason = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        return f"{side.name} cannot be run on {spelled(signature)}: {reason}"


def _structure(a: "Side", b: "Side", costs: dict[str, Any], fold: bool) -> "Structure":
    from anncestry.inspection.differences.parts import parts_of
    from anncestry.inspection.differences.structure import structure

    calls = costs.get("calls", {})
    both = len(calls) == 2
    first, second = (
        parts_of(side.shadow, calls[key] if both else None, fold) for key, side in (("a", a), ("b", b))
    )
    return structure(first, second)


def _behaviour(a: "Side", b: "Side", aligned: "Structure") -> dict[str, Any]:
    """Both with weights, on the same input where they read the same."""
    import torch

    from anncestry.cli.sides import same_input
    from anncestry.inspection.differences.behaviour import (
        MAX_PARAMETERS,
        Behaviour,
        behaviour,
        share_weights,
    )

    one, other, _ = same_input(a, b)
    sizes = {side.name: _described(side)["parameters"] for side in (a, b)}
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
    lists = ("undone", "done", "config", "data", "training", "scores")
    if any(declared.get(name) for name in lists) or len(declared.get("missing", [])) == 1:
        return False
    behaviour = found.get("behaviour", {})
    if found.get("structure", {}).get("changes") or behaviour.get("parts_at") or behaviour.get("missing"):
        return False
    return cost is None or (cost["a"] == cost["b"] and not cost["missing"])
