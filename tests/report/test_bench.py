"""The page of the table of speeds."""

import re

import pytest

from anncestry.report.bench import bench_page, lead, shown_ratio


def comparison(ratio: float, **fields) -> dict:
    usual = {"ours": "anncestry <b>", "precision": "float32", "peer": "CTranslate2", "is_multiple": False}
    return {**usual, "ratio": ratio, "low": 0.9 * ratio, "high": 1.1 * ratio, **fields}


def record(*comparisons: dict, **fields) -> dict:
    row = {"low": 0.9, "high": 1.1, "samples": [1.0], "precision": "float32", "agreement": "0.99999"}
    return {
        "id": "minilm", "part": "encode", "title": "MiniLM", "environment": "", "rounds": 3,
        "command": "anncestry bench minilm", "date": "2026-01-02", "counted": "tokens", "amount": 10,
        "agreement": "cosine", "unmeasured": ["bfloat16: unmeasured here: too slow."], "note": "A note.",
        "quiet": "1 of 9 samples were repeated.", "machine": {"processor": "Some <CPU>"},
        "contestants": [{"name": "anncestry <b>", "ours": True, "seconds": 0.5, **row}],
        "comparisons": list(comparisons), **fields,
    }  # fmt: skip


def page_of(*records: dict) -> str:
    return bench_page({"rows": {str(place): one for place, one in enumerate(records)}})


def test_the_page_holds_table_machine_and_notes():
    page = page_of(record(comparison(1.25), comparison(0.5)))
    assert "Faster than the best peer in 1 of 2 comparisons on this machine." in page
    assert "1.25 (1.12 to 1.38)" in page
    assert "Some &lt;CPU&gt;" in page
    assert "anncestry &lt;b&gt;" in page
    assert "<b>" not in page
    for said in (
        "A note.",
        "unmeasured here: too slow.",
        "1 of 9 samples were repeated.",
        "20.0",
        "Cosine: beside",
    ):
        assert said in page
    assert '<a href="#minilm">' in page
    assert 'id="minilm"' in page


def test_the_page_needs_nothing_else():
    page = page_of(record(comparison(1.25)))
    assert not re.search(r"""(src|href)=["'](?!#)""", page)
    assert "http" not in page.replace("http://www.w3.org", "")


def test_a_multiple_is_no_win():
    one = comparison(1.4, is_multiple=True)
    assert shown_ratio(one) == "1.40 × (1.26 to 1.54)"
    page = page_of(record(one))
    assert "No peer was there to be compared with." in page
    assert "ratios-" not in page


def test_both_environments_have_their_own_place():
    page = page_of(record(comparison(2)), record(comparison(2), environment="GOMP_SPINCOUNT=100000"))
    anchors = re.findall(r'<section id="([^"]+)"', page)
    assert len(set(anchors)) == len(anchors)
    assert {"minilm", "minilm-spinning"} <= set(anchors)
    assert "with GOMP_SPINCOUNT=100000" in page


def test_growth_is_drawn_and_listed():
    figures = {"seconds": 1e-5, "megabytes": 500.0}
    points = [
        {"work": work, "system": system, "axis": axis, "batch": size, "length": size} | figures
        for work in ("encoding", "generating")
        for system in ("anncestry", "transformers")
        for axis in ("length", "batch")
        for size in (1, 64)
    ]  # fmt: skip
    page = page_of({**record(), "points": points, "contestants": [], "comparisons": []})
    assert page.count("<figure>") == 2
    assert '<td data-label="peak memory">500 MB</td>' in page


def test_an_empty_page_is_a_page():
    assert "No peer was there" in bench_page({"rows": {}})


@pytest.mark.parametrize(
    ("ratios", "said"), [([], "No peer"), ([2.0], "1 of 1 comparison "), ([0.5], "0 of 1")]
)
def test_the_lead_counts_wins(ratios, said):
    assert said in lead([comparison(ratio) for ratio in ratios])
