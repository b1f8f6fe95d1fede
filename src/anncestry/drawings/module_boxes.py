"""What a drawing of an architecture shows: its modules as nested boxes, and what feeds what.

Both come from `anncestry.inspection.data_flow`. Dropout, identities and lists are left out.
"""

import math
from collections.abc import Iterable
from typing import Any

from torch import nn

from anncestry.drawings.folding import OUTPUT, PORT, Box, folded, joined
from anncestry.inspection.data_flow import INPUT, TARGETS, Flow, Step

MEETINGS, SHARED = 4, 4
"""Of more additions in a module, and of more calls of what has no weights, none is drawn: it is a loop."""


def box_tree(flow: Flow) -> Box:
    """The whole model as one box; its children begin with the inputs and end with the output."""
    steps = _without_loops(flow)
    modules = dict(flow.model.named_modules())
    own: dict[str, int] = {}
    for path, weight in flow.model.named_parameters():
        name = path.rpartition(".")[0]
        own[name] = own.get(name, 0) + weight.numel()
    parents = _parents(steps, modules, own)
    children: dict[str, list[str]] = {}
    for name, parent in parents.items():
        children.setdefault(parent, []).append(name)
    keys = {name: _key(name, steps, children) for name in ("", *parents)}
    boxes = {name: _box(name, steps, modules, parents) for name in ("", *parents)}
    for name in (INPUT, TARGETS):
        if name in flow.inputs:
            shape = tuple((size, size) for size in flow.inputs[name])
            label = {INPUT: "input", TARGETS: "targets"}[name]
            boxes[name], parents[name], keys[name] = (
                Box(id=name, kind="input", type=label, shape=shape),
                "",
                -1,
            )
            children.setdefault("", []).insert(0, name)
    _connect(steps, boxes, parents, keys)

    def fill(name: str) -> Box:
        box = boxes[name]
        inner = [fill(child) for child in sorted(children.get(name, ()), key=lambda n: (keys[n], n))]
        box.total = own.get(name, 0) + sum(child.total for child in inner)
        box.parameters = (box.total, box.total)
        box.children = joined(folded(_flat(inner, steps)))
        return _collapsed(box, steps)

    root = fill("")
    root = boxes[""] if root is not boxes[""] else root
    _finish(root, steps)
    return root


def _finish(root: Box, steps: dict[str, Step]) -> None:
    """Give the model its inputs' and its output's box; a model without parts becomes one box itself."""
    modules = [box for box in root.children if box.kind != "input"]
    if not modules:
        whole = Box(
            id="<model>", type=root.type, shape=root.shape, parameters=root.parameters, total=root.total
        )
        whole.sources, whole.returned = {INPUT}, True
        root.children.append(whole)
    ends = {box.id for box in root.children if box.returned and box.kind != "input"}
    output = Box(id=OUTPUT, kind="output", type="output", shape=root.shape)
    output.sources = ends or {root.children[-1].id}
    root.children.append(output)


def _without_loops(flow: Flow) -> dict[str, Step]:
    """The steps worth drawing; who read one that is not reads what that one read."""
    meetings: dict[str, int] = {}
    calls: dict[str, int] = {}
    for step in flow.steps.values():
        if step.kind != "module":
            meetings[step.caller] = meetings.get(step.caller, 0) + 1
        calls[step.name.partition("#")[0]] = calls.get(step.name.partition("#")[0], 0) + 1
    gone = {
        step.name: step.sources
        for step in flow.steps.values()
        if (step.kind != "module" and meetings[step.caller] > MEETINGS)
        or calls[step.name.partition("#")[0]] > SHARED
    }

    def resolved(names: Iterable[str], seen: frozenset[str] = frozenset()) -> set[str]:
        found: set[str] = set()
        for name in names:
            if name in gone:
                found |= set() if name in seen else resolved(gone[name], seen | {name})
            else:
                found.add(name)
        return found

    kept = {name: step for name, step in flow.steps.items() if name not in gone}
    for step in kept.values():
        step.sources, step.returned = resolved(step.sources), resolved(step.returned)
    return kept


def _parents(steps: dict[str, Step], modules: dict[str, nn.Module], own: dict[str, int]) -> dict[str, str]:
    """In which box each box lies: its module's parent, or the neighbour that calls it (a norm around it)."""
    parents: dict[str, str] = {}
    for name in [*steps, *(name for name in own if name not in steps)]:
        path = name.partition("#")[0]
        parent = path.rpartition(".")[0]
        step = steps.get(name)
        if step is not None and step.kind != "module":
            parent = step.caller
        elif step is not None and step.caller not in ("", parent) and step.caller in modules:
            beside = step.caller.rpartition(".")[0] == parent
            parent = step.caller if beside else parent
        if name:
            parents[name] = parent
        while parent and parent not in parents and parent not in steps:
            parents[parent] = parent = parent.rpartition(".")[0]
    return parents


