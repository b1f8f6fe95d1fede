"""Objectives add up: any batching gives the same figures, and they are scikit-learn's."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from anncestry.objectives import objective_for
from anncestry.signature import Signature

CLASSES = Signature("classification", "vector", (3,), 5)
NUMBERS = Signature("regression", "vector", (3,), 2)
TEXT = Signature("language-model", "tokens", (7,), 11, 11)


def some(signature: Signature, count: int, seed: int):
    torch.manual_seed(seed)
    _, targets = signature.example(count, seed)
    outputs = (
        torch.randn(*targets.shape, signature.output_size)
        if signature.is_categorical
        else torch.randn_like(targets)
    )
    return outputs, targets


@pytest.mark.parametrize("signature", [CLASSES, NUMBERS, TEXT], ids=lambda s: s.task)
@given(cut=st.integers(1, 29), seed=st.integers(0, 50))
def test_sums_over_parts_are_the_sums_of_the_whole(signature, cut, seed):
    objective = objective_for(signature)
    outputs, targets = some(signature, 30, seed)
    whole = objective.metrics(objective.tally(outputs, targets))
    parts = objective.tally(outputs[:cut], targets[:cut]) + objective.tally(outputs[cut:], targets[cut:])
    assert objective.metrics(parts) == pytest.approx(whole, rel=1e-5, abs=1e-5)


def test_classification_is_scikit_learns():
    outputs, targets = some(CLASSES, 200, 0)
    found = objective_for(CLASSES).metrics(objective_for(CLASSES).tally(outputs, targets))
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(targets, outputs.argmax(1)))
    assert found["loss"] == pytest.approx(
        sk.log_loss(targets, outputs.double().softmax(1), labels=range(5)), rel=1e-5
    )


def test_regression_is_scikit_learns_in_the_targets_units():
    scale = (10.0, 3.0)
    objective = objective_for(NUMBERS, scale)
    outputs, targets = some(NUMBERS, 200, 1)
    found = objective.metrics(objective.tally(outputs, targets))
    y, p = targets * torch.tensor(scale), outputs * torch.tensor(scale)
    assert found["rmse"] == pytest.approx(math.sqrt(sk.mean_squared_error(y, p)), rel=1e-5)
    assert found["mae"] == pytest.approx(sk.mean_absolute_error(y, p), rel=1e-5)


def test_r2_of_one_target_is_scikit_learns():
    signature = Signature("forecasting", "series", (4, 1), 1)
    objective = objective_for(signature, (7.0,))
    outputs, targets = some(signature, 100, 2)
    found = objective.metrics(objective.tally(outputs, targets))
    assert found["r2"] == pytest.approx(sk.r2_score(targets, outputs), rel=1e-4)


def test_a_uniform_model_needs_log2_v_bits():
    objective = objective_for(TEXT)
    targets = TEXT.example(8)[1]
    found = objective.metrics(objective.tally(torch.zeros(8, 7, 11), targets))
    assert found["bits"] == pytest.approx(math.log2(11), rel=1e-6)
    assert found["perplexity"] == pytest.approx(11, rel=1e-5)
    assert objective.initial_loss() == pytest.approx(math.log(11))
