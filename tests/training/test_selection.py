"""Which evaluation selects the weights, and the average of the last ones."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from anncestry.training.outcome import Fit
from anncestry.training.selection import Selection

OBJECTIVE = SimpleNamespace(primary="loss", better=lambda new, old: new["loss"] < old["loss"])


def evaluated(losses, averaging=()):
    """A selection of a model whose one weight is the number of the evaluation, after so many of them."""
    model = nn.Linear(1, 1, bias=False)
    selection = Selection(model, OBJECTIVE)  # pyright: ignore
    for step, loss in enumerate(losses):
        nn.init.constant_(model.weight, step)
        selection.add({"loss": loss}, {"step": step})
        if step in averaging:
            selection.add_to_average()
    return selection


def test_the_best_finite_evaluation_keeps_its_weights():
    selection = evaluated([3.0, 1.0, math.nan, 2.0])
    assert selection.best_weights["weight"].item() == 1
    assert selection.kept == {"step": 1, "by": "loss", "value": 1.0}
    assert (selection.evaluations, selection.evaluations_since_best) == (4, 2)
    assert selection.metrics == {"loss": 2.0}


def test_the_average_is_of_the_weights_that_were_added():
    selection = evaluated([1.0] * 4, averaging=(1, 2, 3))
    assert selection.average["weight"].item() == pytest.approx(2)
    selection.forget_average()
    assert (selection.average, selection.averaged) == (None, 0)


def test_it_goes_on_from_its_progress():
    before = evaluated([3.0, 1.0, 2.0], averaging=(2,))
    after = evaluated([])
    after.restore(before.progress(), before.best_weights, before.average)
    assert after.progress() == before.progress()
    after.add({"loss": 1.5}, {"step": 3})
    assert torch.equal(after.best_weights["weight"], torch.ones(1, 1))


def test_what_training_leaves_behind_is_shown_in_a_line():
    fit = Fit(nn.Linear(1, 1), 1200, 2.5, 3.21, [], {}, "max_steps", 0.0, kept={"by": "loss", "value": 0.125})
    wanted = (
        "<Fit: Linear, 2.5 epochs (1,200 steps) in 3.2 s, stopped by max_steps; best validation loss 0.125>"
    )
    assert repr(fit) == wanted
