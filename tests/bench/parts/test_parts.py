"""Every row is set up at a size of a few units, and all contestants do the same work."""

import importlib
import itertools
import warnings

import pytest

from anncestry.bench.catalogue import ROWS
from anncestry.bench.parts import encode, growth, translate
from anncestry.bench.peers import SHOWN, is_installed
from anncestry.bench.timing import Meter

CONTESTED = [row for row in ROWS if row.part not in ("growth", "start")]
ALIKE = {"encode": 0.999, "generate": 0.9, "translate": 0.9}  # at least
APART = {"images": 0.02, "recurrent": 0.02}  # at most


@pytest.mark.parametrize("row", CONTESTED, ids=lambda row: row.id)
def test_all_contestants_do_the_same(row):
    module = importlib.import_module(f"anncestry.bench.parts.{row.part}")
    for peer in (*module.NEEDS, *getattr(module, "PEERS", ())):
        if not is_installed(peer):
            pytest.skip(f"needs {peer}, a peer (pip install 'anncestry[bench]')")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the peers
        with module.CONTESTS[row.id](tiny=True) as contest:
            outputs = [one.run() for one in contest.contestants]
    names = [one.name for one in contest.contestants]
    assert len(set(names)) == len(names)
    assert not contest.contestants[0].ours
    assert any(one.ours for one in contest.contestants)
    assert all(one.against in ("", *names) for one in contest.contestants)
    if contest.agreement is not None:
        figures = [contest.agreement.of(output, outputs[0]) for output in outputs]
        assert min(figures) >= ALIKE.get(row.part, 0)
        assert max(figures) <= APART.get(row.part, 1.001)


@pytest.mark.parametrize("row", CONTESTED, ids=lambda row: row.id)
def test_precisions_that_the_processor_lacks_do_not_run(row, monkeypatch):
    module = importlib.import_module(f"anncestry.bench.parts.{row.part}")
    if any(not is_installed(peer) for peer in module.NEEDS):
        pytest.skip(f"needs {module.NEEDS}")
    from anncestry.bench import peers

    monkeypatch.setattr(peers, "bfloat16_is_faster", lambda: False)
    monkeypatch.setattr(peers, "is_installed", lambda name: False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with module.CONTESTS[row.id](tiny=True) as contest:
            precisions = {one.precision for one in contest.contestants}
            assert SHOWN["bf16"] not in precisions
            assert any("bfloat16: unmeasured here" in line for line in contest.unmeasured)
            assert not any("CTranslate2" in one.name or "ONNX" in one.name for one in contest.contestants)


def test_commands_are_multiples_of_python_or_torch():
    from anncestry.bench.parts import start

    with start.commands(tiny=True) as contest:
        names = [one.name for one in contest.contestants]
        assert all(one.against in names for one in contest.contestants if one.ours)
        assert contest.contestants[0].run().returncode == 0
        help_of = next(one for one in contest.contestants if one.name == "anncestry --help")
        assert b"usage: anncestry" in help_of.run().stdout


def test_sentences_are_those_that_were_asked_for():
    found = encode.sentences(40)
    assert len(set(found)) == 40
    assert all(text.endswith(".") and len(text.split()) >= 4 for text in found)


def test_texts_of_different_lengths_are_compared_as_far_as_the_first_goes():
    assert translate.equal_texts([["a", "b"], ["a"]], [["a", "b", "c"], ["b"]]) == 0.5


def test_points_cover_lengths_and_batches():
    found = list(growth.points())
    assert len(set(found)) == len(found)
    ours = [point for point in found if point.system == growth.OURS]
    assert {point.length for point in ours if point.axis == "length"} >= {32, 1_000, 1_024}
    assert {point.batch for point in ours if point.axis == "batch"} == {1, 8, 64}


@pytest.mark.parametrize("work", ["encoding", "generating"])
@pytest.mark.parametrize("system", [growth.OURS, growth.PEER])
def test_a_point_has_a_time_and_a_peak(work, system):
    if system == growth.PEER and not is_installed(system):
        pytest.skip(f"needs {system}, a peer (pip install 'anncestry[bench]')")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the peer
        ticks = itertools.count()
        meter = Meter(lambda: float(next(ticks)), lambda seconds: None, lambda: None)  # each reading is later
        found = growth.measure(growth.Point(work, system, "length", 2, 32), tiny=True, meter=meter)
    assert (found["work"], found["system"], found["batch"]) == (work, system, 2)
    assert found["seconds"] == 1 / (2 * (32 if work == "encoding" else growth.STEPS))
    assert found["megabytes"] > 10


def test_the_peak_is_linuxs_own_count_where_there_is_one(tmp_path):
    (tmp_path / "status").write_text("Name:\tpython\nVmHWM:\t  2048 kB\nVmRSS:\t 1024 kB\n")
    assert growth.peak_megabytes(tmp_path / "status") == 2
    assert growth.peak_megabytes(tmp_path / "none") > 10
