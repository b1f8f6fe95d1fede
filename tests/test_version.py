"""There is one version number, and everything that says one reads it."""

import re
import tomllib
from pathlib import Path

import anncestry
from anncestry.version import __version__

ROOT = Path(__file__).resolve().parents[1]


def test_the_package_says_it():
    assert anncestry.__version__ == __version__
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)


def test_the_newest_entry_of_the_changelog_has_it():
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == __version__


def test_the_build_reads_it():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" not in project["project"]
    assert project["project"]["dynamic"] == ["version"]
    source = ROOT / project["tool"]["hatch"]["version"]["path"]
    assert re.findall(r'^__version__ = "(.*)"$', source.read_text(encoding="utf-8"), re.MULTILINE) == [
        __version__
    ]
