"""``anncestry claims``: what it writes, what it says, what an interrupt leaves behind."""

import json

import pytest

from anncestry.claims import Claim, Evidence, Verdict
from anncestry.cli.claims import Arguments, run
from anncestry.errors import UserError


@pytest.fixture
def instant(monkeypatch):
    """Claims that take no time; ``xor`` is interrupted by the user."""

    def fake(claim, seed=0):
        if claim.id == "xor":
            raise KeyboardInterrupt
        rows = [{"x": 0.0, "y": float(seed)}, {"x": 1.0, "y": 2.0}]
        return Evidence(rows, Verdict.UNDECIDED, "2 of 4", lambda axes: axes.plot([0, 1], [seed, 2]), 0.5)

    monkeypatch.setattr(Claim, "run", fake)


def test_a_real_claim_from_the_command_to_the_files(tmp_path, capsys):
    assert run(Arguments(names=("local_connectivity",), out=tmp_path / "new" / "claims")) == 0
    assert "local-connectivity: holds" in capsys.readouterr().out
    record = json.loads((tmp_path / "new" / "claims" / "claims.json").read_text())
    (claim,) = record["claims"]
    assert record["seed"] == 0
    assert claim["verdict"] == "holds"
    assert claim["measurements"][-1]["inputs"] == 3072
    assert (tmp_path / "new" / "claims" / claim["figure"]).read_text().startswith("<?xml")


def test_the_same_measurements_give_the_same_files(tmp_path, instant):
    arguments = {"names": ("stacked-lstm", "two-3x3"), "seed": 7}
    for folder in ("a", "b"):
        assert run(Arguments(out=tmp_path / folder, **arguments)) == 0
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["claims.html", "claims.json", "claims.md", "stacked-lstm.svg", "two-3x3.svg"]
    assert all((tmp_path / "a" / n).read_bytes() == (tmp_path / "b" / n).read_bytes() for n in names)


def test_the_page_has_verdicts_reasons_and_pictures(tmp_path, instant):
    run(Arguments(names=("two-3x3",), out=tmp_path, seed=7))
    page = (tmp_path / "claims.md").read_text()
    assert "seed 7" in page
    assert "**undecided**: 2 of 4." in page
    assert "![two-3x3](two-3x3.svg)" in page


def test_an_interrupt_keeps_what_is_done(tmp_path, instant, capsys):
    assert run(Arguments(names=("stacked-lstm", "xor", "two-3x3"), out=tmp_path)) == 130
    record = json.loads((tmp_path / "claims.json").read_text())
    assert [claim["id"] for claim in record["claims"]] == ["stacked-lstm"]
    assert (tmp_path / "stacked-lstm.svg").exists()
    assert "1 of 3 claims are done" in capsys.readouterr().out


def test_an_interrupt_before_the_first_result_writes_nothing(tmp_path, instant):
    assert run(Arguments(names=("xor",), out=tmp_path)) == 130
    assert list(tmp_path.iterdir()) == []


def test_mistakes_are_found_before_anything_runs(tmp_path, instant):
    with pytest.raises(UserError, match="Choices: xor"):
        run(Arguments(names=("stacked-lstm", "xer"), out=tmp_path))
    with pytest.raises(UserError, match="seed: got -1"):
        run(Arguments(seed=-1, out=tmp_path))
    taken = tmp_path / "file"
    taken.write_text("")
    with pytest.raises(UserError, match=r"out: .*cannot be made"):
        run(Arguments(names=("stacked-lstm",), out=taken))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_list_can_be_narrowed(capsys):
    assert run(Arguments(names=("xor",), list=True)) == 0
    out = capsys.readouterr().out
    assert "xor" in out
    assert "stacked-lstm" not in out
