"""A model as a tree of parts: types, shapes of weights and settings; like neighbours are folded into one.

Neighbours with numbered names are folded where they have the same types inside. Blocks whose weights differ
in shape stay apart while they are few; more of them (the layers of a dense block, each wider than the last)
become one part that knows the shapes of all.
"""

import functools
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from anncestry.protocols import Decoder, EncoderDecoder

FEW = 3  # groups of blocks that differ in shape alone and are still kept apart
_EVERY_MODULE = frozenset(kind.__qualname__ for kind in nn.Module.__mro__)
_PLAIN = (bool, int, float, str)

Values = tuple[tuple[str, tuple[Any, ...]], ...]  # of a name: a value for each part that was folded


@dataclass(frozen=True)
class Part:
    """A module, or several like ones.

    Attributes:
        name: below its parent; ``0-11`` where twelve are folded.
        type: its class.
        shapes: of the weights it holds itself.
        settings: its public attributes that are numbers, texts or functions.
        children: in the order of their registration; named containers without a type of their own
            (`nn.Sequential`) are left out, and their children stand here.
        parameters: all weights in it; what is shared with a part before it counts there.
        repeats: how many modules it stands for.
        calls: how often each is called in one forward pass; None where that is not known.
        role: of a part at the top of a model: ``reads`` or ``generates``.
        family: its class and what it inherits from, but for `nn.Module`.
    """

    name: str
    type: str
    shapes: Values
    settings: Values
    children: tuple["Part", ...]
    parameters: int
    repeats: int = 1
    calls: int | None = None
    role: str = ""
    family: frozenset[str] = frozenset()

    @property
    def numbered(self) -> bool:
        """Whether its name is a place in a row."""
        return self.name.isdecimal() or bool(re.fullmatch(r"\d+-\d+", self.name))

    @functools.cached_property
    def key(self) -> tuple[Any, ...]:
        """What makes two parts equal, whatever their own names."""
        children = tuple((child.name, child.key, child.used) for child in self.children)
        return (self.type, self.repeats, self.shapes, self.settings, children)

    @property
    def used(self) -> int | None:
        """Calls of a layer; of other parts they depend on the input's length."""
        return self.calls if self.numbered else None

    @functools.cached_property
    def types(self) -> Counter[Any]:
        """The classes in it, what is folded once."""
        return sum((child.types for child in self.children), Counter([self.type]))

    @functools.cached_property
    def sizes(self) -> Counter[Any]:
        """The shapes in it with the names of their weights."""
        own = Counter((self.type, name, shape) for name, of in self.shapes for shape in dict.fromkeys(of))
        return sum((child.sizes for child in self.children), own)


def parts_of(model: nn.Module, calls: Mapping[str, int] | None = None, fold: bool = True) -> Part:
    """The tree of a model, on any device.

    Args:
        calls: how often each module is called, by its name.
        fold: whether like neighbours become one part.
    """
    root = _part("", "", model, set(), calls)
    roles = (replace(child, role=_role(model, child.name)) for child in root.children)
    root = replace(root, children=tuple(roles))
    return folded(root) if fold else root


def _part(name: str, path: str, module: nn.Module, seen: set[int], calls: Mapping[str, int] | None) -> Part:
    own = [parameter for parameter in module.parameters(recurse=False) if id(parameter) not in seen]
    seen.update(map(id, own))
    weights = module.named_parameters(recurse=False, remove_duplicate=False)
    children = []
    for below, child in module.named_children():
        inside = f"{path}.{below}" if path else below
        made = _part(below, inside, child, seen, calls)
        transparent = isinstance(child, nn.Sequential) and not any(part.numbered for part in made.children)
        if transparent and made.children:
            children += [replace(part, name=f"{below}.{part.name}") for part in made.children]
        else:
            children.append(made)
    return Part(
        name=name,
        type=type(module).__name__,
        shapes=tuple((weight, (tuple(value.shape),)) for weight, value in weights),
        settings=tuple((setting, (value,)) for setting, value in _settings(module)),
        children=tuple(children),
        parameters=sum(parameter.numel() for parameter in own) + sum(part.parameters for part in children),
        calls=None if calls is None else calls.get(path, 0),
        family=frozenset(kind.__qualname__ for kind in type(module).__mro__) - _EVERY_MODULE,
    )


