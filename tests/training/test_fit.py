"""The loop: budgets, scores, determinism, resumption, divergence."""

import itertools
import math
from pathlib import Path

import pytest
import torch
from torch import nn

from anncestry.data import DataOptions, Dataset, Examples, load_data
from anncestry.errors import UserError
from anncestry.objectives import objective_for
from anncestry.protocols import OwnRule
from anncestry.signature import Signature
from anncestry.timeline import find
from anncestry.training.evaluation_schedule import next_evaluation, unit_of
from anncestry.training.fit import fit
from anncestry.training.outcome import Diverged
from anncestry.training.settings import TrainingSettings
from anncestry.training.snapshot import latest_snapshot, snapshot_paths


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_data("digits")


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> Dataset:
    path = tmp_path_factory.mktemp("text") / "verse.txt"
    path.write_text("the quick brown fox jumps over the lazy dog and runs away. " * 60)
    return load_data(f"text:{path}", DataOptions(window=16))


def build(name: str, dataset: Dataset, width: int = 12, **overrides):
    torch.manual_seed(3)
    architecture = find(name)
    width = width if architecture.has_width else None
    return architecture.build(architecture.configure(dataset.signature, width=width, **overrides))


def same(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


class StopAfter:
    """A watcher that asks the loop to stop as Ctrl-C does."""

    def __init__(self, monkeypatch, steps: int) -> None:
        from anncestry.training import loop as module

        class Request(module.StopRequest):
            calls = itertools.count(1)

            @property
            def requested(self) -> bool:
                return next(self.calls) > steps  # the loop asks once before the first step

            @requested.setter
            def requested(self, value: bool) -> None:
                pass

        monkeypatch.setattr(module, "StopRequest", Request)


@pytest.mark.parametrize(
    ("name", "rate"),
    [("mlp", {"learning_rate": 5e-3}), ("lstm", {"learning_rate": 5e-3}), ("perceptron", {})],
)
def test_learns_digits(digits, name, rate):
    result = fit(build(name, digits, 32), digits, TrainingSettings(epochs=8, **rate))
    assert result.best["accuracy"] > 0.8
    assert result.stopped in ("epochs", "converged")
    assert result.history[-1]["split"] == "validation"


def test_epochs_and_steps_are_kept(digits):
    batches = digits.train.num_batches(100)
    result = fit(build("mlp", digits), digits, TrainingSettings(epochs=2, batch_size=100))
    assert (result.step, result.epochs, result.stopped) == (2 * batches, 2.0, "epochs")
    result = fit(build("mlp", digits), digits, TrainingSettings(max_steps=5, epochs=2, batch_size=100))
    assert (result.step, result.stopped) == (5, "max_steps")


def test_the_validation_split_is_scored_as_often_as_asked(digits):
    result = fit(build("mlp", digits), digits, TrainingSettings(max_steps=40, evaluations=4))
    assert [row["step"] for row in result.history if row["split"] == "validation"] == [10, 20, 30, 40]
    assert sum(row["split"] == "train" for row in result.history) == 20


def test_the_best_weights_are_the_ones_returned(digits):
    from anncestry.objectives import evaluate

    result = fit(build("mlp", digits), digits, TrainingSettings(max_steps=60, learning_rate=0.2))
    scores = [row["accuracy"] for row in result.history if row["split"] == "validation"]
    found = evaluate(result.model, digits.validation, objective_for(digits.signature))
    assert found["accuracy"] == pytest.approx(max(scores))


def test_the_average_is_of_the_weights_at_the_last_evaluations(digits, tmp_path):
    from anncestry.objectives import evaluate

    kept = []
    settings = TrainingSettings(max_steps=40, evaluations=4, average=3, learning_rate=0.05, save_seconds=0)
    model = build("mlp", digits)

    def watch(progress):
        if progress.step in (20, 30, 40) and len(kept) < progress.step // 10 - 1:
            kept.append({name: value.clone() for name, value in model.state_dict().items()})

    result = fit(model, digits, settings, watch=watch)
    mean = {name: sum(weights[name] for weights in kept) / 3 for name in kept[0]}
    model.load_state_dict(mean)
    found = evaluate(model, digits.validation, objective_for(digits.signature))
    assert (result.history[-1]["split"], result.history[-1]["step"]) == ("averaged", 40)
    assert result.history[-1]["loss"] == pytest.approx(found["loss"], rel=1e-5)
    assert result.best["accuracy"] == max(row.get("accuracy", 0) for row in result.history)


def test_an_interrupted_average_goes_on_where_it_was(digits, tmp_path, monkeypatch):
    settings = TrainingSettings(max_steps=40, evaluations=8, average=4, learning_rate=0.05)
    whole = fit(build("mlp", digits), digits, settings)
    with monkeypatch.context() as patch:
        StopAfter(patch, 31)  # in the middle of what is averaged
        part = fit(build("mlp", digits), digits, settings, folder=tmp_path)
    assert part.stopped == "interrupted"
    assert part.step < 40
    again = fit(build("mlp", digits), digits, settings, folder=tmp_path, resume=True)
    assert again.history[-1]["loss"] == whole.history[-1]["loss"]
    assert again.history[-1]["split"] == "averaged"


def test_a_larger_budget_begins_a_new_average(digits, tmp_path):
    settings = TrainingSettings(max_steps=20, evaluations=4, average=2)
    fit(build("mlp", digits), digits, settings, folder=tmp_path)
    more = TrainingSettings(max_steps=40, evaluations=4, average=2)
    result = fit(build("mlp", digits), digits, more, folder=tmp_path, resume=True)
    straight = fit(build("mlp", digits), digits, more)
    assert result.history[-1]["loss"] == straight.history[-1]["loss"]


def test_label_smoothing_trains_and_is_left_out_of_figures(digits):
    plain, smooth = (
        fit(build("mlp", digits), digits, TrainingSettings(epochs=30, label_smoothing=share))
        for share in (0.0, 0.3)
    )
    train = [[row["loss"] for row in r.history if row["split"] == "train"][-1] for r in (plain, smooth)]
    assert train[1] > train[0] + 0.3  # the entropy of what is asked for
    assert smooth.history[-1]["loss"] < train[1]
    with pytest.raises(UserError, match=r"label_smoothing: got 0\.1; is for classification and for"):
        objective_for(Signature("regression", "vector", (3,), 1), smoothing=0.1)


def test_small_data_are_scored_after_each_of_the_first_passes(digits):
    batches = digits.train.num_batches(400)
    settings = TrainingSettings(epochs=30, batch_size=400, evaluations=2)
    rows = [
        row for row in fit(build("mlp", digits), digits, settings).history if row["split"] == "validation"
    ]
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 18, 22, 27, 30]
    short = TrainingSettings(max_seconds=0.2, batch_size=400, evaluations=1)
    places = [
        row["step"]
        for row in fit(build("mlp", digits), digits, short).history
        if row["split"] == "validation"
    ]
    assert places[0] == batches  # whatever the clock says


