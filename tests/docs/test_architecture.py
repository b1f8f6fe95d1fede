"""docs/architecture.md shows the rooms as they are, and points at what is there."""

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "imports"))

from draw_rooms import DOCUMENT, PICTURE, ROOMS, picture, place_of, tree, with_tree  # noqa: E402

TEXT = DOCUMENT.read_text(encoding="utf-8")
AGAIN = "run python tests/imports/draw_rooms.py"


def test_the_tree_names_exactly_the_rooms_that_exist():
    assert with_tree(TEXT) == TEXT, AGAIN
    named = re.findall(r"^(\w+)(?:/|\.py) ", tree(), re.MULTILINE)
    assert named[: len(ROOMS)] == ROOMS[::-1]
    package = place_of("cli").parent
    there = {
        path.stem for path in package.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert set(named) == there - {"__init__", "__main__"}


def test_the_picture_is_what_is_drawn():
    assert PICTURE.read_text(encoding="utf-8") == picture(), AGAIN
    assert picture() == picture()


def names(path: Path) -> set[str]:
    """What a file defines: functions, classes with their methods, constants."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
            if isinstance(node, ast.ClassDef):
                found |= {
                    f"{node.name}.{part.name}" for part in node.body if isinstance(part, ast.FunctionDef)
                }
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {ast.unparse(target) for target in targets}
    return found


@pytest.mark.parametrize(("name", "target"), re.findall(r"\[`([\w.]+)`\]\(\.\./([\w/]+\.py)\)", TEXT))
def test_what_is_pointed_at_is_there(name, target):
    assert name in names(ROOT / target), f"{target} has no {name}"


def test_each_of_ten_questions_is_answered():
    assert len(re.findall(r"^\| [^|]+\? \| [^|]+ \|$", TEXT, re.MULTILINE)) == 10
