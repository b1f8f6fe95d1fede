"""What a model reads and ``state_dict`` does not hold: tensors kept as plain attributes."""

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from anncestry.inspection.subject import Subject

REGISTERED = ("_parameters", "_buffers", "_modules")  # where a module keeps what it knows of
NAMES_SHOWN = 4


def unsaved_tensors(subject: Subject) -> list[str]:
    """The attributes that hold tensors, arrays or modules which were never registered, and without which the
    outputs are others. What is worked out again when it is missing is no state, nor is one number alone."""
    names = dict.fromkeys(name for name, part in unregistered(subject.model) if _says(part))
    return [name for name in names if _matters(subject, *name.rpartition(".")[::2])]


def unregistered(model: nn.Module) -> Iterator[tuple[str, Any]]:
    """The name of an attribute, and each tensor or array that it holds and the model does not know of."""
    known = {id(tensor) for tensor in (*model.parameters(), *model.buffers())}
    for path, module in model.named_modules():
        for name, value in vars(module).items():
            for part in () if name in REGISTERED else _held(value, set()):
                if id(part) not in known:
                    yield f"{path}.{name}" if path else name, part


def _held(value: Any, seen: set[int]) -> Iterator[Any]:
    """The tensors and arrays of nested containers, of modules and of other objects with attributes."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, Tensor | np.ndarray):
        yield value
    elif isinstance(value, nn.Module):
        yield from (*value.parameters(), *value.buffers())
    elif isinstance(value, dict):
        yield from _held(tuple(value.values()), seen)
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _held(part, seen)
    elif hasattr(value, "__dict__") and not callable(value) and not isinstance(value, ModuleType):
        yield from _held(vars(value), seen)


def _says(part: Any) -> bool:
    """Whether it could differ between two models: results of a graph are worked out anew."""
    if isinstance(part, Tensor):
        return part.is_leaf and part.numel() > 1 and bool((part != part.flatten()[0]).any())
    return part.size > 1 and bool((part != part.flat[0]).any())


def _matters(subject: Subject, path: str, name: str) -> bool:
    batch = subject.batch(3)
    whole, without = subject.run(subject.copy(), *batch), subject.copy()
    vars(without.get_submodule(path))[name] = None
    try:
        return not torch.equal(subject.run(without, *batch), whole)
    except Exception:  # it cannot run without
        return True


def listed(names: list[str]) -> str:
    """Names after one another, and of many the first and how many more."""
    more = len(names) - NAMES_SHOWN
    return f"{', '.join(names[:NAMES_SHOWN])} and {more} more" if more > 1 else ", ".join(names)