def _key(name: str, steps: dict[str, Step], children: dict[str, list[str]]) -> float:
    """The place of a box among its siblings: where the last part of it is first called."""
    inner = [_key(child, steps, children) for child in children.get(name, ())]
    if not any(key < math.inf for key in inner):
        step = steps.get(name)
        if step is None:
            return math.inf  # never used
        return step.order if step.calls or step.kind != "module" else max(step.order, step.settled - 0.5)
    return max(key for key in inner if key < math.inf)


def _box(name: str, steps: dict[str, Step], modules: dict[str, nn.Module], parents: dict[str, str]) -> Box:
    step, path = steps.get(name), name.partition("#")[0]
    module = modules.get(path)
    box = Box(id=name, kind=step.kind if step else "module")
    box.shape = tuple((size, size) for size in step.shape) if step else ()
    if module is not None:
        box.type, box.detail = type(module).__name__, _detail(module)
        box.name = _within(path, parents.get(name, ""))
        above = steps.get(parents.get(name, ""))
        # A meeting place of loops says nothing about its parent's calls; a module does.
        box.calls = max(1, step.calls // max(1, above.calls if above else 1)) if step else 1
    return box


def _within(name: str, parent: str) -> str:
    """A name without the part that it shares with its parent's."""
    parts, above = name.split("."), parent.split(".")
    shared = 0
    while shared < min(len(parts) - 1, len(above)) and parts[shared] == above[shared]:
        shared += 1
    return ".".join(parts[shared:])


def _detail(module: nn.Module) -> str:
    """Kernel, stride and dilation of what has them."""
    kernel = getattr(module, "kernel_size", None)
    if not isinstance(kernel, int | tuple):
        return ""
    axes = _axes(kernel, 2 if type(module).__name__.endswith("2d") else 1)
    text = ("" if len(axes) > 1 else "kernel ") + "×".join(map(str, axes))
    for word in ("stride", "dilation"):
        value = getattr(module, word, None)
        values = set(_axes(value, 1)) if isinstance(value, int | tuple) else {1}
        text += "" if values == {1} else f", {word} {'×'.join(map(str, sorted(values)))}"
    return text


def _axes(value: Any, number: int) -> tuple[int, ...]:
    return (value,) * number if isinstance(value, int) else value


def _connect(
    steps: dict[str, Step], boxes: dict[str, Box], parents: dict[str, str], keys: dict[str, float]
) -> None:
    """Turn sources anywhere in the model into arrows between siblings, and from a parent's own input."""

    def line(name: str) -> list[str]:
        found = [name]
        while found[-1]:
            found.append(parents[found[-1]])
        return found

    for step in steps.values():
        below = line(step.name)
        for source in step.sources:
            above = line(source)
            meeting = next(name for name in above if name in below)
            if meeting in (step.name, source):
                continue  # its own part, or a module that calls it: no arrow between siblings
            start, end = above[above.index(meeting) - 1], below[below.index(meeting) - 1]
            for inner in below[: below.index(meeting) - 1]:
                boxes[inner].sources.add(PORT)
            if keys[start] < keys[end]:
                boxes[end].sources.add(start)
        for source in step.returned:
            above = line(source)
            if step.name in above[1:]:
                boxes[above[above.index(step.name) - 1]].returned = True


def _flat(boxes: list[Box], steps: dict[str, Step]) -> list[Box]:
    """With the parts of lists in the lists' places."""
    flat: list[Box] = []
    for box in boxes:
        if box.kind == "module" and box.id not in steps and box.children:  # a list, which is never called
            for child in box.children:
                if PORT in child.sources:
                    child.sources = (child.sources - {PORT}) | box.sources
                child.name = f"{box.name}.{child.name}"
            for other in boxes:
                if box.id in other.sources:
                    other.sources = (other.sources - {box.id}) | {_ends(box)}
            flat.extend(box.children)
        else:
            flat.append(box)
    return flat


def _ends(box: Box) -> str:
    """The part of a list that later boxes read."""
    return box.children[-1].id


def _collapsed(box: Box, steps: dict[str, Step]) -> Box:
    """A box with a single part becomes that part, which says what it is in."""
    if not box.id or box.id not in steps or len(box.children) != 1 or box.children[0].count > 1:
        return box
    (inner,) = box.children
    if inner.kind != "module" or (not inner.total and inner.children):
        return box
    if not inner.total:  # a function; the box has the weights
        box.detail, box.children = f"with {inner.type}", []
        return box
    box.detail = ", ".join(filter(None, (inner.detail, f"in {box.type}")))
    box.type, box.children = inner.type, inner.children
    box.shape = box.shape or inner.shape
    box.name = f"{box.name}.{inner.name}"
    return box
