"""The run folder: everything later commands need is in it; what is wrong with one is said."""

import json
import pickle
import shutil

import pytest
import torch

from anncestry.checkpoints.store import read_tensors, write_tensors
from anncestry.cli.main import main
from anncestry.errors import UserError
from anncestry.runs.run import Run
from anncestry.training.settings import TrainingSettings
from anncestry.training.train import reproduce, resume, train


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """An MLP on digits, briefly."""
    folder = tmp_path_factory.mktemp("runs") / "mlp"
    run, _ = train(
        "mlp", "digits", out=folder, width=24, settings=TrainingSettings(epochs=6, learning_rate=5e-3)
    )
    return run


@pytest.fixture
def copy(trained, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(trained.folder, tmp_path / "copy")


def test_the_folder_is_whole(trained):
    names = {path.name for path in trained.folder.iterdir()}
    wanted = {
        "config.json",
        "processor.json",
        "model.safetensors",
        "scores.json",
        "metrics.jsonl",
        "metrics.csv",
    }
    assert wanted | {"README.md", "checkpoints"} == names


def test_evaluate_from_the_folder_alone_gives_the_scores_of_training(trained):
    assert Run(trained.folder).evaluate() == pytest.approx(trained.scores()["test"])
    assert Run(trained.folder).evaluate(split="validation") == pytest.approx(trained.scores()["validation"])


def test_predict_reads_a_picture_as_training_did(trained, tmp_path):
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()
    right = 0
    for index in range(20):
        path = tmp_path / f"{index}.png"
        Image.fromarray((digits.images[index] * 255 / 16).astype("uint8")).save(path)
        (row,) = Run(trained.folder).predict(path)
        assert sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        right += row["class"] == str(digits.target[index])
    assert right >= 16


def test_the_card_holds_a_command_that_makes_it_again(trained):
    card = (trained.folder / "README.md").read_text()
    assert reproduce(trained) in card
    assert "--set hidden_sizes=24" in reproduce(trained)
    assert "--epochs 6" in reproduce(trained)


def test_regression_answers_in_the_targets_units(tmp_path):
    rows = ["x,y"] + [f"{x / 50},{1000 + 300 * x / 50}" for x in range(200)]
    (tmp_path / "line.csv").write_text("\n".join(rows))
    settings = TrainingSettings(epochs=120, learning_rate=0.01)
    data = f"csv:{tmp_path}/line.csv"
    run, _ = train("mlp", data, out=tmp_path / "run", settings=settings, model={"activation": "tanh"})
    (row,) = run.predict("2.0")
    assert row["y"] == pytest.approx(1600, abs=30)
    assert run.scores()["test"]["rmse"] < 40


def test_other_data_are_read_with_the_runs_own_processor(tmp_path):
    def table(name, shift, count):
        lines = [f"{i % 7 + shift},{i % 5},{'yes' if i % 7 + shift > 3 else 'no'}" for i in range(count)]
        (tmp_path / name).write_text("a,b,label\n" + "\n".join(lines) + "\n")
        return f"csv:{tmp_path / name}"

    run, _ = train(
        "mlp", table("train.csv", 0, 140), out=tmp_path / "run", settings=TrainingSettings(epochs=60)
    )
    assert run.evaluate(table("other.csv", 2, 70))["accuracy"] > 0.8


def test_a_changed_file_is_noticed_on_resume(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,label\n" + "\n".join(f"{i % 9},{'x' if i % 9 > 4 else 'y'}" for i in range(90)))
    run, _ = train("mlp", f"csv:{path}", out=tmp_path / "run", settings=TrainingSettings(max_steps=2))
    path.write_text(path.read_text().replace("8,", "7,"))
    with pytest.raises(ValueError, match="has changed since this run was trained"):
        run.dataset()


@pytest.fixture
def tabular(tmp_path):
    """A net and the table that it was trained on."""
    path = tmp_path / "old" / "t.csv"
    path.parent.mkdir()
    path.write_text("a,label\n" + "\n".join(f"{i % 9}.{i},{'xy'[i % 9 > 4]}" for i in range(90)))
    run, _ = train("mlp", f"csv:{path}", out=tmp_path / "run", settings=TrainingSettings(epochs=1))
    return run, path


def test_moved_data_are_found_where_they_are_said_to_be(tabular, tmp_path):
    run, path = tabular
    other = tmp_path / "other.csv"
    other.write_text(path.read_text().replace("8.", "7."))
    path = path.parent.rename(tmp_path / "new") / path.name
    with pytest.raises(UserError, match=r"there is no such file\. If it was moved, say where"):
        resume(run.folder, epochs=2)
    with pytest.raises(UserError, match=r"other\.csv'; holds other data than csv:.*old/t\.csv when this run"):
        resume(run.folder, data=f"csv:{other}", epochs=2)
    assert Run(run.folder).config == run.config
    assert main(["train", "--resume", str(run.folder), "--epochs", "2", "--data", f"csv:{path}"]) == 0
    again = Run(run.folder)
    assert again.config["data"]["name"] == f"csv:{path}"
    assert again.config["data"] == run.config["data"] | {"name": f"csv:{path}"}
    assert again.evaluate() == again.scores()["test"]


def test_its_own_data_by_another_name_are_scored_by_the_split(tabular):
    run, path = tabular
    copy = f"csv:{shutil.copy(path, path.with_name('copy.csv'))}"
    assert len(run.examples(copy)) == len(run.dataset().test)
    assert run.evaluate(copy) == run.evaluate()
    assert run.evaluate(copy, "validation") == run.evaluate(split="validation")


def test_a_file_of_one_row_is_scored_and_the_row_counted(tabular, tmp_path, capsys):
    run, _ = tabular
    (tmp_path / "one.csv").write_text("more,a,label\n?,8.5,y\n")
    name = f"csv:{tmp_path / 'one.csv'}"
    assert main(["evaluate", str(run.folder), "--data", name]) == 0
    assert ["examples", "1"] in [line.split() for line in capsys.readouterr().out.splitlines()]
    assert main(["evaluate", str(run.folder), "--data", name, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told.pop("by class")["classes"] == ["x", "y"]
    assert told == run.evaluate(name) | {"examples": 1}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--split", "train", "--data", "csv:{}"],
            "--split: got 'train'; is of the run's own data; all of csv:",
        ),
        (["--beam", "2"], "--beam: got 2; is for texts that are generated; the task of this run is class"),
        (["--alpha", "0"], "--alpha: got 0.0; is for texts that are generated"),
    ],
)
def test_nothing_that_is_asked_of_evaluate_is_passed_over(tabular, tmp_path, capsys, words, message):
    run, _ = tabular
    (tmp_path / "one.csv").write_text("a,label\n8.5,y\n")
    words = [word.format(tmp_path / "one.csv") for word in words]
    assert main(["evaluate", str(run.folder), *words]) == 2
    assert message in capsys.readouterr().err


def test_what_is_not_defined_on_one_row_is_said(tmp_path, capsys):
    (tmp_path / "t.csv").write_text("x,y\n" + "\n".join(f"{i}.5,{i * i}" for i in range(30)))
    settings = TrainingSettings(max_steps=1, evaluations=1)
    run, _ = train("mlp", f"csv:{tmp_path / 't.csv'}", out=tmp_path / "run", settings=settings)
    (tmp_path / "one.csv").write_text("x,y\n1,2\n")
    words = ["evaluate", str(run.folder), "--data", f"csv:{tmp_path / 'one.csv'}"]
    assert main(words) == 0
    assert "r2  not defined on these" in capsys.readouterr().out
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["r2"] is None


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "config.json").unlink(), "is not a run folder: it has no config.json"),
        (lambda f: (f / "config.json").write_text("{]"), "is not readable JSON"),
        (
            lambda f: (f / "config.json").write_text("{}"),
            "is not the config of a run: 'architecture' is missing",
        ),
        (lambda f: (f / "model.safetensors").unlink(), "has no finished weights yet"),
        (lambda f: (f / "processor.json").unlink(), "has no processor.json; it is not a whole run folder"),
        (
            lambda f: (f / "model.safetensors").write_bytes((f / "model.safetensors").read_bytes()[:-9]),
            "it is cut short or damaged",
        ),
        (lambda f: (f / "model.safetensors").write_bytes(pickle.dumps({"a": 1})), "is a pickle"),
        (lambda f: write_tensors(f / "model.safetensors", {"x": torch.zeros(2)}), "missing"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said(copy, damage, message):
    damage(copy)
    with pytest.raises(ValueError) as caught:
        Run(copy).evaluate()
    assert message in str(caught.value)


def test_a_folder_of_another_size_lists_what_does_not_fit(copy):
    config = json.loads((copy / "config.json").read_text())
    config["model"]["hidden_sizes"] = [25]
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError) as caught:
        _ = Run(copy).model
    assert "layers.1.weight" in str(caught.value)


