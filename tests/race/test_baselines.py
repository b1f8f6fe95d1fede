"""Baselines on data whose answers are known."""

import math

import numpy as np
import pytest
import torch

from anncestry.data import DataOptions, load_data
from anncestry.race import class_baselines, sequence_baselines
from anncestry.race.baseline import tree_limits
from anncestry.race.baselines import baselines_for
from anncestry.signature import Signature


def scores(dataset):
    made = {baseline.id: baseline.score(dataset) for baseline in baselines_for(dataset.signature)}
    return {name: (scored.metrics, note) for name, (scored, note) in made.items()}


def test_classes(classes):
    found = scores(classes)
    assert list(found) == ["majority", "logistic", "boosted-trees"]
    assert found["majority"][0]["accuracy"] == 0.6
    entropy = -(0.6 * math.log(0.6) + 0.4 * math.log(0.4))
    assert found["majority"][0]["loss"] == pytest.approx(entropy)  # in spite of a class without examples
    assert found["logistic"][0]["accuracy"] == 1
    assert found["boosted-trees"][0]["accuracy"] == 1
    assert [note for _, note in found.values()] == ["", "", ""]


def test_a_series(series):
    found = scores(series)
    assert list(found) == ["persistence", "ridge", "boosted-trees"]
    walk = series.test.targets[:, 0]
    last = series.test.inputs[:, -1, 1]
    expected = 2 * (walk - last).square().mean().sqrt()  # in the target's unit
    assert found["persistence"][0]["rmse"] == pytest.approx(float(expected), rel=1e-5)
    assert found["ridge"][0]["rmse"] <= found["persistence"][0]["rmse"]
    assert "chosen by cross-validation" in found["ridge"][1]


def test_the_mean_explains_nothing(series):
    mean = baselines_for(Signature("regression", "vector", (3,), 1))[0]
    assert mean.id == "mean"
    assert mean.score(series)[0].metrics["r2"] == pytest.approx(0, abs=1e-6)


def test_text(text):
    found = scores(text)
    assert found["unigram"][0]["bits"] == pytest.approx(math.log2(3), rel=0.01)
    assert found["kneser-ney"][0]["bits"] < 0.05
    assert found["kneser-ney"][0]["perplexity"] == pytest.approx(2 ** found["kneser-ney"][0]["bits"])
    assert "chosen on validation" in found["kneser-ney"][1]


def test_work_on_large_data_is_capped_and_said(text, monkeypatch):
    monkeypatch.setattr(sequence_baselines, "MAX_TEXT", 100)
    assert "the last 100 of 600 training tokens" in scores(text)["kneser-ney"][1]
    rows, iterations, note = tree_limits(np.zeros((50_000, 784)), 10)
    assert (len(rows), len(set(rows)), iterations) == (10_204, 10_204, 25)
    assert note == "10,204 of 50,000 training rows, 25 iterations"


def test_a_fit_that_is_cut_short_says_so_without_a_warning(classes, monkeypatch):
    monkeypatch.setattr(class_baselines, "MAX_LINEAR_WORK", 0)
    monkeypatch.setattr(class_baselines, "MIN_ITERATIONS", 2)
    assert scores(classes)["logistic"][1] == "stopped after 2 iterations"


def test_each_label_has_its_own_line(tmp_path):
    path = tmp_path / "t.csv"
    random = torch.Generator().manual_seed(0)
    x = torch.randn(120, 2, generator=random)
    rows = [f"{a:.3f},{b:.3f},{int(a > 0)},{int(b > 1)}" for a, b in x.tolist()]
    path.write_text("\n".join(["a,b,first,second", *rows]))
    dataset = load_data(f"csv:{path}", DataOptions(target="first,second"))
    found = {baseline.id: baseline.score(dataset)[0].metrics for baseline in baselines_for(dataset.signature)}
    assert list(found) == ["label-frequency", "logistic"]
    assert found["logistic"]["micro_f1"] > 0.85 > found["label-frequency"]["micro_f1"]
