"""What is made of weights that do not change, kept from call to call while predictions last."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch

from anncestry.arrays import Tensor

Made = TypeVar("Made")


class _Here(threading.local):
    """What this thread keeps, by the identity of the weights; the weights too, so that no others get their
    memory."""

    kept: dict[tuple, tuple[tuple[Tensor, ...], Any]] | None = None
    int8: bool = False


_here = _Here()


@contextmanager
def keeping(shelf: dict | None = None, int8: bool = False) -> Iterator[None]:
    """Within it, what is made of weights stays from call to call. They must not be changed there.

    A change that autograd counts (an optimizer's, ``load_state_dict``'s) is noticed; others are not.

    Args:
        shelf: where it is kept, for whoever comes back later; unless told, until the outermost scope ends.
        int8: whether linear layers may keep their weights as integers.
    """
    before = _here.kept, _here.int8
    _here.kept = shelf if shelf is not None else {} if _here.kept is None else _here.kept
    _here.int8 = int8 or _here.int8
    try:
        yield
    finally:
        _here.kept, _here.int8 = before


def is_keeping() -> bool:
    """Whether this is within `keeping`; never in what is compiled or exported, whose tensors have no memory
    to be known by."""
    return _here.kept is not None and not torch.compiler.is_compiling()


def wants_int8() -> bool:
    """Whether linear layers may keep their weights as integers here."""
    return _here.int8


def look_up(weights: tuple[Tensor, ...]) -> Any:
    """What was last stored for these weights, or None."""
    if _here.kept is None or not is_keeping():
        return None
    found = _here.kept.get(tuple(map(_identity, weights)))
    return None if found is None else found[1]


def store(weights: tuple[Tensor, ...], made: Any) -> None:
    """Keep ``made`` for these weights; outside of `keeping` nothing is kept."""
    if _here.kept is not None and is_keeping():
        _here.kept[tuple(map(_identity, weights))] = (weights, made)


def kept(weights: tuple[Tensor, ...], make: Callable[[], Made]) -> Made:
    """What ``make`` makes of the weights, once within `keeping`."""
    made = look_up(weights)
    if made is None:
        made = make()
        store(weights, made)
    return made


def _identity(tensor: Tensor) -> tuple:
    """Equal for tensors of the same values, as long as one of them is held on to."""
    version = 0 if tensor.is_inference() else tensor._version
    return tensor.data_ptr(), tensor.shape, tensor.stride(), version