def test_an_existing_run_is_never_written_over(trained):
    before = (trained.folder / "model.safetensors").read_bytes()
    with pytest.raises(ValueError) as caught:
        train("mlp", "digits", out=trained.folder)
    message = str(caught.value)
    assert "exists already; a run is never written over another" in message
    assert "go on with that run by `resume`" in message
    assert (trained.folder / "model.safetensors").read_bytes() == before


def test_a_complete_run_without_checkpoints_is_not_trained_anew(copy):
    from anncestry.training.train import resume

    shutil.rmtree(copy / "checkpoints")
    with pytest.raises(ValueError, match="is complete and holds no checkpoint to go on from"):
        resume(copy, epochs=9)


def test_weights_are_plain_safetensors(trained):
    tensors, metadata = read_tensors(trained.folder / "model.safetensors")
    assert metadata["architecture"] == "mlp"
    assert tensors.keys() == trained.model.state_dict().keys()


def test_a_complete_run_goes_further(tmp_path):
    from anncestry.training.train import resume

    train("mlp", "digits", out=tmp_path / "a", width=8, settings=TrainingSettings(epochs=2))
    _, fit = resume(tmp_path / "a", epochs=4)
    assert fit.epochs == 4.0
    train("mlp", "digits", out=tmp_path / "b", width=8, settings=TrainingSettings(epochs=4))
    a, b = (Run(tmp_path / name).scores()["test"]["loss"] for name in "ab")
    assert a == pytest.approx(b, abs=0.05)