def test_evaluations_lie_ever_further_apart():
    places = [0]
    while places[-1] < 1000:
        places.append(next_evaluation(places[-1], 10))
    assert places[:12] == [0, 10, 20, 30, 40, 50, 60, 70, 80, 100, 120, 150]
    assert next_evaluation(85, 10) == 100
    assert len(places) < 25
    train, large = (
        Examples(torch.zeros(50, 1), torch.zeros(50)),
        Examples(torch.zeros(900, 1), torch.zeros(900)),
    )
    assert (unit_of(train, train, 10), unit_of(train, large, 10)) == (5, 90)


def small_table(kind: str, tmp_path: Path, seed: int) -> Dataset:
    if kind in ("diabetes", "wine"):
        from sklearn import datasets

        table = getattr(datasets, f"load_{kind}")()
        rows = [
            [*row, answer] for row, answer in zip(table.data.tolist(), table.target.tolist(), strict=True)
        ]
    else:
        random = torch.Generator().manual_seed(1)
        x = torch.randn(160, 12, generator=random)
        noise = torch.randn(160, generator=random)
        y = x[:, 0] + 2 * noise if kind == "noise" else (x[:, 0] + noise > 2).long()
        rows = [[*row, answer] for row, answer in zip(x.tolist(), y.tolist(), strict=True)]
    path = tmp_path / f"{kind}.csv"
    path.write_text("\n".join(",".join(map(str, row)) for row in rows))
    return load_data(f"csv:{path}", DataOptions(header=False), seed)


