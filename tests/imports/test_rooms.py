"""The house as it stands: rooms on floors, imports that only run down, no circles, and a quick start."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from house import ARROWS, FLOORS, SHELLS, between, circles, graph, room

from anncestry.cli.main import COMMANDS

FOLDERS = sorted({name.rpartition(".")[0] for name in ARROWS if "." in name})


def test_every_room_has_a_floor():
    rooms = [room for floor in FLOORS for room in floor]
    assert sorted(rooms) == sorted({room(name) for name in ARROWS})


@pytest.mark.parametrize("name", sorted(ARROWS))
def test_imports_run_down(name):
    floor = next(place for place, rooms in enumerate(FLOORS) if room(name) in rooms)
    below = {room(name)}.union(*FLOORS[:floor]) - (SHELLS - {room(name), "cli"})
    wrong = {other for other in ARROWS[name] if room(other) not in below}
    assert not wrong, f"{name} may not import {sorted(wrong)}"


def test_there_is_no_circle_of_files():
    assert circles(ARROWS) == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_there_is_no_circle_in_a_folder(folder):
    assert circles(between(ARROWS, folder)) == []


def plant(root: Path, files: Mapping[str, str]) -> dict[str, set[str]]:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return graph(root)


def test_a_planted_circle_is_found(tmp_path):
    arrows = plant(tmp_path / "house", {
        "__init__.py": "from house.low import a",
        "low/a.py": "import torch\nfrom house.low import b",
        "low/b.py": "def late():\n    from ..high.c import name",
        "low/alone.py": "",
        "high/c.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from house.low.a import other",
        "high/d.py": "from house.high.c import name\nfrom house.low import alone",
    })  # fmt: skip
    assert circles(arrows) == ["house.high.c", "house.low.a", "house.low.b"]


def test_a_planted_circle_through_a_package_that_hands_on_names_is_found(tmp_path):
    arrows = plant(tmp_path / "house", {
        "__init__.py": "",
        "low/__init__.py": "if TYPE_CHECKING:\n from house.low.a import name\n from house.low.b import other",
        "low/a.py": "from house.low import other",
        "low/b.py": "",
        "high/c.py": "from house.low import name",
    })  # fmt: skip
    assert circles(arrows) == ["house.low", "house.low.a"]


def test_a_planted_circle_of_folders_is_found(tmp_path):
    arrows = plant(tmp_path / "house", {
        "room/one/a.py": "from house.room.two.b import x",
        "room/two/b.py": "",
        "room/two/c.py": "from house.room.one import d",
        "room/one/d.py": "",
    })  # fmt: skip
    assert circles(arrows) == []
    assert circles(between(arrows, "house.room")) == ["house.room.one", "house.room.two"]


QUICK = ["anncestry.timeline", *(name for name in ARROWS if room(name) == "cli")]


def test_the_command_line_starts_without_torch():
    """One process for all; it names the first module that brought torch in."""
    lines = ["import importlib, sys"]
    for name in QUICK:
        lines += [
            f"importlib.import_module({name!r})",
            f"if 'torch' in sys.modules: sys.exit('torch by {name}')",
        ]
    assert problems("\n".join(lines)) == ""


def problems(program: str) -> str:
    """What a program of its own writes to standard error."""
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False).stderr


PROGRAM = """
import sys
from anncestry.cli.main import main
for words in {commands}:
    assert main(words.split()) == 0, words
    if wrong := sorted(sys.modules.keys() & {modules}): sys.exit(f"{{words}}: {{wrong}}")
"""
HEAVY = {"torch", "numpy", "scipy", "sklearn", "matplotlib", "tokenizers", "transformers", "lightning_fabric"}
"""Each takes from a seventh of a second to more than one."""


def test_text_is_printed_without_torch():
    commands = ["list", "log bert", "show gpt2-small --ledger", *(f"{name} --help" for name in COMMANDS)]
    assert problems(PROGRAM.format(commands=commands, modules=HEAVY)) == ""


def test_tables_are_printed_without_the_compiler():
    """Nor with anything else that they do not use."""
    commands = ["show mlp", "show bert-base", "diff bert albert", "diff lstm gru"]
    modules = HEAVY - {"torch", "numpy"} | {"torch._dynamo", "torch._inductor"}
    assert problems(PROGRAM.format(commands=commands, modules=modules)) == ""


def test_training_begins_without_what_it_does_not_use(tmp_path):
    """Lightning Fabric is for several devices; the optimizers of PyTorch would load its compiler."""
    commands = [f"train mlp --data digits --max-steps 1 --out {tmp_path}/run"]
    modules = HEAVY - {"torch", "numpy"} | {"torch._dynamo", "torch._inductor"}
    assert problems(PROGRAM.format(commands=commands, modules=modules)) == ""
