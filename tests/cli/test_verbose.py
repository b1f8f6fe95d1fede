"""--verbose: what a command runs on; and a command where there is no compiler."""

import os
import subprocess
import sys

import pytest

import anncestry
from anncestry.cli.main import main
from anncestry.cli.verbose import COMMANDS, without_flag
from anncestry.engine.native.library import state


@pytest.mark.parametrize("command", COMMANDS)
def test_the_machine_is_described_before_anything_else(command, capsys):
    assert main([command, "--verbose", "--help"]) == 0
    assert "--verbose" in capsys.readouterr().out
    assert without_flag(command, ["a", "--verbose", "--data", "b"]) == ["a", "--data", "b"]
    told = capsys.readouterr().err
    assert " threads; torch " in told
    assert state() in told


def test_other_words_are_left_alone(capsys):
    assert without_flag("list", ["--verbose"]) == ["--verbose"]
    assert without_flag("predict", ["a", "--", "--verbose"]) == ["a", "--", "--verbose"]
    assert capsys.readouterr().err == ""


def test_without_a_compiler_a_command_works_and_says_what_is_missing(tmp_path):
    options = anncestry.DataOptions(max_chars=4000)
    run, _ = anncestry.train("gpt", "pydoc", out=tmp_path / "run", max_steps=1, data_options=options)
    hidden = {name: value for name, value in os.environ.items() if name not in ("CXX", "ANNCESTRY_NATIVE")}
    hidden |= {"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    words = [sys.executable, "-m", "anncestry", "predict", str(run.folder), "--verbose", "the"]
    done = subprocess.run(words, env=hidden, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "no native kernels: there is no C++ compiler" in done.stderr
    assert "the" in done.stdout
    assert not (tmp_path / "cache" / "anncestry" / "native").is_dir()
