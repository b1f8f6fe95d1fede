"""Fair turns, and samples that are taken again. All clocks are fake."""

import pytest

from anncestry.bench import timing
from anncestry.bench.timing import PATIENCE, TRIES, Meter, Quiet, interleave, ratio_of, table


def test_medians_and_ratios_round_by_round(machine):
    runs = {"slow": machine.taking(2.0), "fast": machine.taking(1.0, 1.0, 4.0, 1.0)}
    slow, fast = interleave(runs, 3, warm_up=0, meter=machine.meter)
    assert slow.samples == (2, 2, 2)
    assert fast.samples == (1, 1, 4)
    assert (fast.seconds, fast.ratio, fast.low, fast.high) == (1, 0.5, 0.5, 1.25)
    assert (slow.ratio, slow.low, slow.high) == (1, 1, 1)


def test_the_order_is_rotated(machine):
    order = []
    runs = {name: lambda name=name: order.append(name) or machine.taking(1.0)() for name in "abc"}
    interleave(runs, 3, warm_up=0, meter=machine.meter)
    assert "".join(order) == "abcbcacab"


def test_a_short_call_is_repeated_within_a_sample(machine):
    (row,) = interleave({"short": machine.taking(0.03)}, 2, warm_up=1, meter=machine.meter)
    assert row.seconds == pytest.approx(0.03)
    assert machine.now == pytest.approx(0.03 * (timing.WARM_CALLS + 2 * 7))  # 7 calls are above 0.2 s


def test_warming_up_ends_after_its_time(machine):
    interleave({"long": machine.taking(1.0)}, 1, warm_up=2, meter=machine.meter)
    assert machine.now == 2 + 1


def test_without_warming_up_a_sample_is_one_call(machine):
    interleave({"short": machine.taking(0.001)}, 2, warm_up=0, meter=machine.meter)
    assert machine.now == pytest.approx(0.002)


def test_a_disturbed_sample_is_taken_again(busy_machine):
    machine = busy_machine(0.5, 0.2, 0.0)
    found = interleave({"one": machine.taking(1.0, 1.0, 2.0)}, 2, warm_up=0, meter=machine.meter)
    (row,) = found
    assert row.samples == (2, 2)  # the third try of the first round, and the second round
    assert (found.quiet.samples, found.quiet.repeated, found.quiet.disturbed) == (2, 1, 0)
    assert "1 of 2 samples were repeated because other processes took more than 5% of the machine." in str(
        found.quiet
    )


def test_a_little_of_others_is_no_disturbance(busy_machine):
    machine = busy_machine(0.04)
    found = interleave({"one": machine.taking(1.0)}, 1, warm_up=0, meter=machine.meter)
    assert found.quiet.repeated == 0
    assert (
        str(found.quiet) == "There was no sample in which other processes took more than 5% of the machine."
    )


def test_after_some_tries_the_quietest_counts_and_is_marked(busy_machine):
    machine = busy_machine(0.9, 0.9, 0.3, *[0.9] * TRIES)
    found = interleave({"one": machine.taking(1.0, 1.0, 3.0, 1.0)}, 1, warm_up=0, meter=machine.meter)
    (row,) = found
    assert row.samples == (3,)
    assert (found.quiet.repeated, found.quiet.disturbed) == (1, 1)
    assert "in 1 they did to the end, so these figures are not of a quiet machine" in str(found.quiet)


def test_patience_ends_on_a_machine_that_is_never_quiet(busy_machine):
    rounds = PATIENCE + 3
    machine = busy_machine(*[1.0] * 1000)
    found = interleave({"one": machine.taking(1.0)}, rounds, warm_up=0, meter=machine.meter)
    assert found.quiet.disturbed == rounds
    assert machine.now == PATIENCE * TRIES + 3
    assert found.quiet.repeated == PATIENCE


def test_each_further_try_waits_longer(busy_machine):
    machine = busy_machine(1.0, 1.0)
    interleave({"one": machine.taking(1.0)}, 1, warm_up=0, meter=machine.meter)
    assert machine.slept == pytest.approx(timing.PAUSE * (1 + 5 + 9))


def test_where_nothing_counts_that_is_said(machine):
    meter = Meter(machine.meter.clock, machine.meter.sleep, busy=lambda: None)
    found = interleave({"one": machine.taking(1.0)}, 2, warm_up=0, meter=meter)
    assert not found.quiet.known
    assert found.quiet.repeated == 0
    assert "cannot be known on this system" in table("Title", found)


def test_who_is_left_out_after_the_first_round_has_one_sample(machine):
    runs = {name: machine.taking(seconds) for name, seconds in (("a", 1.0), ("b", 5.0), ("c", 2.0))}
    found = interleave(runs, 3, 0, lambda seconds: {n for n, s in seconds.items() if s > 4}, machine.meter)
    assert [len(row.samples) for row in found] == [3, 1, 3]


def test_the_table_says_what_was_repeated(busy_machine):
    machine = busy_machine(0.5)
    text = table("Title", interleave({"one": machine.taking(0.5)}, 1, 0, meter=machine.meter), "A note.")
    assert "### Title" in text
    assert "| one | 500 ms | 1.000 | 1.000 to 1.000 |" in text
    assert "A note. 1 of 1 samples were repeated" in text


def test_a_ratio_of_one_round_has_no_spread():
    assert ratio_of([3.0], [2.0]) == (1.5, 1.5, 1.5)
    assert ratio_of([3.0, 6.0], [2.0]) == (1.5, 1.5, 1.5)


def test_quiet_is_said_without_a_sample():
    assert "There was no sample" in str(Quiet())