@pytest.mark.parametrize("kind", ["diabetes", "wine", "noise", "rare"])
def test_more_training_is_not_worse_beyond_noise(kind, tmp_path):
    from anncestry.objectives import evaluate, objective_of

    lost = []
    for seed in range(3):
        dataset, found = small_table(kind, tmp_path, seed), []
        for epochs in (4, 120):
            settings = TrainingSettings(
                epochs=epochs, batch_size=32, learning_rate=0.01, evaluations=4, patience=12, seed=seed
            )
            found.append(fit(build("mlp", dataset, 64), dataset, settings))
        objective = objective_of(dataset)
        assert not objective.better(found[0].best, found[1].best)  # of what both have seen the best is kept
        scores = [evaluate(result.model, dataset.test, objective)[objective.primary] for result in found]
        sign = 1 if objective.higher_is_better else -1
        lost.append(sign * (scores[0] - scores[1]) / abs(scores[0]))
    assert sum(lost) / len(lost) < 0.05, lost


def test_ties_go_by_the_loss_and_the_kept_weights_are_reported(tmp_path):
    dataset = small_table("rare", tmp_path, 0)
    settings = TrainingSettings(epochs=20, evaluations=1, learning_rate=5e-3, select="accuracy")
    result = fit(build("mlp", dataset, 16), dataset, settings)
    rows = [row for row in result.history if row["split"] == "validation"]
    tied = [row for row in rows if row["accuracy"] == max(row["accuracy"] for row in rows)]
    lowest = min(tied, key=lambda row: row["loss"])
    assert result.best["loss"] == lowest["loss"]
    assert lowest["epoch"] > tied[0]["epoch"]
    assert result.kept == {
        "step": lowest["step"], "epoch": lowest["epoch"], "averaged": False, "by": "accuracy",
        "value": lowest["accuracy"], "evaluations": 13,
    }  # fmt: skip


def test_any_figure_of_the_task_can_select(digits):
    result = fit(
        build("mlp", digits), digits, TrainingSettings(max_steps=40, evaluations=4, select="roc_auc")
    )
    rows = [row for row in result.history if row["split"] == "validation"]
    assert result.best["roc_auc"] == max(row["roc_auc"] for row in rows) == result.kept["value"]
    with pytest.raises(UserError, match=r"select: got 'rmse'; is not reported for this task"):
        fit(build("mlp", digits), digits, TrainingSettings(max_steps=4, select="rmse"))


def test_patience_stops(digits):
    settings = TrainingSettings(epochs=50, learning_rate=1e-12, patience=3, evaluations=50)
    result = fit(build("mlp", digits), digits, settings)
    assert result.stopped == "patience"
    assert sum(row["split"] == "validation" for row in result.history) == 4


def test_one_seed_fixes_everything(digits):
    settings = TrainingSettings(max_steps=10, seed=5)
    first, second = (fit(build("mlp", digits, dropout=0.3), digits, settings) for _ in range(2))
    assert same(first.model.state_dict(), second.model.state_dict())
    third = fit(build("mlp", digits, dropout=0.3), digits, TrainingSettings(max_steps=10, seed=6))
    assert not same(first.model.state_dict(), third.model.state_dict())


