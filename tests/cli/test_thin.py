"""The command line is thin: a command parses, calls one thing and prints what it gives."""

import ast
from pathlib import Path

import pytest

import anncestry.cli

MOST = 200  # lines
FILES = sorted(Path(anncestry.cli.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_is_short_and_computes_with_no_tensors(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST
    nodes = list(ast.walk(ast.parse(text)))
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    assert "torch" not in {name.partition(".")[0] for name in imported}
