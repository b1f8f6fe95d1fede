"""Baselines that write, on data whose answers are known."""

import math

import numpy as np
import pytest
import torch

from anncestry.data import Dataset
from anncestry.data.processors import CaptionProcessor, TranslationProcessor
from anncestry.data.processors.image import ImageProcessor
from anncestry.data.splits.seq2seq import Pairs, Sequences
from anncestry.race.baselines import baselines_for
from anncestry.race.compare import compare
from anncestry.race.text_baselines import most_frequent, nearest_source
from anncestry.report.race.race import page
from anncestry.report.race.tables import ranking_rows
from anncestry.signature import END, Signature
from anncestry.tokenizers.vocabulary import Vocabulary

PLAIN = Vocabulary.learn(["a b c d e f"])
LOUD = Vocabulary.learn(["A B C D E F"])


def text_pairs(lines):
    rows = torch.arange(len(lines))
    answers = [[*row, END] for row in LOUD.encode_all([line.upper() for line in lines])]
    references = tuple((line.upper(),) for line in lines)
    return Pairs(Sequences.of(PLAIN.encode_all(lines)), Sequences.of(answers), rows, references)


def dataset(signature, processor, train, validation, test):
    return Dataset("toy", {}, signature, processor, train, validation, test)


@pytest.fixture
def texts():
    """Each word becomes another one; the order stays."""
    random = np.random.default_rng(0)
    lines = [" ".join(random.choice(list("abcdef"), random.integers(2, 6))) for _ in range(400)]
    signature = Signature("translation", "tokens", (5,), len(LOUD), len(PLAIN), target_len=5)
    parts = (text_pairs(lines[:300]), text_pairs(lines[300:350]), text_pairs(lines[350:]))
    return dataset(signature, TranslationProcessor(PLAIN, LOUD, 9), *parts)


def scores(data):
    made = {baseline.id: baseline.score(data) for baseline in baselines_for(data.signature)}
    return {name: (scored.metrics, note) for name, (scored, note) in made.items()}


def test_word_by_word(texts):
    found = scores(texts)
    assert list(found) == ["nearest-source", "ibm-model-1"]
    figures, note = found["ibm-model-1"]
    assert figures["exact"] == 1  # it writes the order of the source, and here that is right
    assert figures["bleu"] == pytest.approx(100)
    # It knows the words but neither their places nor the end: about one of the source's tokens.
    assert 3 < figures["perplexity"] < 7
    assert "Model 1" in note
    assert figures["loss"] == pytest.approx(math.log(figures["perplexity"]))
    assert found["nearest-source"][0]["bleu"] < 100


def test_the_nearest_source():
    train = text_pairs(["a b c", "d e f", "a f"])
    assert nearest_source(train, text_pairs(["d e", "b c", "a f f", "a b c"])).tolist() == [1, 0, 2, 0]
    assert most_frequent(text_pairs(["a", "b c", "b c", "d"]), train).tolist() == [1, 1, 1]


def test_a_perfect_answer_has_almost_no_perplexity():
    lines = ["a b c", "d e f", "a f"]
    signature = Signature("translation", "tokens", (3,), len(LOUD), len(PLAIN), target_len=4)
    data = dataset(signature, TranslationProcessor(PLAIN, LOUD, 9), *[text_pairs(lines)] * 3)
    figures, note = scores(data)["nearest-source"]
    assert figures["exact"] == 1
    assert figures["perplexity"] < 1.02
    assert note == "99% the text retrieved, 1% unigram"


def test_captions():
    images = torch.tensor([0.0, 0.1, 5.0, 9.0]).view(4, 1, 1, 1)
    texts = ["A B", "A B", "C", "D"]
    answers = Sequences.of([[*row, END] for row in LOUD.encode_all(texts)])
    split = Pairs(images, answers, torch.arange(4), tuple((text,) for text in texts))
    processor = CaptionProcessor(ImageProcessor(1, 1, 1, (0.0,), (1.0,), ()), LOUD)
    data = dataset(
        Signature("captioning", "image", (1, 1, 1), len(LOUD), target_len=3), processor, *[split] * 3
    )
    found = scores(data)
    assert list(found) == ["frequent-caption", "nearest-image"]
    assert found["frequent-caption"][0]["exact"] == 0.5
    assert found["nearest-image"][0]["exact"] == 1


def test_a_race(tmp_path, monkeypatch):
    monkeypatch.setattr("anncestry.data.sources.dates.SIZES", (200, 40, 40))
    results = compare("dates", models=["seq2seq"], epochs=1, seeds=1, out=tmp_path / "race").to_json()
    assert not [run["error"] for run in results["runs"] if run["error"]]
    rows = {row["name"]: row for row in ranking_rows(results)}
    assert set(rows) == {"seq2seq", "nearest-source", "ibm-model-1"}
    assert all(row["exact"] != "–" and row["bleu"] != "–" for row in rows.values())
    run = next(run for run in results["runs"] if run["entrant"] == "seq2seq")
    assert {"perplexity", "exact", "bleu", "chrf"} <= set(run["metrics"])
    assert set(run["mistakes"]["texts"][0]) == {"source", "written", "reference"}
    assert "ja" in run["mistakes"]["exact"]["test"]
    html = page(results)
    assert "translating these texts" in html
    assert "<th>exact (%)</th><th>BLEU</th>" in html
    assert "Exact matches by kind of source" in html
    assert (tmp_path / "race" / "runs" / "seq2seq-seed0" / "model.safetensors").is_file()