def test_accumulated_parts_give_the_gradient_of_the_batch(digits, text):
    for dataset, name in ((digits, "mlp"), (text, "lstm")):
        whole, parts = (
            fit(
                build(name, dataset),
                dataset,
                TrainingSettings(max_steps=6, batch_size=24, accumulate=n, optimizer="sgd"),
            )
            for n in (1, 3)
        )
        for a, b in zip(whole.model.parameters(), parts.model.parameters(), strict=True):
            torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(
    "name", ["mlp", "cnn", "rnn", "stacked-lstm", "perceptron", "averaged-perceptron", "adaline"]
)
def test_killed_and_resumed_is_bit_equal(digits, tmp_path, monkeypatch, name):
    dropout = {"dropout": 0.2} if name in ("mlp", "stacked-lstm") else {}
    check_resumption(digits, tmp_path, monkeypatch, name, **dropout)


def test_maps_with_channels_last_and_new_images_are_resumed_too(digits, tmp_path, monkeypatch):
    check_resumption(digits, tmp_path, monkeypatch, "densenet", growth_rate=4, blocks=(2, 2))


def test_a_text_goes_on_in_the_middle_with_its_state(text, tmp_path, monkeypatch):
    check_resumption(text, tmp_path, monkeypatch, "lstm", dropout=0.1)


def check_resumption(dataset, tmp_path: Path, monkeypatch, name: str, **overrides) -> None:
    falls = (
        {}
        if isinstance(build(name, dataset, **overrides), OwnRule)
        else {"schedule": "cosine", "warmup_steps": 3}
    )
    settings = TrainingSettings(max_steps=17, batch_size=32, evaluations=5, **falls)
    whole = fit(build(name, dataset, **overrides), dataset, settings, folder=tmp_path / "whole")
    with monkeypatch.context() as patch:
        StopAfter(patch, 8)
        half = fit(build(name, dataset, **overrides), dataset, settings, folder=tmp_path / "half")
    assert (half.step, half.stopped) == (8, "interrupted")
    torch.manual_seed(999)  # whatever happened in between
    rest = fit(build(name, dataset, **overrides), dataset, settings, folder=tmp_path / "half", resume=True)
    assert rest.step == whole.step
    a, b = latest_snapshot(tmp_path / "whole"), latest_snapshot(tmp_path / "half")
    assert same(a[0], b[0])  # weights, best weights, optimizer, random state, carried state
    drop = ("seconds", "throughput")
    rows = [[{k: v for k, v in row.items() if k not in drop} for row in r.history] for r in (whole, rest)]
    assert rows[0] == rows[1]


class Explodes(nn.Module):
    """Its loss is NaN from the fourth step on."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.calls = nn.Linear(64, 10), 0

    def forward(self, x):
        self.calls += self.training
        return self.layer(x.flatten(1)) * (math.nan if self.calls >= 4 else 1.0)


def test_a_nan_loss_names_step_and_batch_and_keeps_the_last_good_snapshot(digits, tmp_path):
    settings = TrainingSettings(max_steps=9, batch_size=1000, save_seconds=0.0)
    with pytest.raises(Diverged) as caught:
        fit(Explodes(), digits, settings, folder=tmp_path)
    message = str(caught.value)
    assert "step 4 (epoch 2, batch 2) has no finite loss" in message
    assert "the last good checkpoint is step-000000003.safetensors" in message
    assert all(
        torch.isfinite(t).all() for t in latest_snapshot(tmp_path)[0].values() if t.is_floating_point()
    )


class Sinks(nn.Module):
    """Its loss is finite, and the gradient of it NaN from the third step on."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.calls = nn.Linear(64, 10), 0

    def forward(self, x):
        self.calls += self.training
        bend = (self.layer.bias * (self.calls < 3)).square().sum().sqrt()  # its slope at 0 is 0 / 0
        return self.layer(x.flatten(1)) + 0 * bend


