"""Contestants, what is left of them, and who is compared with whom. All clocks are fake."""

import json

import pytest

from anncestry.bench.contest import Agreement, Contest, Contestant, hold


def contest_of(machine, *rows: tuple, **fields) -> Contest:
    found = [
        Contestant(name, machine.taking(seconds), precision, ours) for name, seconds, precision, ours in rows
    ]
    return Contest(found, warm_up=0, **fields)


def test_the_best_peer_of_each_precision_is_compared(machine):
    contest = contest_of(
        machine,
        ("slow peer", 3.0, "float32", False),
        ("peer", 2.5, "float32", False),
        ("low peer", 1.0, "int8", False),
        ("ours", 2.0, "float32", True),
        ("ours low", 2.0, "int8", True),
        ("ours alone", 1.0, "bfloat16", True),
    )
    record = hold(contest, 2, machine.meter)
    ratios = {one["ours"]: (one["peer"], one["ratio"]) for one in record["comparisons"]}
    assert ratios == {"ours": ("peer", 1.25), "ours low": ("low peer", 0.5)}
    assert json.loads(json.dumps(record)) == record


def test_a_multiple_is_of_whom_it_names(machine):
    contest = Contest(
        [
            Contestant("torch", machine.taking(2.0), ""),
            Contestant("nothing", machine.taking(0.5), ""),
            Contestant("show", machine.taking(3.0), "", True, "torch"),
        ],
        warm_up=0,
    )
    (one,) = hold(contest, 2, machine.meter)["comparisons"]
    assert (one["peer"], one["ratio"], one["is_multiple"]) == ("torch", 1.5, True)
    assert len(hold(contest, 2, machine.meter)["contestants"][0]["samples"]) == 2  # referred to, so it stays


def test_a_peer_that_is_far_behind_runs_once(machine):
    contest = contest_of(
        machine,
        ("far", 4.0, "float32", False),
        ("near", 1.4, "float32", False),
        ("best", 1.0, "float32", False),
        ("ours", 9.0, "float32", True),
    )
    rows = hold(contest, 3, machine.meter)["contestants"]
    assert [len(row["samples"]) for row in rows] == [1, 3, 3, 3]
    assert rows[1]["seconds"] == pytest.approx(1.4)


def test_outputs_are_held_against_the_first(machine):
    agreement = Agreement("difference", lambda found, first: found - first, ".1f")
    contest = contest_of(machine, ("first", 2.0, "a", False), ("ours", 3.0, "a", True), agreement=agreement)
    record = hold(contest, 1, machine.meter)
    assert [row["agreement"] for row in record["contestants"]] == ["0.0", "1.0"]
    assert record["agreement"] == "difference"


def test_what_is_said_of_a_contest_is_kept(machine):
    contest = contest_of(machine, ("ours", 1.0, "a", True), amount=8, counted="tokens", note="Note.")
    contest.unmeasured.append("Missing.")
    record = hold(contest, 1, machine.meter)
    assert (record["amount"], record["counted"], record["note"]) == (8, "tokens", "Note.")
    assert record["unmeasured"] == ["Missing."]
    assert record["quiet"].startswith("There was no sample")
    assert record["comparisons"] == []
