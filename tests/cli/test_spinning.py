"""The command begins again, once, with what libgomp reads."""

import os
import sys

import pytest

from anncestry.cli import main, spinning


@pytest.fixture
def begun(monkeypatch):
    """The processes that took the place of this one."""
    found = []
    monkeypatch.setattr(os, "execve", lambda *given: found.append(given))
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", spinning.SWITCH):
        monkeypatch.delenv(name, raising=False)
    return found


@pytest.mark.parametrize(
    "words",
    [["python", "-m", "anncestry", "list"], ["python", "/usr/bin/anncestry", "list", "--task", "x y"]],
)
def test_the_same_command_begins_again(begun, monkeypatch, words):
    monkeypatch.setattr(sys, "orig_argv", words)
    monkeypatch.setenv(spinning.SWITCH, "1")
    spinning.begin_again_spinning()
    ((program, arguments, environment),) = begun
    assert program == sys.executable
    assert arguments == [sys.executable, *words[1:]]
    assert environment["OMP_WAIT_POLICY"] == "ACTIVE"
    assert environment[spinning.SWITCH] == "1"


def test_what_began_again_goes_on(begun, monkeypatch):
    monkeypatch.setenv(spinning.SWITCH, "1")
    for name, value in spinning.WAITING.items():
        monkeypatch.setenv(name, value)
    spinning.begin_again_spinning()
    assert not begun


@pytest.mark.parametrize("value", [None, "", "0"])
def test_nothing_happens_unless_asked_for(begun, monkeypatch, value):
    if value is not None:
        monkeypatch.setenv(spinning.SWITCH, value)
    spinning.begin_again_spinning()
    assert not begun


def test_another_value_is_refused(begun, monkeypatch, capsys):
    monkeypatch.setenv(spinning.SWITCH, "yes")
    with pytest.raises(SystemExit) as stopped:
        main.entry()
    assert stopped.value.code == 2
    assert "ANNCESTRY_SPINNING" in capsys.readouterr().err
