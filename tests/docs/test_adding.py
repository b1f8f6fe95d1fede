"""docs/adding_an_architecture.md is followed to the letter, in a copy of the tree."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "adding_an_architecture.md"
NEEDED = (
    "src/anncestry",
    "tests/contract",
    "tests/golden",
    "tests/timeline",
    "tests/conftest.py",
    "pyproject.toml",
)
BLOCK = re.compile(
    r"(?:^\*\*`(?P<path>[^`]+)`\*\* \((?P<how>new|change)\)\n\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```",
    re.M | re.S,
)

FOLLOW = """
import json, os, re, shlex, sys
import pytest
from anncestry.cli.main import main

for kind, text in json.load(sys.stdin):
    if kind == "python":
        exec(compile(text, "adding_an_architecture.md", "exec"), {})
        continue
    for line in text.splitlines():
        words = shlex.split(line)
        while "=" in words[0]:
            name, _, value = words.pop(0).partition("=")
            os.environ[name] = value
        print("$", line, flush=True)
        if words[0] == "anncestry":
            code = main(words[1:])
        else:
            assert words[:3] == ["python", "-m", "pytest"], line
            quiet = ["-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
            code = pytest.main([*words[3:], *quiet])
        if code:
            sys.exit(f"{line}: exit {int(code)}")
"""
"""One process for all commands of the document: each would start Python and load torch again."""


def changed(text: str, difference: str) -> str:
    """A text after a change: its lines are those that are kept and taken away, which stand there once."""
    lines = difference.splitlines(keepends=True)
    before = "".join(line[1:] for line in lines if line[0] in " -")
    after = "".join(line[1:] for line in lines if line[0] in " +")
    assert text.count(before) == 1, f"the change does not fit:\n{difference}"
    return text.replace(before, after)


@pytest.mark.slow
def test_a_stranger_adds_an_architecture(tmp_path):
    for name in NEEDED:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy2)(ROOT / name, tmp_path / name)
    commands = []
    for block in BLOCK.finditer(DOCUMENT.read_text(encoding="utf-8")):
        path = block["path"] and tmp_path / block["path"]
        if not path:
            commands.append((block["kind"], block["text"]))
        elif block["how"] == "new":
            assert not path.exists(), f"{path.name} is there already"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block["text"], encoding="utf-8")
        else:
            path.write_text(changed(path.read_text(encoding="utf-8"), block["text"]), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", FOLLOW], input=json.dumps(commands), capture_output=True, text=True,
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path / "src")}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert re.search(r"^2016  ugrnn .*one gate between", done.stdout, re.MULTILINE)
    assert len(re.findall(r"^-?\d+\.\d\d \(\d+, ", done.stdout, re.MULTILINE)) == 2  # of the beam search
    passed = [int(count) for count in re.findall(r"^(\d+) passed", done.stdout, re.MULTILINE)]
    assert passed[0] > 20  # its own, those of the ledger and the contract
    golden = (tmp_path / "tests/golden/parameters.txt").read_text(encoding="utf-8")
    assert "wiring.layers.0.cell.weight_hh float32 16x8" in golden.partition("\nugrnn (")[2]
    assert "ugrnn" not in (ROOT / "tests/golden/parameters.txt").read_text(encoding="utf-8")
    for path in ("src/anncestry/layers/recurrent/ugrnn.py", "src/anncestry/timeline/branches/cells.py"):
        assert path in DOCUMENT.read_text(encoding="utf-8").partition("## 1.")[0]  # the table of files


@pytest.mark.parametrize("wrong", ["+a\n b\n c\n", " a\n-c\n"])
def test_a_change_that_does_not_fit_is_found(wrong):
    assert changed("a\nb\n", " a\n+x\n-b\n") == "a\nx\n"
    with pytest.raises(AssertionError, match="does not fit"):
        changed("a\nb\n", wrong)
