"""The rooms of the package, their floors, and what imports what: for the tests and for the picture."""

import ast
from collections.abc import Iterable, Mapping
from pathlib import Path

import anncestry

ROOT = Path(anncestry.__file__).parent

FLOORS: tuple[frozenset[str], ...] = (
    frozenset({"arrays", "errors", "lazy", "protocols", "version"}),
    frozenset({"amounts", "files", "stored", "user_files"}),
    frozenset({"fields", "rules", "signature"}),
    frozenset({"engine", "formats", "timeline"}),
    frozenset({"decoding", "layers", "report", "tokenizers"}),
    frozenset({"data", "models", "objectives"}),
    frozenset({"checkpoints", "hf", "inference", "inspection"}),
    frozenset({"drawings", "runs"}),
    frozenset({"training"}),
    frozenset({"race"}),
    frozenset({"bench", "claims"}),
    frozenset({"cli"}),
    frozenset({"__init__", "__main__"}),
)
"""The rooms of the package from the ground up: each imports only rooms of lower floors. A room is a folder of
``anncestry``, or a module that lies beside them."""
SHELLS = {"cli", "hf", "__init__", "__main__"}
"""What nothing else imports, so that it can be left out (but that ``__main__`` starts the command line)."""


def modules(root: Path) -> dict[str, Path]:
    """Every module below a package's folder, by its dotted name."""
    found = {}
    for path in sorted(root.rglob("*.py")):
        parts = (root.name, *path.relative_to(root).with_suffix("").parts)
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imports(path: Path, name: str, known: Mapping[str, Path]) -> set[str]:
    """The known modules that a module imports: anywhere, also inside functions and for type checking alone.

    ``from a import b`` imports the module ``a.b`` where there is one, else ``a``.
    """
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: -(node.level - 1) or None] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{module}.{alias.name}"
                found.add(inner if inner in known else module)
    return {other for other in found if other in known and other != name}


def graph(root: Path) -> dict[str, set[str]]:
    """What each module of a package imports of it.

    A package that hands on names imports the modules that they live in, be it lazily: whoever imports a name
    through it waits for all of these, so it is no way around.
    """
    known = modules(root)
    return {name: imports(path, name, known) for name, path in known.items()}


def circles(arrows: Mapping[str, Iterable[str]]) -> list[str]:
    """The nodes that wait for each other: what is left when those that import nothing, or that
    nothing imports, have been taken away again and again."""
    left = {node: {other for other in others if other in arrows} for node, others in arrows.items()}
    while True:
        reached = {other for others in left.values() for other in others}
        ends = {node for node, others in left.items() if not others or node not in reached}
        if not ends:
            return sorted(left)
        left = {node: others - ends for node, others in left.items() if node not in ends}


def between(arrows: Mapping[str, Iterable[str]], folder: str) -> dict[str, set[str]]:
    """The arrows between what lies directly in a folder: its files and its inner folders, each as one."""
    inner = {
        name: ".".join(name.split(".")[: folder.count(".") + 2])
        for name in arrows
        if name.startswith(f"{folder}.")
    }
    found: dict[str, set[str]] = {part: set() for part in inner.values()}
    for name, part in inner.items():
        found[part] |= {inner[other] for other in arrows[name] if other in inner and inner[other] != part}
    return found


def room(name: str) -> str:
    """The room that a module is in."""
    return name.split(".")[1] if "." in name else "__init__"


ARROWS = graph(ROOT)
