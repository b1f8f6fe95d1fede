"""Objectives add up: any batching gives the same figures, and they are scikit-learn's."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from anncestry.errors import UserError
from anncestry.objectives import objective_for, objective_of
from anncestry.protocols import IGNORED
from anncestry.signature import Signature

CLASSES = Signature("classification", "vector", (3,), 5)
NUMBERS = Signature("regression", "vector", (3,), 2)
TAGS = Signature("tagging", "tokens", (7,), 4, 9)
FRAMES = Signature("next-frame", "series", (7, 6), 6)
LABELS = Signature("multi-label", "vector", (3,), 4)
TEXT = Signature("language-model", "tokens", (7,), 11, 11)


def some(signature: Signature, count: int, seed: int):
    torch.manual_seed(seed)
    _, targets = signature.example(count, seed)
    shape = (*targets.shape, signature.output_size) if signature.is_categorical else targets.shape
    outputs = torch.randn(shape)
    return outputs, targets


@pytest.mark.parametrize("signature", [CLASSES, LABELS, NUMBERS, TEXT, TAGS, FRAMES], ids=lambda s: s.task)
@given(cut=st.integers(1, 29), seed=st.integers(0, 50))
def test_sums_over_parts_are_the_sums_of_the_whole(signature, cut, seed):
    objective = objective_for(signature)
    outputs, targets = some(signature, 30, seed)
    whole = objective.metrics(objective.tally(outputs, targets))
    parts = objective.tally(outputs[:cut], targets[:cut]) + objective.tally(outputs[cut:], targets[cut:])
    assert objective.metrics(parts) == pytest.approx(whole, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("signature", [CLASSES, LABELS, NUMBERS, TEXT, TAGS, FRAMES], ids=lambda s: s.task)
def test_figures_have_the_names_that_can_select(signature):
    objective = objective_for(signature)
    outputs, targets = some(signature, 30, 0)
    found = objective.metrics(objective.tally(outputs, targets))
    whole = objective.of_whole(outputs, targets) if objective.whole_figures else {}
    assert (set(objective.figures), set(objective.whole_figures)) == (set(found), set(whole))
    assert objective.primary == objective.figures[0]
    objective.select_by("loss")
    assert (objective.primary, objective.higher_is_better) == ("loss", False)
    with pytest.raises(UserError, match=r"select: got 'bleu'; is not reported for this task"):
        objective.select_by("bleu")


def test_equal_figures_go_by_the_loss_and_undefined_ones_come_last():
    objective = objective_for(CLASSES)

    def figures(accuracy: float, loss: float) -> dict[str, float]:
        return {"accuracy": accuracy, "loss": loss}

    assert objective.better(figures(0.5, 9), figures(0.4, 1))
    assert objective.better(figures(0.5, 0.1), figures(0.5, 0.2))
    assert not objective.better(figures(0.5, 0.2), figures(0.5, 0.2))
    objective.select_by("roc_auc")
    assert objective.better(figures(0, 1) | {"roc_auc": 0.1}, figures(1, 0.1))
    assert objective.better(figures(0, 0.1), figures(1, 1))
    assert not objective.better(figures(0, math.nan), figures(0, 1))


def test_where_one_class_is_three_quarters_the_loss_selects():
    def problem(*counts: int):
        targets = torch.arange(5).repeat_interleave(torch.tensor(counts))
        split = SimpleNamespace(targets=targets)
        processor = SimpleNamespace(target_scale=None)
        return SimpleNamespace(signature=CLASSES, processor=processor, train=split, validation=split)

    assert objective_of(problem(9, 1, 0, 0, 0)).primary == "loss"
    assert objective_of(problem(3, 1, 0, 0, 0)).primary == "loss"
    assert objective_of(problem(2, 1, 0, 0, 0)).primary == "accuracy"
    assert objective_of(problem(9, 1, 0, 0, 0), select="accuracy").primary == "accuracy"


def test_classification_is_scikit_learns():
    outputs, targets = some(CLASSES, 200, 0)
    found = objective_for(CLASSES).metrics(objective_for(CLASSES).tally(outputs, targets))
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(targets, outputs.argmax(1)))
    assert found["loss"] == pytest.approx(
        sk.log_loss(targets, outputs.double().softmax(1), labels=range(5)), rel=1e-5
    )
    given = outputs.argmax(1)
    assert found["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(targets, given))
    assert found["macro_f1"] == pytest.approx(sk.f1_score(targets, given, average="macro"))


@pytest.mark.parametrize("num_classes", [2, 5])
def test_roc_auc_is_scikit_learns_also_where_scores_are_equal(num_classes):
    signature = Signature("classification", "vector", (3,), num_classes)
    outputs, targets = some(signature, 120, 7)
    if num_classes == 2:
        outputs = (2 * outputs).round()  # many equal scores
    found = objective_for(signature).of_whole(outputs, targets)["roc_auc"]
    scores = outputs.double().softmax(1)
    if num_classes == 2:
        expected = sk.roc_auc_score(targets, outputs[:, 1] - outputs[:, 0])
    else:
        expected = sk.roc_auc_score(targets, scores, multi_class="ovr")
    assert found == pytest.approx(expected, abs=1e-6)
    surer = 1000 * torch.randn(20, 2)  # whose probabilities are 0 and 1
    targets = (surer[:, 1] > surer[:, 0]).long()
    assert objective_for(Signature("classification", "vector", (3,), 2)).of_whole(surer, targets) == {
        "roc_auc": 1
    }


def test_a_roc_auc_that_is_undefined_is_left_out():
    objective = objective_for(CLASSES)
    assert objective.of_whole(torch.randn(4, 5), torch.full((4,), 2)) == {}
    part = objective.of_whole(torch.eye(5)[[1, 2, 2]], torch.tensor([1, 2, 2]))
    assert part == {"roc_auc": 1}  # of the classes that occur


def test_multi_label_is_scikit_learns():
    outputs, targets = torch.randn(80, 4), (torch.rand(80, 4) < 0.3).float()
    outputs[:, 1] = outputs[:, 1].round()
    objective = objective_for(LABELS)
    found = objective.metrics(objective.tally(outputs, targets)) | objective.of_whole(outputs, targets)
    given, scores = outputs > 0, outputs.double().numpy()
    assert found["micro_f1"] == pytest.approx(sk.f1_score(targets, given, average="micro"))
    assert found["macro_f1"] == pytest.approx(sk.f1_score(targets, given, average="macro"))
    assert found["subset_accuracy"] == pytest.approx(sk.accuracy_score(targets, given))
    expected = sk.average_precision_score(targets.numpy(), scores, average="macro")
    assert found["mean_average_precision"] == pytest.approx(expected)
    loss = torch.nn.BCEWithLogitsLoss()(outputs, targets).item()
    assert found["loss"] == pytest.approx(loss, rel=1e-5)
    assert objective.initial_loss() == pytest.approx(math.log(2))


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
    assert found["macro_f1"] == pytest.approx(sk.f1_score(true, given, average="macro"))
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

    assert objective.primary == "micro_f1"
    assert figures(0, 0, 0, 0)["accuracy"] == 0.5
    assert figures(0, 0, 0, 0)["micro_f1"] == 0
    assert figures(0, 0, 1, 2)["accuracy"] == figures(0, 0, 1, 2)["micro_f1"] == 1
    assert figures(1, 0, 1, 0)["micro_f1"] == pytest.approx(2 * 1 / (2 + 2))


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
