"""Who may be computed without being called.

Fast paths read the weights of a module, or take it apart, in place of calling it. A hook would then stay
silent, and a module that someone has put in its place (an adapter, a quantised or sharded layer) would do
nothing. Every fast path asks here first.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

_here = threading.local()


@contextmanager
def unheeded() -> Iterator[None]:
    """Within it hooks change no path: for whoever measures the fast ones."""
    before = getattr(_here, "unheeded", False)
    _here.unheeded = True
    try:
        yield
    finally:
        _here.unheeded = before


def watched(module: nn.Module) -> bool:
    """Whether someone has hung a hook on it, so that it must be called.

    Hooks on all modules of a process, which count FLOPs, change no path: they see what is called.
    """
    hooks = (
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
    )
    return bool(hooks) and not getattr(_here, "unheeded", False)


def untouched(module: nn.Module, kind: type[nn.Module]) -> bool:
    """Whether it is just what the model was built with, and unwatched.

    Args:
        kind: its class; one derived from it, or wrapped around it, may compute something else.
    """
    return type(module) is kind and not watched(module)


def any_watched(module: nn.Module) -> bool:
    """Whether someone watches it, or a module within it."""
    return any(watched(part) for part in module.modules())
