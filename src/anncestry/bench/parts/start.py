"""How soon the command line answers: whole processes, from the start of Python to the exit.

What needs torch is a multiple of the time of ``import torch`` alone, and what needs none stands in seconds.
"""

import itertools
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from anncestry.bench.contest import Contest, Contestant

NEEDS: tuple[str, ...] = ()
TORCH, NOTHING = "python -c 'import torch'", "python -c pass"
TEXT = ("--help", "list", "log bert", "compare --help", "show bert --ledger")  # need no torch
NETS = ("show mlp", "show bert-base", "diff bert albert")
FIRST_STEP = "train mlp --data digits --max-steps 1"


@contextmanager
def commands(tiny: bool = False) -> Iterator[Contest]:
    """The commands that only tell, those that build nets, and a run of one step."""
    with tempfile.TemporaryDirectory() as made:
        found = [
            Contestant(NOTHING, process("-c", "pass"), ""),
            Contestant(TORCH, process("-c", "import torch"), ""),
        ]
        found += [told(words, NOTHING) for words in TEXT[: 2 if tiny else None]]
        if not tiny:
            found += [told(words, TORCH) for words in NETS]
            found.append(Contestant(f"anncestry {FIRST_STEP}", training(Path(made)), "", True, TORCH))
        yield Contest(found, note="Files of the system's cache are warm.")


CONTESTS = {"start-up": commands}


def told(words: str, against: str) -> Contestant:
    """A command of ours."""
    run = process("-m", "anncestry", *words.split())
    return Contestant(f"anncestry {words}", run, "", True, against)


def training(folder: Path) -> Callable[[], object]:
    """A run of one step, each in a folder of its own."""
    words = ("-m", "anncestry", *FIRST_STEP.split(), "--out")
    numbers = itertools.count()
    return lambda: process(*words, str(folder / f"run-{next(numbers)}"))()


def process(*words: str) -> Callable[[], object]:
    """A Python of its own that does that."""
    return lambda: subprocess.run([sys.executable, *words], capture_output=True, check=True)
