"""The page of claims."""

from anncestry.report.claims import claims_page

CLAIM = {
    "id": "xor",
    "sentence": "XOR is <beyond> the perceptron.",
    "paper": "Minsky & Papert",
    "verdict": "holds",
    "because": "0 of 20 & more",
    "seconds": 1.25,
}


def test_every_claim_is_there_and_nothing_is_fetched():
    record = {"anncestry": "1", "seed": 0, "claims": [CLAIM, {**CLAIM, "id": "b", "verdict": "undecided"}]}
    page = claims_page(record, {"xor": "<svg>drawn</svg>", "b": "<svg></svg>"})
    assert "1 of 2 claims of the literature hold here." in page
    assert "XOR is &lt;beyond&gt; the perceptron." in page
    assert "Minsky &amp; Papert" in page
    assert "<svg>drawn</svg>" in page
    assert page.count('href="#') == page.count("href=") == 2
    assert "src=" not in page
