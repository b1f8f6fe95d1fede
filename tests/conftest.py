"""Shared by all tests: shape checking on request, real data where it is, one thread per worker."""

import ast
import functools
import inspect
import os
import sys
import types
import typing
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path

import pytest
import torch

SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--shapes", action="store_true", help="check every annotated tensor shape at run time")


def pytest_configure(config: pytest.Config) -> None:
    # On tensors of a few numbers a second thread only waits for the first, on a busy machine for long.
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that tests start
    config.addinivalue_line(
        "markers", "wrong_shapes: meets our own errors about shapes; --shapes checks none"
    )
    if config.getoption("--shapes"):
        sys.meta_path.insert(0, ShapeCheckedFinder())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests begin first, so that no process waits at the end for one that another has just begun."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(autouse=True)
def _own_random_state():
    """No test sees the random numbers of another."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data sets beside the checkout."""
    if not (SHARED / "data").is_dir():
        pytest.skip("needs the real data sets in ../shared/data")
    return SHARED / "data"


# ---- pytest --shapes ------------------------------------------------------------------------------------

KINDS = ("Float", "Int", "Bool", "Shaped")  # of `anncestry.arrays`
CHECKED_CALLS = 4
"""Calls of a function that are checked in one test: a loop over time would repeat the same check for ever."""

_number_of_test, _checked_calls = 0, CHECKED_CALLS


def pytest_runtest_setup(item: pytest.Item) -> None:
    global _number_of_test, _checked_calls
    _number_of_test += 1
    _checked_calls = 0 if item.get_closest_marker("wrong_shapes") else CHECKED_CALLS


class ShapeCheckedFinder(PathFinder):
    """Imports the package's modules so that functions whose tensors have annotated shapes check them."""

    @classmethod
    def find_spec(cls, fullname, path=None, target=None) -> ModuleSpec | None:
        spec = super().find_spec(fullname, path, target) if fullname.startswith("anncestry.") else None
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = ShapeCheckedLoader(spec.loader.name, spec.loader.path)
        return spec


class ShapeCheckedLoader(SourceFileLoader):
    def get_code(self, fullname):
        source = self.get_data(self.path)
        if b"anncestry.arrays" not in source:
            return super().get_code(fullname)
        tree = Decorating().visit(ast.parse(source))  # never cached: it is not what the file says
        return compile(ast.fix_missing_locations(tree), self.path, "exec")

    def exec_module(self, module) -> None:
        vars(module)["_shape_checked"] = shape_checked
        super().exec_module(module)


class Decorating(ast.NodeTransformer):
    """Puts the check next to each function with an annotated shape, below its other decorators."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        arguments = (*node.args.posonlyargs, *node.args.args, node.args.vararg, *node.args.kwonlyargs)
        annotations = [node.returns, *(argument.annotation for argument in arguments if argument)]
        names = {part.id for hint in annotations if hint for part in ast.walk(hint) if hasattr(part, "id")}
        if names & set(KINDS):
            decorator = ast.Name("_shape_checked", ast.Load())
            node.decorator_list.append(ast.copy_location(decorator, node.body[0]))
        return node


def fits(value, hint) -> bool:
    """Whether a value is of the annotated shape; what an annotation says of other things than tensors counts
    only where it is one of several choices."""
    kind, parts = typing.get_origin(hint), typing.get_args(hint)
    if kind in (typing.Union, types.UnionType):
        return any(fits(value, part) for part in parts)
    if kind is tuple:
        parts = parts[:1] * len(value) if parts[-1] is ... else parts
        return len(parts) == len(value) and all(map(fits, value, parts))
    return (
        isinstance(value, hint)
        if kind is None and isinstance(hint, type) and hint is not typing.Any
        else True
    )


def shape_checked(function):
    """``function``, whose first calls in each test fail with a `TypeError` where a tensor is not of its
    annotated shape and kind; one letter has one size within a call."""
    from jaxtyping import jaxtyped

    hints = {name: hint for name, hint in function.__annotations__.items() if "Tensor" in repr(hint)}
    signature = inspect.signature(function)
    several = {p.name for p in signature.parameters.values() if p.kind is p.VAR_POSITIONAL}

    def check(name, value, shapes) -> None:
        for part in value if name in several else (value,):
            if not fits(part, hints[name]):
                shape = (part.dtype, tuple(part.shape)) if isinstance(part, torch.Tensor) else part
                raise TypeError(
                    f"{function.__qualname__}: {name} is {shape}, not {hints[name]}, beside {shapes}"
                )

    @jaxtyped(typechecker=None)
    def checked(*arguments, **named):
        values = signature.bind(*arguments, **named).arguments
        shapes = {name: tuple(v.shape) for name, v in values.items() if isinstance(v, torch.Tensor)}
        for name in (name for name in values if name in hints):
            check(name, values[name], shapes)
        result = function(*arguments, **named)
        if "return" in hints:
            check("return", result, shapes)
        return result

    test, calls = -1, 0

    @functools.wraps(function)
    def until_seen(*arguments, **named):
        nonlocal test, calls
        if torch.compiler.is_compiling():
            return function(*arguments, **named)
        if test != _number_of_test:
            test, calls = _number_of_test, 0
        calls += 1
        return (checked if calls <= _checked_calls else function)(*arguments, **named)

    return until_seen
