"""The kernels are compiled once, loaded from the cache, and missed by nobody."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from anncestry.engine.native import library
from anncestry.engine.native.library import Missing, load

SHOW = """
import torch
from anncestry.engine.native.add_norm import add_norm
from anncestry.engine.native.library import state
torch.set_grad_enabled(False)
x = torch.arange(8.0)
print(add_norm(x, x, torch.ones(8), torch.zeros(8), 1e-5)[0].item())
print(state())
"""


def run(folder, **environment) -> tuple[list[str], str]:
    """What a process prints that uses a kernel, with its own cache."""
    there = {**os.environ, "XDG_CACHE_HOME": str(folder), **environment}
    found = subprocess.run([sys.executable, "-c", SHOW], env=there, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    return found.stdout.splitlines(), found.stderr


def test_without_a_compiler_the_plain_twin_runs(tmp_path):
    if not library.available_sets():
        pytest.skip("this processor has no AVX2")
    (number, words), said = run(tmp_path, PATH=str(tmp_path), CXX="")
    assert float(number) == pytest.approx(-1.5275, abs=1e-4)
    assert words == "no native kernels: there is no C++ compiler"
    assert said == ""


def test_the_switch_turns_them_off(tmp_path):
    (number, words), said = run(tmp_path, ANNCESTRY_NATIVE="0")
    assert float(number) == pytest.approx(-1.5275, abs=1e-4)
    assert (words, said) == ("no native kernels: ANNCESTRY_NATIVE is 0", "")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    if not library.available_sets() or library._compiler() is None:
        pytest.skip("needs a compiler, and a processor with AVX2")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    library.forget()
    yield tmp_path / "anncestry" / "native"
    monkeypatch.undo()
    library.forget()


def test_they_are_compiled_once_and_a_line_says_so(own_cache, capsys):
    name = library.available_sets()[0]
    load(name)
    assert "compiling the native kernels" in capsys.readouterr().err
    (kept,) = own_cache.iterdir()
    load.cache_clear()
    load(name)
    assert capsys.readouterr().err == ""
    assert list(own_cache.iterdir()) == [kept]


def test_what_cannot_be_compiled_is_tried_once(own_cache, monkeypatch, capsys):
    name = library.available_sets()[0]
    monkeypatch.setitem(library.FLAGS, name, ["-mno-such-thing"])
    with pytest.raises(Missing, match="could not be compiled"):
        load(name)
    capsys.readouterr()
    (failed,) = own_cache.iterdir()
    assert "no-such-thing" in failed.read_text()
    with pytest.raises(Missing, match="remove it to try again"):
        load(name)
    assert capsys.readouterr().err == ""


def test_a_damaged_library_is_not_loaded(own_cache):
    name = library.available_sets()[0]
    own_cache.mkdir(parents=True)
    (own_cache / f"{name}-{library._digest(name)}.so").write_bytes(b"no library")
    with pytest.raises(Missing, match="cannot be loaded"):
        load(name)


def test_a_cache_that_cannot_be_written(tmp_path, monkeypatch):
    if library._compiler() is None:
        pytest.skip("needs a compiler")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    load.cache_clear()
    with pytest.raises(Missing, match="cannot be written"):
        load("avx2")
    load.cache_clear()


def test_workers_side_by_side_compile_once(tmp_path, monkeypatch):
    compiled = []

    def slowly(instructions, kept):
        time.sleep(0.05)
        compiled.append(instructions)
        kept.touch()

    monkeypatch.setattr(library, "_folder", lambda: tmp_path)
    monkeypatch.setattr(library, "_compile", slowly)
    monkeypatch.setattr(library.ctypes, "CDLL", lambda name: name)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(load.__wrapped__, ["avx2"] * 4))
    assert compiled == ["avx2"]
