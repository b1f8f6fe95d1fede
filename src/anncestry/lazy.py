"""Packages that hand on the names of their modules, each imported when it is first used (PEP 562).

    if TYPE_CHECKING:
        from anncestry.inspection.traces import Trace, traces

    __all__ = ["Trace", "traces"]
    __getattr__, __dir__ = hand_on(__name__)

The imports under ``TYPE_CHECKING`` are the one place that says where a name lives: type checkers and editors
read them as they stand, and `hand_on` reads them in the package's source when a name is first asked for (as
SPEC 1 of Scientific Python does with stub files). So ``import anncestry`` loads no torch, and a package is no
knot in the graph of imports: none of its modules is imported because another one is.

A package hands on no name that one of its own modules bears (``training.train``, ``inspection.costs``):
Python would put the module in its place as soon as it is imported. Those are imported from their module, and
those that every user needs are handed on by ``anncestry``.
"""

import ast
import importlib
import sys
from collections.abc import Callable
from functools import cache
from typing import Any


def hand_on(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The ``__getattr__`` and ``__dir__`` of a package that hands on names lazily.

    Args:
        package: its dotted name; its ``__init__`` imports under ``if TYPE_CHECKING:`` what it hands on.
    """
    module = sys.modules[package]

    def __getattr__(name: str) -> Any:
        if name not in module.__all__:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home = _homes(package)[name]
        if home == package:
            return importlib.import_module(f"{package}.{name}")
        value = getattr(importlib.import_module(home), name)
        setattr(module, name, value)  # found at once from now on
        return value

    def __dir__() -> list[str]:
        return sorted(module.__all__)

    return __getattr__, __dir__


@cache
def _homes(package: str) -> dict[str, str]:
    loader: Any = sys.modules[package].__loader__
    return homes_of(loader.get_source(package))


def homes_of(source: str) -> dict[str, str]:
    """The module that each name is imported from for type checking, in the source of a package."""
    blocks = [
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    return {
        alias.name: node.module or ""
        for block in blocks
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