def _settings(module: nn.Module) -> Iterable[tuple[str, Any]]:
    for name, value in sorted(vars(module).items()):
        if name.startswith("_") or name == "training":
            continue
        if isinstance(value, list):
            value = tuple(value)
        if isinstance(value, _PLAIN) or (
            isinstance(value, tuple) and all(isinstance(part, _PLAIN) for part in value)
        ):
            yield name, value
        elif callable(value) and hasattr(value, "__name__"):
            yield name, value.__name__


def _role(model: nn.Module, name: str) -> str:
    """Whether a part at the top reads or generates: in an encoder-decoder by its name, else as the whole."""
    if isinstance(model, EncoderDecoder):
        return {"encoder": "reads", "source": "reads", "decoder": "generates"}.get(
            re.split(r"[_.]", name)[0], ""
        )
    return "generates" if isinstance(model, Decoder) else "reads"


def folded(part: Part) -> Part:
    """The same with like neighbours in one."""
    children = [folded(child) for child in part.children]
    found: list[Part] = []
    for row in _rows(children):
        groups = [merged(list(of)) for _, of in itertools.groupby(row, key=_shape_key)]
        found += groups if len(groups) <= FEW else [merged(row)]
    return replace(part, children=tuple(found))


def _rows(children: Sequence[Part]) -> Iterable[list[Part]]:
    """Neighbours that may be folded: numbered on, and with the same types inside."""
    row: list[Part] = []
    for child in children:
        if row and not _follows(row[-1], child):
            yield row
            row = []
        row.append(child)
    if row:
        yield row


def _follows(before: Part, after: Part) -> bool:
    (stem, number), (next_stem, next_number) = _numbered(before.name), _numbered(after.name)
    key = _type_key if before.children else _shape_key
    return stem == next_stem and 0 <= number == next_number - 1 and key(before) == key(after)


def _numbered(name: str) -> tuple[str, int]:
    digits = re.search(r"\d+$", name)
    return (name[: digits.start()], int(digits[0])) if digits else (name, -1)


def _type_key(part: Part) -> tuple[Any, ...]:
    weights = tuple(name for name, _ in part.shapes)
    return (
        part.type,
        part.repeats,
        weights,
        tuple((child.name, _type_key(child)) for child in part.children),
    )


def _shape_key(part: Part) -> tuple[Any, ...]:
    children = tuple((child.name, _shape_key(child)) for child in part.children)
    return (part.type, part.repeats, part.shapes, part.calls, children)


def merged(row: Sequence[Part]) -> Part:
    """Parts with the same types inside as one."""
    if len(row) == 1:
        return row[0]
    first, last = row[0], row[-1]
    return replace(
        first,
        name=f"{first.name}-{_numbered(last.name)[1]}",
        shapes=_joined([part.shapes for part in row]),
        settings=_joined([part.settings for part in row]),
        children=tuple(map(_inner, zip(*(part.children for part in row), strict=True))),
        parameters=sum(part.parameters for part in row),
        repeats=sum(part.repeats for part in row),
    )


def _inner(row: Sequence[Part]) -> Part:
    """Parts of the same name in parts that are folded; what they stand for is counted by these."""
    return replace(merged(row), name=row[0].name, repeats=row[0].repeats)


def _joined(of: Sequence[Values]) -> Values:
    names = dict.fromkeys(name for values in of for name, _ in values)
    return tuple(
        (name, tuple(itertools.chain.from_iterable(dict(values).get(name, (None,)) for values in of)))
        for name in names
    )