def test_weights_that_are_not_finite_are_never_saved(digits, tmp_path):
    with pytest.raises(Diverged) as caught:
        fit(Sinks(), digits, TrainingSettings(max_steps=9, save_seconds=0.0), folder=tmp_path)
    message = str(caught.value)
    assert "weights: got nan; step 3 (epoch 1, batch 3) has left weights that are not finite" in message
    assert "the last good checkpoint is step-000000002.safetensors" in message
    assert latest_snapshot(tmp_path)[1]["step"] == 2


def test_the_history_is_on_disk_while_training_goes_on(digits, tmp_path):
    rows = []

    def watch(progress) -> None:
        path = tmp_path / "metrics.jsonl"
        rows.append(len(path.read_text().splitlines()) if path.exists() else 0)

    fit(
        build("mlp", digits),
        digits,
        TrainingSettings(max_steps=40, evaluations=4),
        folder=tmp_path,
        watch=watch,
    )
    assert max(rows[:-1]) >= 12


def test_only_the_last_two_snapshots_stay_and_a_damaged_one_gives_way(digits, tmp_path):
    fit(build("mlp", digits), digits, TrainingSettings(max_steps=6, save_seconds=0.0), folder=tmp_path)
    paths = snapshot_paths(tmp_path)
    assert [path.stem for path in paths] == ["step-000000005", "step-000000006"]
    paths[-1].write_bytes(paths[-1].read_bytes()[:-50])
    assert latest_snapshot(tmp_path)[1]["step"] == 5


def test_seconds_are_a_limit(digits):
    result = fit(build("mlp", digits), digits, TrainingSettings(max_seconds=0.05))
    assert result.stopped == "max_seconds"
    assert result.seconds >= 0.05


def test_training_needs_an_end(digits):
    with pytest.raises(
        ValueError, match="epochs: got None; training needs an end: epochs, max_steps or max_seconds"
    ):
        fit(build("mlp", digits), digits, TrainingSettings())


def test_bf16_learns(digits):
    result = fit(
        build("mlp", digits, 32), digits, TrainingSettings(max_steps=60, learning_rate=0.01, precision="bf16")
    )
    assert result.best["accuracy"] > 0.7


def test_clipping_bounds_the_step(digits):
    settings = {"max_steps": 1, "optimizer": "sgd", "momentum": 0.0, "learning_rate": 1.0}
    before = {name: value.clone() for name, value in build("mlp", digits).state_dict().items()}
    after = fit(build("mlp", digits), digits, TrainingSettings(**settings, clip_norm=0.01)).model.state_dict()
    moved = math.sqrt(sum((after[name] - before[name]).square().sum().item() for name in before))
    assert moved == pytest.approx(0.01, rel=1e-3)
    after = fit(
        build("mlp", digits), digits, TrainingSettings(**settings, clip_value=1e-4)
    ).model.state_dict()
    assert max((after[name] - before[name]).abs().max().item() for name in before) <= 1.001e-4


def test_inputs_of_unequal_length_of_batches_count_by_example():
    """A short last batch must not weigh more than its examples."""
    x, y = torch.randn(10, 4), torch.randint(3, (10,))
    part = Examples(x, y)

    class Plain:
        target_scale = None

    dataset = Dataset("x", {}, Signature("classification", "vector", (4,), 3), Plain(), part, part, part)  # pyright: ignore
    model = nn.Linear(4, 3)
    want = nn.functional.cross_entropy(model(x), y).item()
    result = fit(model, dataset, TrainingSettings(epochs=1, batch_size=7, learning_rate=1e-12, evaluations=1))
    rows = [row["loss"] for row in result.history if row["split"] == "train"]
    assert len(rows) == 2  # one for the batch of 7, one for the batch of 3
    assert (7 * rows[0] + 3 * rows[1]) / 10 == pytest.approx(want, rel=1e-4)
    assert result.best["loss"] == pytest.approx(want, rel=1e-4)
