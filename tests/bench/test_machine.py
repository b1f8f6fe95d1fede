"""What is said of the machine."""

import pytest

from anncestry.bench import machine
from anncestry.version import __version__


def test_all_that_a_figure_belongs_to_is_named():
    found = machine.machine()
    assert f"anncestry {__version__}" in found["versions"]
    assert "torch 2" in found["versions"]
    assert found["threads"] == "1"
    assert "GFLOP/s in float32" in found["matrix products"]
    assert all(found.values())


def test_processor_and_instruction_sets_are_read(tmp_path, monkeypatch):
    path = tmp_path / "cpuinfo"
    path.write_text("processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: fpu avx2 avx512f avx512_vnni\n\n")
    monkeypatch.setattr(machine, "CPUINFO", path)
    assert machine.processor() == "Some CPU"
    assert machine.instruction_sets() == ["avx2", "avx512f", "avx512_vnni"]


def test_without_a_description_there_is_a_name_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "CPUINFO", tmp_path / "none")
    assert machine.processor()
    assert machine.instruction_sets() == []


@pytest.mark.parametrize("name", ["ctranslate2", "onnxruntime"])
def test_a_peer_that_is_missing_is_left_out(monkeypatch, name):
    whole = machine.version

    def version(package):
        if package == name:
            raise machine.PackageNotFoundError
        return whole(package)

    monkeypatch.setattr(machine, "version", version)
    assert name not in machine.versions()
