"""Folders import one way, and what must be quick to start loads no torch."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import anncestry

ROOT = Path(anncestry.__file__).parent

BASE = {
    "amounts",
    "errors",
    "fields",
    "files",
    "arrays",
    "protocols",
    "rules",
    "signature",
    "stored",
    "timeline",
    "wire",
}
PARTS = {"objectives", "decoding", "data"}  # they meet models as tensors and protocols
MODELS = BASE | {"layers", "models"}
JOINED = MODELS | PARTS | {"engine", "checkpoints", "lineage", "inspection"}
MAY_IMPORT = {
    "engine": BASE,
    "layers": BASE | {"engine"},  # a loop over time prepares its weights
    "models": BASE | {"layers"},
    "objectives": BASE | {"engine"},  # scoring runs a model
    "decoding": BASE,
    "data": BASE,
    "report": BASE,  # it renders plain data
    "lineage": MODELS,
    "inspection": MODELS | {"objectives"},  # a check of learning needs a loss
    "checkpoints": MODELS,
    "encoding": JOINED,
    "generation": JOINED,
    "runs": JOINED | {"generation", "encoding"},
    "foreign_runs": JOINED | {"runs"},
    "onnx_export": JOINED,
    "hf": JOINED,
    "exports": JOINED | {"runs", "onnx_export"},
    "training": JOINED | {"encoding", "generation", "runs"},
    "studies": JOINED | {"encoding", "generation", "runs", "training", "report"},
    "explorer": JOINED | {"encoding", "generation", "runs", "training", "report", "studies"},
    "cli": JOINED
    | {
        "encoding",
        "exports",
        "foreign_runs",
        "generation",
        "runs",
        "training",
        "report",
        "studies",
        "explorer",
    },
    "__main__": {"cli"},
    **dict.fromkeys(BASE, BASE),
}
MODULES = sorted(path.relative_to(ROOT).with_suffix("") for path in ROOT.rglob("*.py"))


def part_of(dotted: str) -> str | None:
    """The folder or base module that ``anncestry.x.y`` belongs to; None for the package itself and others."""
    package, _, rest = dotted.partition(".")
    return rest.partition(".")[0] or None if package == "anncestry" else None


def imports(source: str, package: str) -> set[str]:
    """Our modules that a file imports anywhere, also inside functions; not those for type checking only.

    Args:
        package: of the file, dotted; what relative imports are relative to.
    """
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            for child in node.orelse:
                visit(child)
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: -(node.level - 1) or None] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            # `from anncestry import timeline` names a part in the list, `from anncestry.x import y` before it
            found.update(
                {f"{module}.{alias.name}" for alias in node.names} if module == "anncestry" else {module}
            )
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(source))
    return {name for name in found if name.partition(".")[0] == "anncestry"}


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_imports_go_one_way(module):
    part = module.parts[0]
    if part == "__init__":
        return  # it gives names by text, when they are first used
    package = ".".join(("anncestry", *module.parts[:-1]))
    found = imports((ROOT / module.with_suffix(".py")).read_text(encoding="utf-8"), package)
    parts = {part_of(name) for name in found} - {None, "__version__"}
    assert part in MAY_IMPORT, f"{part} has no place in the order of folders yet"
    wrong = parts - MAY_IMPORT[part] - {part}
    assert not wrong, (
        f"{part} may not import {sorted(wrong)}: {sorted(n for n in found if part_of(n) in wrong)}"
    )


def test_the_reader_of_imports():
    source = """
import anncestry.cli.main
from anncestry import timeline, __version__
from .subject import Subject
from ..errors import UserError
import torch
if TYPE_CHECKING:
    from anncestry.studies import race
else:
    import anncestry.runs
def f():
    from anncestry.data import load_data
"""
    assert imports(source, "anncestry.inspection") == {
        "anncestry.cli.main", "anncestry.timeline", "anncestry.__version__", "anncestry.inspection.subject",
        "anncestry.errors", "anncestry.runs", "anncestry.data",
    }  # fmt: skip


def test_the_order_has_no_cycle():
    done: set[str] = set()
    waiting = {part: allowed - BASE for part, allowed in MAY_IMPORT.items()}
    while waiting:
        ready = {part for part, allowed in waiting.items() if allowed <= done}
        assert ready, f"these wait for each other: {sorted(waiting)}"
        done |= ready
        waiting = {part: allowed for part, allowed in waiting.items() if part not in ready}


QUICK = [
    "anncestry",
    "anncestry.timeline",
    *(
        f"anncestry.cli.{path.stem}"
        for path in sorted((ROOT / "cli").glob("*.py"))
        if path.stem != "__init__"
    ),
]


def test_the_command_line_starts_without_torch():
    """One process for all; it names the first module that brought torch in."""
    lines = ["import importlib, sys"]
    for name in QUICK:
        lines += [
            f"importlib.import_module({name!r})",
            f"if 'torch' in sys.modules: sys.exit('torch by {name}')",
        ]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
