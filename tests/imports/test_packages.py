"""Every package says what it is for, and hands on names that are there and say what they are."""

import ast
import importlib
import inspect
import itertools
from pathlib import Path

import pytest

import anncestry
from anncestry.lazy import homes_of

ROOT = Path(anncestry.__file__).parent
PACKAGES = {
    ".".join(("anncestry", *path.parent.relative_to(ROOT).parts)): path
    for path in sorted(ROOT.rglob("__init__.py"))
}
OF_MODULES = {
    "anncestry.bench.parts",
    "anncestry.checkpoints.converters",
    "anncestry.checkpoints.converters.hugging_face",
    "anncestry.claims.common",
    "anncestry.claims.experiments",
    "anncestry.cli",
    "anncestry.data.readers",
    "anncestry.engine.native",
    "anncestry.timeline.branches",
    "anncestry.timeline.ledgers",
}
"""Packages that hand on nothing: shelves of modules of one kind, each imported by its own name."""


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_says_what_it_is_for(package):
    assert (importlib.import_module(package).__doc__ or "").strip()


@pytest.mark.parametrize("package", PACKAGES)
def test_names_that_are_handed_on_are_there_and_documented(package):
    module, homes = importlib.import_module(package), homes_of(PACKAGES[package].read_text(encoding="utf-8"))
    assert hasattr(module, "__all__") == (package not in OF_MODULES), "hands on no names (anncestry.lazy)"
    for name in getattr(module, "__all__", []):
        value = getattr(module, name)
        if inspect.isclass(value) or inspect.isroutine(value):
            own = value.__doc__ if inspect.isclass(value) else inspect.getdoc(value)
            # a dataclass without a docstring gets its signature for one
            assert own, name
            assert not own.startswith(f"{name}("), name
        elif not inspect.ismodule(value) and name != "__version__":
            assert name in said(homes.get(name, package)), name


@pytest.mark.parametrize("package", PACKAGES)
def test_names_for_type_checkers_are_those_that_are_handed_on(package):
    source = PACKAGES[package].read_text(encoding="utf-8")
    if "hand_on(__name__)" in source:
        assert {*homes_of(source)} == {*importlib.import_module(package).__all__} - {"__version__"}


@pytest.mark.parametrize("package", PACKAGES)
def test_no_name_is_that_of_a_module_of_the_package(package):
    """Importing the module would put it in the place of the name."""
    beside = {path.stem for path in PACKAGES[package].parent.glob("*.py")}
    names = getattr(importlib.import_module(package), "__all__", [])
    assert not beside & {
        name for name in names if not inspect.ismodule(getattr(importlib.import_module(package), name))
    }


def said(module: str) -> set[str]:
    """The constants of a module that a string below them explains."""
    body = ast.parse(inspect.getsource(importlib.import_module(module))).body
    return {
        ast.unparse(target)
        for node, below in itertools.pairwise(body)
        if isinstance(node, ast.Assign | ast.AnnAssign)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    }
