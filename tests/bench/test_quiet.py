"""Who worked, as the counters of Linux say it."""

import os

import pytest

from anncestry.bench.quiet import Busy, busy_seconds, share_of_others

STAT = "cpu  100 20 30 5000 40 5 6 7 0 0\ncpu0 1 2 3 4\n"
OTHER = os.getpid() + 1


def process(number: int, parent: int, ticks: tuple[int, int, int, int]) -> str:
    """A line of /proc/PID/stat whose program has a blank and a bracket in its name."""
    before = [str(number), "(a (b) c)", "S", str(parent), *["0"] * 9]
    return " ".join([*before, *map(str, ticks), *["0"] * 30])


@pytest.fixture
def proc(tmp_path):
    """This process, a child of it that has a child, and one of somebody else's."""
    (tmp_path / "stat").write_text(STAT)
    (tmp_path / "self").mkdir()
    me = os.getpid()
    lines = {
        me: process(me, 1, (10, 2, 3, 1)),
        me + 2: process(me + 2, me, (20, 0, 0, 0)),
        me + 3: process(me + 3, me + 2, (5, 0, 0, 0)),
        OTHER: process(OTHER, 1, (90, 0, 0, 0)),
    }
    for number, line in lines.items():
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "stat").write_text(line)
    (tmp_path / "99999999").mkdir()  # a process that has ended meanwhile
    return tmp_path


def test_own_work_is_that_of_the_whole_tree(proc):
    tick = os.sysconf("SC_CLK_TCK")
    found = busy_seconds(proc)
    assert found == Busy((100 + 20 + 30 + 5 + 6 + 7) / tick, (16 + 20 + 5) / tick)


@pytest.mark.parametrize("text", [None, "", "cpu 1 2\n", "intr 5 6 7 8 9 10 11 12 x\n"])
def test_without_the_counters_nobody_knows(tmp_path, text):
    if text is not None:
        (tmp_path / "stat").write_text(text)
    assert busy_seconds(tmp_path) is None


def test_what_others_had_is_what_was_busy_and_not_ours():
    tick = 1 / os.sysconf("SC_CLK_TCK")
    before, after = Busy(10, 4), Busy(12, 5)
    assert share_of_others(before, after, 2.0, 2) == pytest.approx((1 - 3 * tick) / 4)
    assert share_of_others(before, Busy(11, 5), 2.0, 2) == 0
    assert (
        share_of_others(before, Busy(11 + 3 * tick, 5), 2.0, 2) == 0
    )  # both counters are cut to whole ticks


def test_this_machine_counts_or_says_that_it_does_not():
    found = busy_seconds()
    assert found is None or found.all >= found.own > 0
