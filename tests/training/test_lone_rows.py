"""A batch of one row and a batch normalisation: in the last batch, in parts of a batch, and in batches of
one.
"""

import pytest
import torch
from torch import nn

from anncestry.data import Dataset, load_data
from anncestry.objectives import evaluate, objective_of
from anncestry.training.fit import fit
from anncestry.training.lone_rows import seen_statistics_for
from anncestry.training.settings import TrainingSettings
from anncestry.training.snapshot import latest_snapshot


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Dataset:
    path = tmp_path_factory.mktemp("table") / "t.csv"
    x = torch.randn(30, 3, generator=torch.Generator().manual_seed(0)).tolist()
    path.write_text("\n".join(["a,b,c,y", *(f"{a},{b},{c},{'no' if a < 0 else 'yes'}" for a, b, c in x)]))
    return load_data(f"csv:{path}")


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))


@pytest.mark.parametrize(
    ("batch_size", "accumulate"), [(7, 1), (1, 1), (4, 4), (2, 2)], ids=["last", "one", "parts", "halves"]
)
def test_a_lone_row_is_learnt_from(table, tmp_path, batch_size, accumulate):
    assert len(table.train) == 22  # 3 batches of 7 and a row
    settings = TrainingSettings(epochs=1, batch_size=batch_size, accumulate=accumulate, evaluations=1)
    model = net()
    result = fit(model, table, settings, folder=tmp_path)
    assert result.stopped == "epochs"
    assert model.training
    norm = model[1]
    assert isinstance(norm, nn.BatchNorm1d)
    assert norm.num_batches_tracked == (3 if batch_size == 7 else 0)  # lone rows leave no trace in it
    assert not norm._forward_pre_hooks
    assert all(torch.isfinite(p).all() for p in model.parameters())
    assert latest_snapshot(tmp_path)[1]["step"] == result.step
    one = table.train.__class__(table.test.inputs[:1], table.test.targets[:1])
    assert evaluate(model, one, objective_of(table))["accuracy"] in (0, 1)


def test_a_row_of_many_positions_is_normalised_as_ever():
    norm = nn.BatchNorm2d(2)
    x = torch.randn(1, 2, 3, 3)
    with seen_statistics_for(1, norm):
        found = norm(x)
    torch.testing.assert_close(found, nn.BatchNorm2d(2)(x))
    assert norm.num_batches_tracked == 1
    with seen_statistics_for(1, norm):
        lone = norm(torch.ones(1, 2, 1, 1))
    assert norm.training
    expected = (1 - norm.running_mean) / (norm.running_var + norm.eps).sqrt()
    torch.testing.assert_close(lone.flatten(), expected)
