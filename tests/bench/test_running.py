"""Rows one after the other: what is asked, what is written, what an end or an error leaves behind."""

import json
import sys

import pytest

from anncestry.bench import records, running
from anncestry.bench.catalogue import SPINNING, select
from anncestry.bench.running import Failed, asked, run_bench
from anncestry.errors import UserError

MACHINE = {"processor": "Some CPU", "versions": "torch 2"}


def record(ratio: float = 1.5) -> dict:
    """What a process answers."""
    sample = {"low": 1.0, "high": 2.0, "samples": [1.0], "precision": "float32", "agreement": "1.00000"}
    compared = {"low": ratio, "high": ratio, "precision": "float32", "is_multiple": False}
    return {
        "contestants": [
            {"name": "peer", "ours": False, "seconds": ratio, **sample},
            {"name": "ours", "ours": True, "seconds": 1.0, **sample},
        ],
        "comparisons": [{"ours": "ours", "peer": "peer", "ratio": ratio, **compared}],
        "agreement": "cosine to peer", "counted": "tokens", "amount": 4, "unmeasured": ["x is missing."],
        "note": "A note.", "quiet": "It was quiet.", "machine": MACHINE,
    }  # fmt: skip


@pytest.fixture
def asks(monkeypatch):
    """What was asked, with the environment; every row answers with the same record."""
    found = []

    def ask(question, variables):
        found.append((question, dict(variables)))
        if "point" in question:
            return {**question["point"], "seconds": 1e-5 * question["point"]["length"], "megabytes": 500.0}
        return record()

    monkeypatch.setattr(running, "asked", ask)
    return found


def read(folder):
    return json.loads((folder / "results.json").read_text(encoding="utf-8"))


def test_a_row_is_asked_for_in_each_environment(tmp_path, asks):
    done = run_bench(select(["gpt2-one"]), tmp_path / "new" / "bench", 3, threads=2)
    question, threads = {"name": "gpt2-one", "rounds": 3}, {"OMP_NUM_THREADS": "2"}
    assert asks == [(question, threads), (question, threads | SPINNING)]
    assert list(done.results["rows"]) == ["gpt2-one", "gpt2-one, spinning"]
    spun = read(tmp_path / "new" / "bench")["rows"]["gpt2-one, spinning"]
    assert spun["environment"] == "OMP_WAIT_POLICY=ACTIVE GOMP_SPINCOUNT=100000"
    assert spun["command"] == "anncestry bench gpt2-one --rounds 3 --threads 2"
    assert spun["title"].endswith("(threads spinning)")


def test_rows_that_stand_there_stay_in_the_order_of_the_table(tmp_path, asks):
    run_bench(select(["lstm-650"]), tmp_path)
    run_bench(select(["minilm"]), tmp_path)
    assert list(read(tmp_path)["rows"]) == ["minilm", "lstm-650"]


def test_an_error_of_one_row_takes_no_other_with_it(tmp_path):
    def ask(question, variables):
        if question["name"] == "minilm":
            raise Failed("ImportError: no")
        return record()

    seen = []
    done = run_bench(select(["encode"]), tmp_path, watch=lambda *told: seen.append(told), ask=ask)
    assert done.failed == ["minilm"]
    assert list(done.results["rows"]) == ["bert-base"]
    assert [(name, None if told is None else "error" in told) for name, told in seen] == [
        ("minilm", None), ("minilm", True), ("bert-base", None), ("bert-base", False),
    ]  # fmt: skip


def test_an_interrupt_keeps_what_is_done(tmp_path):
    def ask(question, variables):
        if question["name"] == "bert-base":
            raise KeyboardInterrupt
        return record()

    done = run_bench(select(["encode"]), tmp_path, ask=ask)
    assert done.interrupted
    assert list(read(tmp_path)["rows"]) == ["minilm"]


def test_growth_is_asked_point_by_point(tmp_path, asks):
    done = run_bench(select(["growth"]), tmp_path)
    points = done.results["rows"]["growth"]["points"]
    assert [question["point"] for question, _ in asks] == [
        {key: point[key] for key in ("work", "system", "axis", "batch", "length")} for point in points
    ]
    text = (tmp_path / "bench.md").read_text(encoding="utf-8")
    assert "| encoding | anncestry | 8 | 1,024 | 10.2 ms | 500 MB |" in text
    assert "<svg" in (tmp_path / "bench.html").read_text(encoding="utf-8")


def test_the_section_has_commands_quartiles_and_machine(tmp_path, asks):
    run_bench(select(["minilm"]), tmp_path)
    text = (tmp_path / "bench.md").read_text(encoding="utf-8")
    assert "- processor: Some CPU" in text
    assert "| all-MiniLM-L6-v2, encoding | ours | peer | 1.50 (1.50 to 1.50) |" in text
    assert "| ours | 1 s | 1 s to 2 s | 4.0 | 1.00000 |" in text
    assert "A note. Cosine to peer: beside peer. x is missing. It was quiet." in text
    assert "`anncestry bench minilm --rounds 5`" in text


@pytest.mark.parametrize("field", ["rounds", "threads"])
def test_a_number_below_one_is_refused(tmp_path, field):
    with pytest.raises(UserError, match=f"{field}: got 0; must be at least 1"):
        run_bench(select(["minilm"]), tmp_path, **{field: 0})


def test_figures_of_another_machine_are_not_mixed(tmp_path, asks, monkeypatch):
    run_bench(select(["minilm"]), tmp_path)
    monkeypatch.setattr(records, "processor", lambda: "Another")
    with pytest.raises(UserError, match="holds figures of another machine"):
        run_bench(select(["minilm"]), tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"processor": 1, "cores": 2, "rows": 5}'])
def test_a_damaged_file_is_refused(tmp_path, text):
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(UserError, match=r"has a results\.json that this command did not write"):
        run_bench(select(["minilm"]), tmp_path)


def test_a_process_answers_through_a_file(monkeypatch, tmp_path):
    """One that prints and one that falls stand for the real one."""
    program = tmp_path / "program"
    program.write_text(
        f"#!{sys.executable}\nimport os, sys\nprint('chatter')\n"
        "if 'fall' in sys.argv[3]: sys.exit('no luck')\n"
        "open(sys.argv[4], 'w').write('{\"said\": \"%s\"}' % os.environ['WORD'])\n"
    )
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    assert asked({"name": "one"}, {"WORD": "hello"}) == {"said": "hello"}
    with pytest.raises(Failed, match="no luck"):
        asked({"name": "fall"}, {})
