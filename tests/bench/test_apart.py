"""Contestants in processes of their own, by a row of a few units."""

import multiprocessing
import os

import pytest

from anncestry.bench import apart as module
from anncestry.bench.apart import apart, program_of


def test_programs_with_threads_of_their_own_are_known_by_name():
    assert program_of("CTranslate2 int8, 2 workers") == "CTranslate2"
    assert program_of("ONNX Runtime float32") == "ONNX Runtime"
    assert program_of("torch.nn.LSTM float32") == program_of("anncestry int8") == ""


@pytest.mark.slow
def test_each_program_runs_in_its_own_process(monkeypatch):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    started = []
    plain = module._process
    monkeypatch.setattr(module, "_process", lambda *given: started.append(given) or plain(*given))
    with apart("lstm-650", tiny=True) as contest:
        runs = {one.name: one.run for one in contest.contestants}
        left = {name: run() for name, run in runs.items()}
        outputs = {name: one() for name, one in left.items() if program_of(name)}
        ours = next(name for name in runs if name.startswith("anncestry"))
        runs[ours]()
        outputs[ours] = left[ours]()
    assert len(started) == 2
    first, *others = outputs.values()
    assert contest.agreement is not None
    assert others
    for other in others:
        assert contest.agreement.of(other, first) < 1e-5


def fall(connection, row, tiny):
    os._exit(3)


def test_a_process_that_cannot_set_up_is_told(monkeypatch):
    monkeypatch.setattr(module, "_serve", fall)
    monkeypatch.setattr(module.multiprocessing, "get_context", lambda kind: multiprocessing)
    with pytest.raises(RuntimeError, match="ended with 3"), apart("lstm-650", tiny=True):
        pass
