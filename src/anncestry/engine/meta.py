"""Models without contents: tensors on PyTorch's *meta* device have shapes alone, and take no memory.

PyTorch does most operations on that device by the decompositions that its compiler uses. Each of these loads
the compiler when it is first called, in order to keep it away from itself: a second, for nothing.
"""

import functools
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode


@contextmanager
def on_meta() -> Iterator[None]:
    """Modules that are made within have no contents, and nothing is spent on filling them."""
    with without_compiler(), torch.device("meta"), _Unfilled():
        yield


_FILLS = {
    *(getattr(Tensor, f"{name}_") for name in ("bernoulli", "exponential", "normal", "random", "uniform")),
    *(value for name, value in vars(nn.init).items() if name.endswith("_") and not name.startswith("_")),
}


class _Unfilled(TorchFunctionMode):
    """Leaves tensors without contents as they are, whatever is to fill them."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _FILLS:
            tensor = args[0] if args else kwargs["tensor"]
            if tensor.device.type == "meta":
                return tensor
        return func(*args, **(kwargs or {}))


@contextmanager
def without_compiler() -> Iterator[None]:
    """Operations on the meta device within do not load PyTorch's compiler; one that is there keeps away."""
    if "torch._dynamo" in sys.modules:
        yield
        return
    kept_away = _kept_away()
    for function in kept_away:
        function.__dynamo_disable = function
    try:
        yield
    finally:
        for function in kept_away:
            del function.__dynamo_disable


@functools.cache
def _kept_away() -> list[Any]:
    """The functions that PyTorch keeps its compiler away from.

    The wrapper around each of them looks there for what it shall call, and loads the compiler if there is
    nothing. All wrappers share their code, by which they are found.
    """
    code = torch._disable_dynamo(lambda: None).__code__
    wrappers = [user for user in gc.get_referrers(code) if isinstance(user, FunctionType)]
    place = code.co_freevars.index("fn")
    return [wrapper.__closure__[place].cell_contents for wrapper in wrappers if wrapper.__closure__]
