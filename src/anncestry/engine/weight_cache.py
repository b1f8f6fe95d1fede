"""The weight cache: what is made of weights that do not change, from call to call while predictions last."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import nn

from anncestry.arrays import Tensor

Made = TypeVar("Made")


class _Here(threading.local):
    """What this thread has cached, by the identity of the weights; the weights too, so that no others get
    their memory."""

    cache: dict[tuple, tuple[tuple[Tensor, ...], Any]] | None = None
    int8: bool = False


_here = _Here()


@contextmanager
def caching_weights(cache: dict | None = None, int8: bool = False) -> Iterator[None]:
    """Within it, what is made of weights stays from call to call. They must not be changed there.

    A change that autograd counts (an optimizer's, ``load_state_dict``'s) is noticed; others are not.

    Args:
        cache: where it is kept, for later calls. Default: a new one, which ends with the outermost scope.
        int8: whether linear layers may keep their weights as integers.
    """
    before = _here.cache, _here.int8
    _here.cache = cache if cache is not None else {} if _here.cache is None else _here.cache
    _here.int8 = int8 or _here.int8
    try:
        yield
    finally:
        _here.cache, _here.int8 = before


def is_caching_weights() -> bool:
    """Whether this is within `caching_weights`; never in what is compiled or exported, whose
    tensors have no memory to be known by."""
    return _here.cache is not None and not torch.compiler.is_compiling()


def wants_int8() -> bool:
    """Whether linear layers may keep their weights as integers here."""
    return _here.int8


def look_up(weights: tuple[Tensor, ...]) -> Any:
    """What was last stored for these weights, or None."""
    if _here.cache is None or not is_caching_weights():
        return None
    found = _here.cache.get(tuple(map(_identity, weights)))
    return None if found is None else found[1]


def store(weights: tuple[Tensor, ...], made: Any) -> None:
    """Cache ``made`` for these weights; outside of `caching_weights` nothing is cached."""
    if _here.cache is not None and is_caching_weights():
        _here.cache[tuple(map(_identity, weights))] = (weights, made)


def cached_weights(weights: tuple[Tensor, ...], make: Callable[[], Made]) -> Made:
    """What ``make`` makes of the weights, once within `caching_weights`."""
    made = look_up(weights)
    if made is None:
        made = make()
        store(weights, made)
    return made


def cached_for(modules: Sequence[nn.Module], make: Callable[[], Made]) -> Made:
    """The same as `cached_weights` for all that these modules themselves hold; faster where they are many.

    Only the last is kept for the same first module.
    """
    if _here.cache is None or not is_caching_weights():
        return make()
    held = [t for m in modules for of in (m._parameters, m._buffers) for t in of.values() if t is not None]
    try:
        now = [(id(t), t.data_ptr(), t._version) for t in held]
    except RuntimeError:  # tensors of inference mode have no version
        now = [(id(t), t.data_ptr(), 0) for t in held]
    key = ("of", id(modules[0]))
    _, found = _here.cache.get(key, ((), None))
    if found is None or found[0] != now:
        found = now, make()
        _here.cache[key] = (tuple(held), found)
    return found[1]


def _identity(tensor: Tensor) -> tuple:
    """Equal for tensors of the same values, as long as one of them is held on to."""
    version = 0 if tensor.is_inference() else tensor._version
    return tensor.data_ptr(), tensor.shape, tensor.stride(), version
