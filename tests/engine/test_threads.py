"""Threads are chosen by what the work took, not by what a machine is thought to be."""

import pytest
import torch

from anncestry.engine import threads
from anncestry.engine.prediction import Prediction
from anncestry.engine.threads import TRIALS, Contest, fastest_threads, limited_threads

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def two_threads():
    with limited_threads(2):
        yield


@pytest.fixture
def clock(monkeypatch):
    """Goes on by what a test says."""

    class Clock:
        now = 0.0

        def perf_counter(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(threads, "time", clock)
    return clock


def work(clock, kept, seconds, kind="step", *sizes):
    """One call of work that takes so many seconds with each number of threads; the number it got."""
    with fastest_threads(kept, kind, *sizes):
        count = torch.get_num_threads()
        clock.now += seconds[count]
    assert torch.get_num_threads() == 2
    return count


@pytest.mark.parametrize(("seconds", "fastest"), [({1: 1.0, 2: 3.0}, 1), ({1: 3.0, 2: 1.0}, 2)])
def test_the_fastest_is_found_by_trying_each(clock, seconds, fastest):
    kept = {}
    tried = [work(clock, kept, seconds) for _ in range(2 * TRIALS)]
    assert tried.count(1) == tried.count(2) == TRIALS
    assert {work(clock, kept, seconds) for _ in range(5)} == {fastest}


def test_a_slow_call_does_not_decide(clock):
    kept = {}
    for call in range(2 * TRIALS):
        work(clock, kept, {1: 100.0 if call == 0 else 1.0, 2: 2.0})
    assert work(clock, kept, {1: 1.0, 2: 2.0}) == 1


def test_all_are_tried_again_after_a_while(clock, monkeypatch):
    """What else ran on the machine may be over."""
    monkeypatch.setattr(threads, "AGAIN", 10)
    kept = {}
    for _ in range(2 * TRIALS + 10):
        work(clock, kept, {1: 1.0, 2: 3.0})
    later = [work(clock, kept, {1: 1.0, 2: 0.5}) for _ in range(2 * TRIALS + 5)]
    assert later == [1, 2] * TRIALS + [2] * 5


def test_more_threads_must_be_clearly_faster(clock):
    kept = {}
    for _ in range(2 * TRIALS):
        work(clock, kept, {1: 1.0, 2: 0.99})
    assert work(clock, kept, {1: 1.0, 2: 0.99}) == 1


def test_each_kind_and_size_is_tried_by_itself(clock):
    kept = {}
    for _ in range(2 * TRIALS):
        work(clock, kept, {1: 1.0, 2: 3.0}, "step", 8)
        work(clock, kept, {1: 3.0, 2: 1.0}, "step", 16)
    assert work(clock, kept, {1: 0, 2: 0}, "step", 9) == 1
    assert work(clock, kept, {1: 0, 2: 0}, "step", 31) == 2
    assert work(clock, kept, {1: 0, 2: 0}, "other", 31) == 1  # not known yet: the first trial


def test_one_thread_leaves_nothing_to_choose():
    kept = {}
    with limited_threads(1), fastest_threads(kept, "step"):
        assert torch.get_num_threads() == 1
    assert not kept


def test_threads_come_back_after_an_error():
    with pytest.raises(KeyError), fastest_threads({}, "step"):
        raise KeyError
    assert torch.get_num_threads() == 2


def test_a_contest_of_one_is_over():
    assert Contest(["alone"]).is_over
    assert Contest(["alone"]).next == "alone"


def test_a_prediction_keeps_what_was_found_out():
    prediction = Prediction()
    with prediction.threads(CPU, "step", 1):
        assert torch.get_num_threads() == 1
    assert len(prediction.contests) == 1
    with prediction.threads(torch.device("meta"), "step", 2):
        assert torch.get_num_threads() == 2
    assert len(prediction.contests) == 1
