"""What every test row contributes to a figure."""

import numpy as np
import pytest
import torch

from anncestry.data import DataOptions, load_data
from anncestry.objectives import evaluate
from anncestry.objectives.objective import objective_of
from anncestry.race import outcomes
from anncestry.race.baselines import baselines_for
from anncestry.race.outcomes import Scored, rows_of, sums_of_model, sums_of_outputs
from anncestry.timeline import find


def scored(name, data, select=None, **options):
    dataset = load_data(data, DataOptions(**options))
    architecture = find(name)
    torch.manual_seed(0)
    model = architecture.build(architecture.configure(dataset.signature, width=8))
    objective = objective_of(dataset, select=select)
    sums = sums_of_model(model, objective, dataset.test)
    return dataset, model, objective, Scored({}, sums, objective.metrics)


def test_rows_are_right_or_wrong():
    dataset, model, objective, found = scored("mlp", "toy2d:moons")
    rows = rows_of(found.rows("accuracy"))
    assert len(rows) == len(dataset.test)
    assert set(rows.round(5)) == {0.0, 1.0}
    assert rows.mean() == pytest.approx(evaluate(model, dataset.test, objective)["accuracy"], abs=1e-6)
    guesses = model(dataset.test.inputs).argmax(1)
    assert rows.round().tolist() == (guesses == dataset.test.targets).float().tolist()


@pytest.mark.parametrize(
    ("name", "data", "metric", "options"),
    [
        ("mlp", "mackey-glass", "rmse", {"window": 8}),
        ("mlp", "toy2d:moons", "macro_f1", {}),
        ("rnn", "pydoc", "bits", {"max_chars": 6000, "window": 16}),
    ],
)
def test_their_mean_is_nearly_the_figure(name, data, metric, options):
    dataset, model, objective, found = scored(name, data, metric, **options)
    rows = rows_of(found.rows(metric))
    assert rows.mean() == pytest.approx(evaluate(model, dataset.test, objective)[metric], rel=0.02)
    assert rows.std() > 0


def test_a_large_split_has_blocks_in_the_same_order_for_all(monkeypatch):
    monkeypatch.setattr(outcomes, "MOST", 20)
    dataset, model, objective, found = scored("mlp", "toy2d:moons")
    outputs = model(dataset.test.inputs).detach()
    blocks = sums_of_outputs(objective, outputs, dataset.test)
    assert len(blocks) <= 20
    torch.testing.assert_close(found.sums, blocks)
    assert blocks[:, 1].sum() == len(dataset.test)


def test_baselines_have_them_too():
    dataset = load_data("toy2d:moons")
    for baseline in baselines_for(dataset.signature):
        found, _ = baseline.score(dataset)
        rows = rows_of(found.rows("accuracy"))
        assert rows.mean() == pytest.approx(found.metrics["accuracy"], abs=1e-6)


def test_what_is_not_made_of_rows_has_none():
    assert scored("mlp", "toy2d:moons")[3].rows("roc_auc") == ""
    assert rows_of("") is None
    assert Scored({"accuracy": 1.0}).rows("accuracy") == ""
    alone = Scored({}, torch.ones(1, 3, dtype=torch.float64), lambda sums: {"accuracy": 1.0})
    assert alone.rows("accuracy") == ""
    assert np.isfinite(rows_of(scored("mlp", "toy2d:moons")[3].rows("loss"))).all()
