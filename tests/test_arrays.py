"""Every axis of every annotation is in the legend, and a letter means one thing in a file."""

import ast
import re
from pathlib import Path

import pytest

import anncestry.arrays
from anncestry.arrays import AXES

SOURCE = Path(anncestry.arrays.__file__).parent
KINDS = ("Float", "Int", "Bool", "Shaped")
AXIS = re.compile(r"[*#]*(?:(?P<letter>[A-Za-z])\d?|(?P<other>\d+|_|\.\.\.|)|(?P<word>[a-z]{3,}))")


def annotations(tree: ast.AST) -> list[str]:
    """The shapes of ``Float[Tensor, "B T D"]`` and its like."""
    found = [
        node.slice.elts[-1]
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript)
        and getattr(node.value, "id", None) in KINDS
        and isinstance(node.slice, ast.Tuple)
    ]
    return [part.value for part in found if isinstance(part, ast.Constant)]


def mistakes(source: str) -> list[str]:
    """What the legend does not allow in a file."""
    shapes, found = annotations(ast.parse(source)), []
    for shape in shapes:
        for axis in shape.split():
            match = AXIS.fullmatch(axis)
            if match is None or (match["letter"] and match["letter"] not in AXES):
                found.append(f"{axis} of {shape!r} is not in the legend")
    images = [set(shape.split()) for shape in shapes]
    heights = {("W" in axes or "W2" in axes) for axes in images if axes & {"H", "H2"}}
    if len(heights) > 1:
        found.append("H is both the height of an image and hidden units")
    return found


def test_every_axis_is_in_the_legend():
    found = {str(path): mistakes(path.read_text(encoding="utf-8")) for path in SOURCE.rglob("*.py")}
    assert len(found) > 100
    assert not {path: wrong for path, wrong in found.items() if wrong}


def test_the_legend_is_what_the_head_of_the_file_says():
    table = re.split(r"^====.*$", anncestry.arrays.__doc__ or "", flags=re.MULTILINE)[1]
    letters = [
        cell for line in table.splitlines() for cell in re.findall(r"(?:^|\s{2,})([A-Za-z])\s{4,}", line)
    ]
    assert sorted(letters) == sorted(AXES)


@pytest.mark.parametrize(
    ("shape", "message"),
    [("B Q", "Q of 'B Q' is not in the legend"), ("B T/d", "T/d of 'B T/d' is not in the legend")],
)
def test_another_letter_is_named(shape, message):
    assert mistakes(f'def f(x: Float[Tensor, "{shape}"]): ...') == [message]


def test_two_meanings_in_one_file_are_named():
    text = 'def f(x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B H"]: ...'
    assert mistakes(text) == ["H is both the height of an image and hidden units"]
