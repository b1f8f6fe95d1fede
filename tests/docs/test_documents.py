"""The documents say what the code does."""

import re
import shlex
from pathlib import Path

import pytest

from anncestry.cli.main import COMMANDS
from anncestry.timeline import TIMELINE

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_timeline_table_is_the_timeline():
    rows = re.findall(r"^\| (\d{4}) \| `([a-z0-9-]+)` \| ([^|]*) \| ([^|]*) \|$", README, re.MULTILINE)
    wanted = [(str(a.year), a.id, ", ".join(a.parents), a.adds) for a in TIMELINE]
    assert [tuple(cell.strip() for cell in row) for row in rows] == wanted


def test_every_command_is_shown():
    for word in COMMANDS:
        assert f"anncestry {word}" in README


def test_every_command_that_a_page_names_is_there():
    for name in ("CONTRIBUTING.md", "docs/architecture.md", "docs/adding_an_architecture.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        for word in re.findall(r"`anncestry ([a-z]+)\b", text):
            assert word in COMMANDS, f"{name}: anncestry {word}"


def test_every_link_leads_somewhere():
    for path in [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]:
        for target in re.findall(r"\]\((?!http)([^)#]+)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_files_that_are_named_for_contributors_are_there():
    for name in ("CONTRIBUTING.md", "docs/architecture.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        for path in re.findall(r"`(?:python )?((?:src|tests|docs|benchmarks)/[a-z_/.]+)`", text):
            if path.removesuffix(".py").rpartition("/")[2] not in ("b", "test_b"):  # of an example
                assert (ROOT / path).exists(), f"{name}: {path}"


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_the_python_of_the_readme_runs(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "README.md", "exec"), {})


def test_the_commands_of_the_readme_are_understood(monkeypatch, capsys):
    """Every `anncestry ...` line parses; what it would do is not done."""
    import importlib

    import tyro

    from anncestry.cli.verbose import without_flag

    lines = [
        line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines()
    ]
    commands = [shlex.split(line, comments=True) for line in lines if line.startswith("anncestry ")]
    assert len(commands) >= len(COMMANDS)
    for _, word, *words in commands:
        module = importlib.import_module(f"anncestry.cli.{word}")
        tyro.cli(module.Arguments, args=without_flag(word, words))
