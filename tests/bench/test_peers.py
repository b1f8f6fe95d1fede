"""Who can run here, and what is said of who cannot."""

import pytest

from anncestry.bench import peers
from anncestry.bench.peers import look_around


@pytest.fixture
def processor(monkeypatch):
    """Sets what the processor can do."""

    def can(bfloat16: bool, int8: bool) -> None:
        monkeypatch.setattr(peers, "bfloat16_is_faster", lambda: bfloat16)
        monkeypatch.setattr(peers, "int8_kind", lambda: "onednn" if int8 else None)

    return can


def test_a_processor_with_everything(processor):
    processor(True, True)
    assert look_around("json") == ({"json"}, ("32", "bf16", "int8"), [])


def test_what_the_processor_lacks_is_unmeasured(processor):
    processor(False, False)
    around = look_around()
    assert around.precisions == ("32",)
    first, second = around.unmeasured
    assert first == "bfloat16: unmeasured here: bfloat16 is slower than float32 on this processor."
    assert second.startswith("int8: unmeasured here: ")


def test_only_precisions_that_are_asked_for_are_missed(processor):
    processor(False, False)
    assert look_around(precisions=("32",)).unmeasured == []


def test_a_missing_peer_is_a_line(processor, monkeypatch):
    processor(True, True)
    monkeypatch.setattr(peers, "is_installed", lambda module: module != "ctranslate2")
    around = look_around("ctranslate2", "onnxruntime")
    assert around.there == {"onnxruntime"}
    assert around.unmeasured == ["CTranslate2 is not installed, so it was not run."]


def test_looking_imports_nothing():
    assert peers.is_installed("json")
    assert not peers.is_installed("no_such_module_here")
