"""The likelihood of what is written, token by token."""

import math

import numpy as np
import pytest
import torch

from anncestry.objectives import objective_for
from anncestry.objectives.sequence import SequenceLikelihood
from anncestry.protocols import IGNORED
from anncestry.signature import Signature


def by_hand(outputs, targets, smoothing=0.0):
    """(summed loss, count, right tokens) in float64."""
    loss, count, right = 0.0, 0, 0
    V = outputs.shape[-1]
    for row, wanted in zip(outputs, targets, strict=True):
        for scores, target in zip(row, wanted, strict=True):
            if target == IGNORED:
                continue
            log_probabilities = scores - np.log(np.exp(scores).sum())
            spread = np.full(V, smoothing / V)
            spread[target] += 1 - smoothing
            loss -= (spread * log_probabilities).sum()
            count += 1
            right += scores.argmax() == target
    return loss, count, right


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_loss_and_figures(smoothing):
    outputs = torch.randn(3, 5, 7, dtype=torch.float64)
    targets = torch.randint(0, 7, (3, 5))
    targets[0, 3:] = targets[2, 1:] = IGNORED
    targets[1] = outputs[1].argmax(-1)
    objective = SequenceLikelihood(7, smoothing)
    loss, count, right = by_hand(outputs.numpy(), targets.numpy(), smoothing)
    assert objective.loss(outputs, targets).item() == pytest.approx(loss)
    assert objective.count(targets) == count == 9
    plain, _, _ = by_hand(outputs.numpy(), targets.numpy())
    figures = objective.metrics(objective.tally(outputs, targets))
    assert figures["loss"] == pytest.approx(plain / count)  # without smoothing
    assert figures["perplexity"] == pytest.approx(math.exp(plain / count))
    assert figures["accuracy"] == pytest.approx(right / count)
    given = objective.tally(outputs, targets, objective.loss(outputs, targets))
    assert torch.equal(given, objective.tally(outputs, targets))


def test_sums_add_over_batches_of_any_width():
    objective = SequenceLikelihood(5)
    outputs, targets = torch.randn(4, 6, 5), torch.randint(0, 5, (4, 6))
    targets[:2, 3:] = IGNORED
    whole = objective.tally(outputs, targets)
    parts = objective.tally(outputs[:2, :3], targets[:2, :3]) + objective.tally(outputs[2:], targets[2:])
    assert torch.allclose(whole, parts)


def test_a_batch_that_asks_nothing_costs_nothing():
    outputs = torch.randn(1, 3, 5, requires_grad=True)
    loss = SequenceLikelihood(5).loss(outputs, torch.full((1, 3), IGNORED))
    loss.backward()
    assert loss.item() == 0
    assert not outputs.grad.any()


@pytest.mark.parametrize(
    "signature",
    [
        Signature("translation", "tokens", (9,), 11, 12, target_len=5),
        Signature("captioning", "image", (1, 8, 8), 11, target_len=5),
    ],
)
def test_both_tasks_have_it(signature):
    objective = objective_for(signature)
    assert (objective.primary, objective.higher_is_better) == ("perplexity", False)
    assert objective.initial_loss() == pytest.approx(math.log(11))
