"""Objectives add up: any batching gives the same figures, and they are scikit-learn's."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from anncestry.objectives import objective_for
from anncestry.protocols import IGNORED
from anncestry.signature import Signature

CLASSES = Signature("classification", "vector", (3,), 5)
NUMBERS = Signature("regression", "vector", (3,), 2)
TAGS = Signature("tagging", "tokens", (7,), 4, 9)
FRAMES = Signature("next-frame", "series", (7, 6), 6)
TEXT = Signature("language-model", "tokens", (7,), 11, 11)


def some(signature: Signature, count: int, seed: int):
    torch.manual_seed(seed)
    _, targets = signature.example(count, seed)
    shape = (*targets.shape, signature.output_size) if signature.is_categorical else targets.shape
    outputs = torch.randn(shape)
    return outputs, targets


@pytest.mark.parametrize("signature", [CLASSES, NUMBERS, TEXT, TAGS, FRAMES], ids=lambda s: s.task)
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


def test_correlation_is_the_mean_of_numpys_over_the_targets():
    objective = objective_for(NUMBERS, (10.0, 3.0))
    outputs, targets = some(NUMBERS, 200, 3)
    found = objective.metrics(objective.tally(targets + outputs, targets))["pearson"]
    pairs = zip((targets + outputs).T.numpy(), targets.T.numpy(), strict=True)
    assert found == pytest.approx(np.mean([np.corrcoef(*pair)[0, 1] for pair in pairs]), rel=1e-5)
    constant = objective.metrics(objective.tally(torch.full_like(targets, 0.3), targets))["pearson"]
    assert math.isnan(constant)  # it has none


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


def test_tagging_is_scikit_learns_over_the_steps_that_exist():
    outputs, targets = some(TAGS, 40, 3)
    lengths = torch.randint(1, 8, (40,), generator=torch.Generator().manual_seed(3))
    inside = torch.arange(7) < lengths[:, None]
    targets = targets.masked_fill(~inside, IGNORED)
    objective = objective_for(TAGS)
    found = objective.metrics(objective.tally(outputs, targets))
    true, given = targets[inside], outputs.argmax(-1)[inside]
    assert objective.count(targets) == int(lengths.sum())
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(true, given))
    assert found["f1"] == pytest.approx(sk.f1_score(true, given, average="macro"))
    assert found["loss"] == pytest.approx(
        sk.log_loss(true, outputs[inside].double().softmax(-1), labels=range(4)), rel=1e-5
    )


def test_a_background_tag_earns_nothing():
    signature = Signature("tagging", "tokens", (4,), 3, 9, background=0)
    objective = objective_for(signature)
    targets = torch.tensor([[0, 0, 1, 2]])

    def figures(*tags: int) -> dict[str, float]:
        outputs = torch.nn.functional.one_hot(torch.tensor([tags]), 3).float()
        return objective.metrics(objective.tally(outputs, targets))

    assert figures(0, 0, 0, 0)["accuracy"] == figures(0, 0, 0, 0)["f1"] == 0
    assert figures(0, 0, 1, 2)["accuracy"] == figures(0, 0, 1, 2)["f1"] == 1
    assert figures(0, 0, 1, 1)["accuracy"] == 0.5
    assert figures(1, 0, 1, 0)["f1"] == pytest.approx(2 * 1 / (2 + 2))


def test_the_next_frame_is_scored_by_its_bits():
    outputs, targets = some(FRAMES, 20, 5)
    targets[3, 4:] = IGNORED
    objective = objective_for(FRAMES)
    found = objective.metrics(objective.tally(outputs, targets))
    inside = targets[..., 0] != IGNORED
    p, y = outputs[inside].double().sigmoid(), targets[inside].double()
    nll = -(y * p.log() + (1 - y) * (1 - p).log()).sum(-1).mean().item()
    assert objective.count(targets) == 20 * 7 - 3
    assert found["nll"] == found["loss"] == pytest.approx(nll, rel=1e-5)
    on = p > 0.5
    expected = (on & (y > 0)).sum() / (on | (y > 0)).sum()
    assert found["frame_accuracy"] == pytest.approx(expected.item())
    assert objective.initial_loss() == pytest.approx(6 * math.log(2))