def test_a_run_starts_from_the_weights_of_another(trained, tmp_path):
    tiny = TrainingSettings(max_steps=1, learning_rate=1e-12)
    run, _ = train("mlp", "digits", out=tmp_path / "next", width=24, settings=tiny, start=trained.folder)
    assert run.scores()["test"]["accuracy"] == pytest.approx(trained.scores()["test"]["accuracy"])
    assert f"--from {trained.folder}" in reproduce(run)
    again = Run(run.folder)
    assert again.config["from"] == str(trained.folder)
    with pytest.raises(ValueError, match=r"do not fit MLP; .*wrong shape"):
        train("mlp", "digits", out=tmp_path / "wide", width=25, settings=tiny, start=trained.folder)
    assert not (tmp_path / "wide").exists()


@pytest.mark.parametrize("precision", ["32", "bf16"])
def test_predictions_have_the_precision_that_was_asked_for(trained, precision):
    run = Run(trained.folder, precision)
    split = run.dataset().test
    inputs = next(iter(split.batches(64))).inputs
    found, exact = run.outputs(inputs), Run(trained.folder).outputs(inputs)
    assert found.dtype == torch.float32
    assert torch.equal(found, exact) == (precision == "32")
    torch.testing.assert_close(found, exact, atol=0.1, rtol=0.05)


def test_a_precision_that_cannot_be_is_named(trained):
    with pytest.raises(ValueError, match=r"precision: got 'fp8'; must be one of\. Choices: 32, bf16, int8"):
        Run(trained.folder, "fp8")
    with pytest.raises(
        ValueError, match="precision: got 'int8'; is for Transformers, and this is Multi-layer"
    ):
        _ = Run(trained.folder, "int8").predictor
